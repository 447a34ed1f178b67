import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { afterAnswer, afterThrottled, type LearnedRate, unknownRate } from '../../../src/bitbucket/learned-rate.ts';

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
      state = afterAnswer(state, nowMs, true);
    } else {
      seen.throttled++;
      state = afterThrottled(state, nowMs, true);
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
  const first = afterThrottled(unknownRate, 1_000, true);
  const answered = afterAnswer(first, 1_100, true);
  expect(afterThrottled(answered, 1_200, true).requestsPerSecond).toBeUndefined();
  expect(afterThrottled(answered, 2_000, true).requestsPerSecond).toBeCloseTo(0.98);
});

test('without any 429 there is nothing to learn', () => {
  expect(afterAnswer(unknownRate, 5, true)).toBe(unknownRate);
});

/** So many answers, so many milliseconds after each other. */
function answers(state: LearnedRate, count: number, everyMs: number, isHeldBack: boolean): LearnedRate {
  let next = state;
  for (let n = 0; n < count; n++) next = afterAnswer(next, next.lastAtMs + everyMs, isHeldBack);
  return next;
}
const busy = (count: number, everyMs = 200) => ({ count, everyMs, isHeldBack: true });
const calm = (count: number, everyMs = 200) => ({ count, everyMs, isHeldBack: false });
const hourMs = 3_600_000;

describe('a 429 at the end of', () => {
  test.each([
    ['a busy minute is a measurement', [busy(300)], undefined, undefined, 4.9],
    ['a busy minute with a moment of calm, too', [busy(200), calm(2, 500), busy(95)], undefined, undefined, 4.83],
    [
      'an idle hour and a burst says nothing',
      [busy(20), calm(1, hourMs), busy(60, 20)],
      undefined,
      undefined,
      undefined,
    ],
    ['an idle hour and a burst leaves what is known', [calm(1, hourMs), busy(60, 20)], 4.9, undefined, 4.9],
    ['an hour of little use and a burst says nothing', [calm(3_600, 1_000), busy(60, 20)], 4.9, undefined, 4.9],
    ['a silence of the server says nothing', [busy(20), busy(1, 60_000), busy(20)], 4.9, undefined, 4.9],
    ['what somebody else used halves what was learned at most', [busy(60, 1_000)], 4.9, undefined, 2.45],
    ['what somebody else used halves what is known at most', [busy(60, 1_000)], undefined, 5, 2.5],
    ['what somebody else used in part', [busy(60, 300)], undefined, 5, 3.27],
    ['a rate beyond all measure', [busy(10, 4_000)], undefined, undefined, 0.5],
  ] as const)('%s', (_name, stretches, learned, known, expected) => {
    let state: LearnedRate = { ...afterThrottled(unknownRate, 1_000, true), requestsPerSecond: learned };
    // The pause is over, and whoever was refused is answered.
    state = afterAnswer(state, 1_200, true);
    for (const { count, everyMs, isHeldBack } of stretches) state = answers(state, count, everyMs, isHeldBack);
    const { requestsPerSecond } = { ...state, requestsPerSecond: learned };
    const met = afterThrottled({ ...state, requestsPerSecond }, state.lastAtMs + 200, true, known);
    if (expected === undefined) expect(met.requestsPerSecond).toBeUndefined();
    else expect(met.requestsPerSecond).toBeCloseTo(expected, 1);
    expect(met).toMatchObject({ answered: 0, emptyAtMs: state.lastAtMs + 200 });
  });
});

describe('a rate that holds', () => {
  const halved: LearnedRate = { ...unknownRate, emptyAtMs: 0, requestsPerSecond: 2.5 };
  const at = (seconds: number, isHeldBack = true) => answers(halved, seconds * 5, 200, isHeldBack).requestsPerSecond;

  test('is tried a little higher after half a minute, and twice as much each time', () => {
    expect(at(29)).toBe(2.5);
    expect(at(31)).toBeCloseTo(2.5 * 1.02);
    expect(at(62)).toBeCloseTo(2.5 * 1.02 * 1.04);
  });

  test('is no longer half of what it may be after four minutes, nor a tenth after eight', () => {
    expect(at(240)).toBeGreaterThan(5);
    expect(at(480)).toBeGreaterThan(25);
  });

  test('is not raised while nobody is held back by it, nor ever beyond all measure', () => {
    expect(answers(halved, 100, 1_000, false).requestsPerSecond).toBe(2.5);
    expect(at(86_400)).toBe(1_000);
  });
});
