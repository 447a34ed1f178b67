/** How many requests a server gets at a time, and why. Times in milliseconds. */
export interface InFlightLimit {
  readonly limit: number;
  readonly maxInFlight: number;
  /** Moving average of how long answers take. */
  readonly latencyMs: number | undefined;
  /** The lowest average of late: what the server does when it is at ease. */
  readonly floorMs: number | undefined;
  /** Answers since the limit was last lowered; so many requests were let in before it was. */
  readonly answersSinceLowered: number;
}

export type Outcome = { readonly kind: 'answered'; readonly latencyMs: number } | { readonly kind: 'overloaded' };

/** Weight of the newest answer: about the last twenty count. */
const newest = 0.1;

/** An average above this many floors is a server that struggles; small latencies vary by that much on their own. */
const climbFactor = 4;
const climbAtLeastMs = 250;

/** The floor creeps up, so that a server that has become slower for good is not throttled for ever. */
const floorCreep = 1.002;

export function newInFlightLimit(maxInFlight: number): InFlightLimit {
  return {
    limit: maxInFlight,
    maxInFlight,
    latencyMs: undefined,
    floorMs: undefined,
    answersSinceLowered: 0,
  };
}

/**
 * Additive increase, multiplicative decrease: one more place for every `limit` answers, half of them when the server
 * says 429 or 503 or when its latency climbs well over its floor. After a decrease the answers that were under way then
 * are waited for, so that one event halves the limit once.
 */
export function nextInFlightLimit(state: InFlightLimit, outcome: Outcome): InFlightLimit {
  if (outcome.kind === 'overloaded') return state.answersSinceLowered < state.limit ? counted(state) : lowered(state);
  const latencyMs =
    state.latencyMs === undefined
      ? outcome.latencyMs
      : state.latencyMs + newest * (outcome.latencyMs - state.latencyMs);
  const floorMs = Math.min(latencyMs, (state.floorMs ?? latencyMs) * floorCreep);
  const measured = counted({ ...state, latencyMs, floorMs });
  if (latencyMs > climbFactor * floorMs && latencyMs > climbAtLeastMs) {
    return measured.answersSinceLowered > 2 * state.maxInFlight ? lowered(measured) : measured;
  }
  return { ...measured, limit: Math.min(state.maxInFlight, state.limit + 1 / state.limit) };
}

/** Whole places. */
export function placesOf({ limit }: InFlightLimit): number {
  return Math.max(1, Math.floor(limit));
}

function counted(state: InFlightLimit): InFlightLimit {
  return { ...state, answersSinceLowered: state.answersSinceLowered + 1 };
}

function lowered(state: InFlightLimit): InFlightLimit {
  return { ...state, limit: Math.max(1, state.limit / 2), answersSinceLowered: 0 };
}
