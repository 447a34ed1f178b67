import type { Clock } from '../clock.ts';
import { type SatelliteError, toSatelliteError } from '../errors.ts';
import type { Redactor } from '../ops/redact.ts';
import type { Found, LegName, Step, Tell } from './step.ts';

export interface CheckupOptions {
  readonly clock: Clock;
  /** Takes secrets out of whatever is going to be shown. */
  readonly redactor: Redactor;
  /** Told of each group of steps before its first one. */
  readonly onLeg?: (heading: string) => void;
  /** Told of each step as soon as it is done. */
  readonly onStep?: (step: Step) => void;
}

/**
 * Runs steps one after the other, times them, and turns what they throw into lines. It never throws itself: a step that
 * fails is a line, and those that need it are lines that say why they were left out.
 */
export class Checkup {
  readonly steps: Step[] = [];
  /** Of the first step that failed: it decides how the check ends. */
  failure: SatelliteError | undefined;
  readonly #options: CheckupOptions;

  constructor(options: CheckupOptions) {
    this.#options = options;
  }

  get clock(): Clock {
    return this.#options.clock;
  }

  /** Without secrets, and without what would move the cursor: both come from servers that repeat what they were sent. */
  redact(text: string): string {
    return this.#options.redactor.text(text.replace(/[^\P{Cc}\n]/gu, ' '));
  }

  leg(heading: string, names: { readonly leg?: LegName; readonly integration?: string } = {}): Leg {
    if (heading !== '') this.#options.onLeg?.(this.redact(heading));
    return new Leg(this, names);
  }

  add(step: Step): void {
    const { id, title, detail, hint, code, ...rest } = step;
    const shown = {
      id,
      title: this.redact(title),
      ...rest,
      ...(detail === undefined ? {} : { detail: this.redact(detail) }),
      ...(hint === undefined ? {} : { hint: this.redact(hint) }),
      ...(code === undefined ? {} : { code }),
    };
    this.steps.push(shown);
    this.#options.onStep?.(shown);
  }
}

export interface StepOptions {
  /** Without it the rest of the leg makes no sense. */
  readonly required?: boolean;
  /** Why it is left out; undefined: it is not. */
  readonly unless?: string | undefined;
  /** It asks nobody, so it runs even where the leg is blocked. */
  readonly always?: boolean;
}

/** A group of steps that need each other: what is on the way to one server. */
export class Leg {
  readonly #checkup: Checkup;
  readonly #names: Pick<Step, 'leg' | 'integration'>;
  #blocked: string | undefined;

  constructor(checkup: Checkup, names: Pick<Step, 'leg' | 'integration'>) {
    this.#checkup = checkup;
    this.#names = names;
  }

  /** Why nothing more can be asked for. */
  get blocked(): string | undefined {
    return this.#blocked;
  }

  /** The reason that came first stays. */
  block(reason: string): void {
    this.#blocked ??= reason;
  }

  /**
   * Refused credentials block the leg whichever step meets them: asking again could lock the account.
   *
   * @param work tells what it has found, or throws
   * @returns undefined where it failed or was left out
   */
  async step<T>(
    id: string,
    title: string,
    work: (tell: Tell) => Promise<T> | T,
    { required = false, unless, always = false }: StepOptions = {},
  ): Promise<T | undefined> {
    const because = (always ? undefined : this.#blocked) ?? unless;
    if (because !== undefined) {
      this.#add(id, title, { status: 'skipped', ms: 0, detail: because });
      return undefined;
    }
    const { clock } = this.#checkup;
    const startedMs = clock.elapsedMs();
    const ms = () => Math.max(0, Math.round(clock.elapsedMs() - startedMs));
    let found: Found = {};
    try {
      const value = await work((more) => {
        found = { ...found, ...more };
      });
      const { warning, ...facts } = found;
      this.#add(id, title, { status: warning ? 'warning' : 'ok', ms: ms(), ...facts });
      return value;
    } catch (thrown) {
      const error = toSatelliteError(thrown);
      this.#checkup.failure ??= error;
      const { message, hint, code } = error;
      this.#add(id, title, {
        status: 'failed',
        ms: ms(),
        detail: message,
        ...(hint === undefined ? {} : { hint }),
        code,
      });
      if (required || error.kind === 'auth') this.block(`“${title}” failed`);
      return undefined;
    }
  }

  #add(id: string, title: string, outcome: Omit<Step, 'id' | 'title' | 'leg' | 'integration'>): void {
    this.#checkup.add({ id, title, ...this.#names, ...outcome });
  }
}
