import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { Gate } from '../../../src/bitbucket/gate.ts';
import { RateLimiter } from '../../simulators/bitbucket/rate-limiter.ts';
import { seededRandom } from '../../simulators/git/random.ts';

beforeEach(() => {
  jest.useFakeTimers({ now: Date.UTC(2026, 0, 1), doNotFake: ['queueMicrotask', 'nextTick', 'setImmediate'] });
});
afterEach(() => {
  jest.useRealTimers();
});

interface Met {
  /** When a 429 came, in milliseconds from the beginning. */
  readonly refusals: readonly number[];
  /** 429s of requests that were in flight together are one drained bucket. */
  readonly events: number;
  readonly perSecond: number;
}

/** So many requests through the gate to a server with a bucket, as the client makes them (`client.ts`). */
async function meet(
  gate: Gate,
  bucket: { capacity: number; refillPerSecond: number; retryAfter?: boolean },
  requests: number,
): Promise<Met> {
  const limiter = new RateLimiter(bucket);
  const random = seededRandom(7);
  const refusals: number[] = [];
  const beganAtMs = performance.now();
  let left = requests;
  let endedAtMs = beganAtMs;
  const ask = async (throttles: number) => {
    const askedAtMs = performance.now();
    await new Promise((resolve) => setTimeout(resolve, 10 + random.below(20)));
    const answer = limiter.refuse('ada', performance.now());
    await new Promise((resolve) => setTimeout(resolve, 10 + random.below(20)));
    if (answer === undefined) {
      gate.answered(performance.now() - askedAtMs, performance.now());
      return true;
    }
    refusals.push(performance.now() - beganAtMs);
    const seconds = Number(answer.headers?.['Retry-After'] ?? 0);
    const backOffMs = Math.min(60_000, 1_000 * 2 ** (throttles - 1)) * (random.below(1_000) / 1_000);
    gate.throttled(Math.max(backOffMs, seconds * 1_000), performance.now());
    return false;
  };
  const worker = async () => {
    while (left > 0) {
      left--;
      for (let throttles = 1; !(await gate.run(() => ask(throttles))); throttles++);
      endedAtMs = performance.now();
    }
  };
  // More than have room, as the crawl asks.
  const done = Promise.all(Array.from({ length: 20 }, worker));
  await jest.runAllTimersAsync();
  await done;
  gate.close();
  const events = refusals.filter((at, index) => at - (refusals[index - 1] ?? Number.NEGATIVE_INFINITY) >= 100);
  return { refusals, events: events.length, perSecond: requests / ((endedAtMs - beganAtMs) / 1_000) };
}

const buckets = [
  { capacity: 60, refillPerSecond: 5 },
  { capacity: 60, refillPerSecond: 5, retryAfter: true },
  { capacity: 250, refillPerSecond: 50 },
  { capacity: 10, refillPerSecond: 10 },
];

describe('ten thousand requests to a bucket of', () => {
  const maxInFlight = 4;

  test.each(buckets)(
    '$capacity and $refillPerSecond/s that is known: no 429, and nearly all that it gives',
    async (bucket) => {
      const gate = new Gate({ maxInFlight });
      gate.limitTo(bucket.refillPerSecond);
      const { refusals, perSecond } = await meet(gate, bucket, 10_000);
      expect(refusals).toEqual([]);
      expect(perSecond / bucket.refillPerSecond).toBeGreaterThan(0.95);
    },
    120_000,
  );

  // The first time, those that are in flight are refused together with the first: nobody can know before.
  test.each(buckets)(
    '$capacity and $refillPerSecond/s that is not: one 429 each time that it is empty',
    async (bucket) => {
      const { refusals, events, perSecond } = await meet(new Gate({ maxInFlight }), bucket, 10_000);
      expect(refusals.length).toBeLessThanOrEqual(events + maxInFlight - 1);
      expect(refusals.length).toBeLessThan(40);
      expect(perSecond / bucket.refillPerSecond).toBeGreaterThan(0.95);
    },
    120_000,
  );
});
