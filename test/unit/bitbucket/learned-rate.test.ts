import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { afterAnswer, afterThrottled, unknownRate } from '../../../src/bitbucket/learned-rate.ts';

/** A token bucket met by somebody who asks `perSecond` times a second, or as fast as was learned. */
function meet(bucket: { capacity: number; refillPerSecond: number }, perSecond: number, seconds: number) {
  let state = unknownRate;
  let tokens = bucket.capacity;
  let nowMs = 0;
  let pausedUntilMs = 0;
  const seen = { answered: 0, throttled: 0 };
  while (nowMs < seconds * 1000) {
    const stepMs = 1000 / Math.min(perSecond, state.requestsPerSecond ?? perSecond);
    const nextMs = Math.max(nowMs + stepMs, pausedUntilMs);
    tokens = Math.min(bucket.capacity, tokens + ((nextMs - nowMs) / 1000) * bucket.refillPerSecond);
    nowMs = nextMs;
    if (tokens >= 1) {
      tokens--;
      seen.answered++;
      state = afterAnswer(state, nowMs);
    } else {
      seen.throttled++;
      state = afterThrottled(state, nowMs);
      pausedUntilMs = nowMs + 1_000;
    }
  }
  return { ...seen, state };
}

test('the rate of a bucket that nobody described is found and used, with a 429 now and then', () => {
  // Bitbucket's own is 60 at once and 5 a second; one that overflows during a pause shows less than it gives.
  const bucket = fc
    .record({ burstSeconds: fc.integer({ min: 2, max: 20 }), refillPerSecond: fc.integer({ min: 1, max: 50 }) })
    .map(({ burstSeconds, refillPerSecond }) => ({ capacity: burstSeconds * refillPerSecond, refillPerSecond }));
  fc.assert(
    fc.property(bucket, ({ capacity, refillPerSecond }) => {
      const seconds = 2_000;
      const { answered, throttled } = meet({ capacity, refillPerSecond }, 200, seconds);
      const attainable = capacity + refillPerSecond * seconds;
      expect(answered / attainable).toBeGreaterThan(0.9);
      expect(throttled).toBeLessThan(seconds / 20);
    }),
    { numRuns: 50 },
  );
});

test('several 429s at once are one empty bucket', () => {
  const first = afterThrottled(unknownRate, 1_000);
  const answered = afterAnswer(first, 1_100);
  expect(afterThrottled(answered, 1_200).requestsPerSecond).toBeUndefined();
  expect(afterThrottled(answered, 2_000).requestsPerSecond).toBeCloseTo(0.98);
});

test('without any 429 there is nothing to learn', () => {
  expect(afterAnswer(unknownRate, 5)).toBe(unknownRate);
});
