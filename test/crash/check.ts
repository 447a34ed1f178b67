import type { Random } from '../simulators/git/random.ts';

export interface Context {
  readonly seed: number;
  /** Of this check: the same seed gives the same numbers, whichever checks run beside it. */
  readonly random: Random;
  readonly isLong: boolean;
  /** Whether a case of that name is to be tried: a kill point, a fault. */
  readonly isWanted: (name: string) => boolean;
  /** For repositories and whatever else is made once; removed afterwards. */
  readonly folder: string;
}

export interface Outcome {
  /** What was measured, for the line that is printed. */
  readonly figure: string;
  /** Empty: the check has passed. */
  readonly problems: readonly string[];
  /** Cases that this machine cannot do; the figure says why. */
  readonly untried?: number;
}

export interface Check {
  /** For `--only`. */
  readonly name: string;
  /** After so long the driver gives up, short and long. */
  readonly minutes: { readonly short: number; readonly long: number };
  /** It measures times: no other check runs beside it. */
  readonly isAlone?: true;
  readonly run: (context: Context) => Promise<Outcome>;
}
