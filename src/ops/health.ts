import type { Clock } from '../clock.ts';
import type { SatelliteError } from '../errors.ts';

/** Everything that can keep work from going on. Those of `integrationParts` exist once for each integration. */
const processParts = ['sei', 'sei_key', 'disk', 'store_cap', 'scheduler'] as const;
const integrationParts = ['bitbucket', 'bitbucket_requests', 'bitbucket_credentials', 'sei_push'] as const;

export type PartName = (typeof processParts)[number] | (typeof integrationParts)[number];

interface Problem {
  readonly code: string;
  readonly reason: string;
  readonly hint: string | undefined;
}

type Problematic = Pick<SatelliteError, 'code' | 'message' | 'hint'>;

interface PartHealthBase {
  readonly part: PartName;
  readonly integrationId: string | undefined;
  /** Epoch milliseconds: since when it has been in this state. */
  readonly sinceMs: number;
}

/** `unknown`: nothing has shown it either way since the process began, or since what it depends on was changed. */
export type PartHealth = PartHealthBase &
  ({ readonly state: 'ok' | 'unknown' } | { readonly state: 'failing'; readonly problem: Problem });

export interface HealthReport {
  /** The loop turns. No outage of another server changes it. */
  readonly live: boolean;
  /** Work can go on: nothing fails, and SEI has answered. */
  readonly ready: boolean;
  readonly parts: readonly PartHealth[];
}

/** The daemon beats every few seconds; between two daemons (a reload) running jobs have ten seconds to stop. */
const maxSilenceMs = 60_000;

/** So many failures in a row are a failing part; a crawl of a million requests loses one now and then. */
const tolerated: Readonly<Partial<Record<PartName, number>>> = { bitbucket: 3, bitbucket_requests: 3, sei_push: 2 };

interface Evidence {
  health: PartHealth;
  failuresInARow: number;
  lastProblem: Problem | undefined;
  firstFailureMs: number;
  atElapsedMs: number;
}

/**
 * The one model of how the satellite is. Readiness, liveness, metrics, `satellite status` and the page are all made from
 * its report, and whoever does the work tells it what came of it; nothing else is asked.
 *
 * unknown → `worked` → ok → `failed` (as often in a row as is not tolerated) → failing → `worked` → ok. Each part has one
 * kind of evidence, so that no success elsewhere hides a failure. It outlives the daemons of a process.
 */
export class Health {
  readonly #clock: Clock;
  readonly #parts = new Map<string, Evidence>();
  #lastBeatElapsedMs: number;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#lastBeatElapsedMs = clock.elapsedMs();
    for (const part of processParts) this.#add(part, undefined);
  }

  /** Those that are configured now: what is known of those that stay is kept. */
  setIntegrations(integrationIds: readonly string[]): void {
    for (const [key, { health }] of this.#parts) {
      const { integrationId } = health;
      if (integrationId !== undefined && !integrationIds.includes(integrationId)) this.#parts.delete(key);
    }
    for (const integrationId of integrationIds) {
      for (const part of integrationParts) {
        if (!this.#parts.has(keyOf(part, integrationId))) this.#add(part, integrationId);
      }
    }
  }

  worked(part: PartName, integrationId?: string): void {
    const evidence = this.#parts.get(keyOf(part, integrationId));
    if (evidence === undefined) return;
    evidence.failuresInARow = 0;
    evidence.atElapsedMs = this.#clock.elapsedMs();
    if (evidence.health.state !== 'ok') this.#set(evidence, 'ok');
  }

  failed(part: PartName, error: Problematic, integrationId?: string): void {
    this.#fail(part, error, integrationId, 1);
  }

  /** Nothing of this is tolerated. */
  failedForGood(part: PartName, error: Problematic, integrationId?: string): void {
    this.#fail(part, error, integrationId, Number.POSITIVE_INFINITY);
  }

  #fail(part: PartName, error: Problematic, integrationId: string | undefined, times: number): void {
    const evidence = this.#parts.get(keyOf(part, integrationId));
    if (evidence === undefined) return;
    if (evidence.failuresInARow === 0) evidence.firstFailureMs = this.#clock.now();
    evidence.failuresInARow += times;
    evidence.lastProblem = { code: error.code, reason: error.message, hint: error.hint };
    evidence.atElapsedMs = this.#clock.elapsedMs();
    if (evidence.health.state !== 'failing' && evidence.failuresInARow < (tolerated[part] ?? 1)) return;
    this.#setFailing(evidence, evidence.lastProblem);
  }

  /** A failure that nothing good has followed for so long is tolerated no more, however few of them there were. */
  insist(part: PartName, afterMs: number): void {
    for (const evidence of this.#parts.values()) {
      const { health, failuresInARow, lastProblem, atElapsedMs } = evidence;
      if (health.part !== part || health.state === 'failing' || failuresInARow === 0) continue;
      const isOld = this.#clock.elapsedMs() - atElapsedMs >= afterMs;
      if (isOld && lastProblem !== undefined) this.#setFailing(evidence, lastProblem);
    }
  }

  #setFailing(evidence: Evidence, problem: Problem): void {
    const { part, integrationId, state, sinceMs } = evidence.health;
    evidence.health = {
      part,
      integrationId,
      state: 'failing',
      sinceMs: state === 'failing' ? sinceMs : evidence.firstFailureMs,
      problem,
    };
  }

  /** What was known holds no more, because what it depends on was changed or is over. */
  forget(part: PartName, integrationId?: string): void {
    const evidence = this.#parts.get(keyOf(part, integrationId));
    if (evidence === undefined) return;
    evidence.failuresInARow = 0;
    if (evidence.health.state !== 'unknown') this.#set(evidence, 'unknown');
  }

  /** How long nothing has been heard of a part, and whether the last that was heard was a failure. */
  heardOf(part: PartName, integrationId?: string): { readonly agoMs: number; readonly isFailing: boolean } {
    const evidence = this.#parts.get(keyOf(part, integrationId));
    if (evidence === undefined) return { agoMs: Number.POSITIVE_INFINITY, isFailing: false };
    return { agoMs: this.#clock.elapsedMs() - evidence.atElapsedMs, isFailing: evidence.failuresInARow > 0 };
  }

  /** The loop turns. */
  beat(): void {
    this.#lastBeatElapsedMs = this.#clock.elapsedMs();
  }

  report(): HealthReport {
    const parts = [...this.#parts.values()].map(({ health }) => health);
    const live = this.#clock.elapsedMs() - this.#lastBeatElapsedMs < maxSilenceMs;
    return { live, ready: live && parts.every(letsWorkGoOn), parts };
  }

  #add(part: PartName, integrationId: string | undefined): void {
    const health: PartHealth = { part, integrationId, state: 'unknown', sinceMs: this.#clock.now() };
    const atElapsedMs = Number.NEGATIVE_INFINITY;
    this.#parts.set(keyOf(part, integrationId), {
      health,
      failuresInARow: 0,
      lastProblem: undefined,
      firstFailureMs: 0,
      atElapsedMs,
    });
  }

  #set(evidence: Evidence, state: 'ok' | 'unknown'): void {
    const { part, integrationId } = evidence.health;
    evidence.health = { part, integrationId, state, sinceMs: this.#clock.now() };
  }
}

/** Whether SEI takes us is known a moment after the start; whether Bitbucket does, a job has to show. */
function letsWorkGoOn({ part, state }: PartHealth): boolean {
  return state === 'ok' || (state === 'unknown' && part !== 'sei');
}

function keyOf(part: PartName, integrationId: string | undefined): string {
  return integrationId === undefined ? part : `${part} ${integrationId}`;
}
