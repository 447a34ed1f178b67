/**
 * What 429 answers tell of a token bucket that nobody described, or that somebody else uses, too.
 *
 * Between two of them the bucket was empty, filled, and was emptied again: so many requests as were answered meanwhile
 * is what it filled, unless it ran over. It runs over where nobody asks, so only a stretch in which requests were held
 * back all the time is a measurement. Of any other the 429 at its end says no more than that the bucket is empty now.
 * Times in milliseconds.
 */
export interface LearnedRate {
  /** Undefined: no limit was met yet, or no stretch has shown how fast the bucket fills. */
  readonly requestsPerSecond: number | undefined;
  /** When the bucket was last seen empty. */
  readonly emptyAtMs: number | undefined;
  /** Answered since then. */
  readonly answered: number;
  /** The part of the time since then in which the bucket may have run over. */
  readonly idleMs: number;
  /** The last answer or 429. */
  readonly lastAtMs: number;
  /** So long requests were held back since the rate was set or last raised. */
  readonly heldMs: number;
  /** Since the rate was measured. */
  readonly raises: number;
}

export const unknownRate: LearnedRate = {
  requestsPerSecond: undefined,
  emptyAtMs: undefined,
  answered: 0,
  idleMs: 0,
  lastAtMs: 0,
  heldMs: 0,
  raises: 0,
};

/** 429s this close together are one and the same empty bucket, met by the requests that were under way. */
const sameEventMs = 500;

/** Kept below what was measured, as a measurement may be off by a request. */
const caution = 0.98;

/** A bucket that fills more slowly is none that anybody sets up; so little is seen after a long pause. */
const slowestPerSecond = 0.5;

/** Beyond it a rate holds nobody back, and need not be raised for ever. */
const fastestPerSecond = 1_000;

/** Between two answers that nobody was held back between, so much is the server's time, and more is nobody asking. */
const idleFromMs = 250;
/** A server that says nothing for so long fills the bucket meanwhile, whoever waits. */
const silentFromMs = 10_000;
/** So little idleness lets no bucket run over that held several requests. */
const idleAllowedMs = 1_000;
const idleAllowedPart = 0.1;

/**
 * A rate that holds is raised: it may have been measured too low, somebody else may have stopped, or the limit be higher
 * now. First by little, as a right one has nothing to gain and the next 429 is the price; then by twice as much each
 * time, so that one that is far too low is mended in minutes: half is made good after three, a tenth after six.
 */
const raiseEveryMs = 30_000;
const firstRaise = 0.02;
const largestRaise = 0.5;

/** So long after the first 429 one request at a time is made to find the rate: more of them would be refused together. */
const learnForMs = 10_000;

/** The bucket was found empty, and how fast it fills is not known yet. */
export function isLearning({ emptyAtMs, requestsPerSecond }: LearnedRate, nowMs: number): boolean {
  return emptyAtMs !== undefined && requestsPerSecond === undefined && nowMs - emptyAtMs < learnForMs;
}

/** @param isHeldBack since the last answer somebody had to wait */
export function afterAnswer(state: LearnedRate, nowMs: number, isHeldBack: boolean): LearnedRate {
  if (state.emptyAtMs === undefined) return state;
  const passed = { ...afterGap(state, nowMs, isHeldBack), answered: state.answered + 1 };
  const { requestsPerSecond, raises } = passed;
  if (requestsPerSecond === undefined || passed.heldMs < raiseEveryMs) return passed;
  const raise = Math.min(largestRaise, firstRaise * 2 ** raises);
  const raised = Math.min(fastestPerSecond, requestsPerSecond * (1 + raise));
  return { ...passed, requestsPerSecond: raised, heldMs: 0, raises: raises + 1 };
}

/**
 * @param isHeldBack since the last answer somebody had to wait
 * @param knownPerSecond what the server says that it allows: a measurement may halve it, or what was measured before, and
 * no more, since it may be a chance of whoever else uses the same bucket
 */
export function afterThrottled(
  state: LearnedRate,
  nowMs: number,
  isHeldBack: boolean,
  knownPerSecond?: number,
): LearnedRate {
  const passed = afterGap(state, nowMs, isHeldBack);
  const { emptyAtMs, answered, idleMs, requestsPerSecond } = passed;
  const emptyNow = { ...passed, emptyAtMs: nowMs, answered: 0, idleMs: 0 };
  if (emptyAtMs === undefined || answered === 0) return emptyNow;
  const elapsedMs = nowMs - emptyAtMs;
  if (elapsedMs < sameEventMs) return state;
  if (idleMs > Math.max(idleAllowedMs, elapsedMs * idleAllowedPart)) return emptyNow;
  const measured = (answered / elapsedMs) * 1_000 * caution;
  const before = Math.min(requestsPerSecond ?? knownPerSecond ?? 0, knownPerSecond ?? Number.POSITIVE_INFINITY);
  const least = Math.max(slowestPerSecond, before / 2);
  return { ...emptyNow, requestsPerSecond: Math.max(least, measured), heldMs: 0, raises: 0 };
}

function afterGap(state: LearnedRate, nowMs: number, isHeldBack: boolean): LearnedRate {
  const gapMs = nowMs - state.lastAtMs;
  // Right after a 429 whoever waits does so for the pause that the server asked for.
  const isPause = state.answered === 0;
  const isIdle = (gapMs > idleFromMs && !isHeldBack) || (gapMs > silentFromMs && !isPause);
  return {
    ...state,
    lastAtMs: nowMs,
    idleMs: state.idleMs + (isIdle ? gapMs : 0),
    heldMs: state.heldMs + (isHeldBack && !isIdle && !isPause ? gapMs : 0),
  };
}
