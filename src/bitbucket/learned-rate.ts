/**
 * What 429 answers tell of a token bucket that nobody described. Between two of them the bucket was empty, filled, and
 * was emptied again: so many requests as were answered meanwhile is what it filled. Times in milliseconds.
 */
export interface LearnedRate {
  /** Undefined: no limit was met yet, or only once. */
  readonly requestsPerSecond: number | undefined;
  /** When the bucket was last seen empty. */
  readonly emptyAtMs: number | undefined;
  /** Answered since then. */
  readonly answered: number;
  /** When the rate was set or last raised. */
  readonly setAtMs: number;
}

export const unknownRate: LearnedRate = {
  requestsPerSecond: undefined,
  emptyAtMs: undefined,
  answered: 0,
  setAtMs: 0,
};

/** 429s this close together are one and the same empty bucket, met by the requests that were under way. */
const sameEventMs = 500;

/** Kept below what was measured, as a measurement may be off by a request. */
const caution = 0.98;

/** A bucket that fills more slowly is none that anybody sets up; so little is seen after a long pause. */
const slowestPerSecond = 0.5;

/** How often a rate that holds is raised, and by how much: it may have been measured too low, or the bucket be larger now. */
const raiseEveryMs = 30_000;
const raiseBy = 1.02;

/** So long after the first 429 one request at a time is made to find the rate: more of them would be refused together. */
const learnForMs = 10_000;

/** The bucket was found empty once, and how fast it fills is not known yet. */
export function isLearning({ emptyAtMs, requestsPerSecond }: LearnedRate, nowMs: number): boolean {
  return emptyAtMs !== undefined && requestsPerSecond === undefined && nowMs - emptyAtMs < learnForMs;
}

export function afterAnswer(state: LearnedRate, nowMs: number): LearnedRate {
  if (state.emptyAtMs === undefined) return state;
  const answered = state.answered + 1;
  const { requestsPerSecond } = state;
  if (requestsPerSecond === undefined || nowMs - state.setAtMs < raiseEveryMs) return { ...state, answered };
  return { ...state, answered, requestsPerSecond: requestsPerSecond * raiseBy, setAtMs: nowMs };
}

export function afterThrottled(state: LearnedRate, nowMs: number): LearnedRate {
  const { emptyAtMs, answered } = state;
  if (emptyAtMs === undefined || answered === 0) return { ...state, emptyAtMs: nowMs, answered: 0 };
  const elapsedMs = nowMs - emptyAtMs;
  if (elapsedMs < sameEventMs) return state;
  const requestsPerSecond = Math.max(slowestPerSecond, (answered / elapsedMs) * 1000 * caution);
  return { requestsPerSecond, emptyAtMs: nowMs, answered: 0, setAtMs: nowMs };
}
