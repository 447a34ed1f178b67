import { afterAll, afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { usableLimit } from '../../../src/bitbucket/allowed-rate.ts';
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
  readonly refusals: number;
  /** So often a 429 came after something had been answered since the last one: no more than one is owed to each. */
  readonly drained: number;
  /** 429s before anything was answered again, of requests that were sent when the one before them had come back. */
  readonly repeated: number;
  readonly seconds: number;
}

/** So many requests through the gate to a server with a bucket, as the client makes them (`client.ts`). */
async function meet(
  gate: Gate,
  bucket: { capacity: number; refillPerSecond: number; retryAfter?: boolean },
  requests: number,
): Promise<Met> {
  const limiter = new RateLimiter(bucket);
  const random = seededRandom(7);
  const met = { refusals: 0, drained: 0, repeated: 0 };
  let isDrained = false;
  let knownAtMs = Number.POSITIVE_INFINITY;
  const beganAtMs = performance.now();
  let left = requests;
  let endedAtMs = beganAtMs;
  const ask = async (throttles: number) => {
    const askedAtMs = performance.now();
    await new Promise((resolve) => setTimeout(resolve, 10 + random.below(20)));
    const answer = limiter.refuse('ada', performance.now());
    if (answer === undefined) isDrained = false;
    else {
      met.refusals++;
      if (!isDrained) met.drained++;
      else if (askedAtMs >= knownAtMs) met.repeated++;
      if (!isDrained) knownAtMs = Number.POSITIVE_INFINITY;
      isDrained = true;
    }
    await new Promise((resolve) => setTimeout(resolve, 10 + random.below(20)));
    if (answer === undefined) {
      gate.answered(performance.now() - askedAtMs, performance.now());
      return true;
    }
    knownAtMs = Math.min(knownAtMs, performance.now());
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
  return { ...met, seconds: (endedAtMs - beganAtMs) / 1_000 };
}

const buckets = [
  { capacity: 60, refillPerSecond: 5 },
  { capacity: 60, refillPerSecond: 5, retryAfter: true },
  { capacity: 250, refillPerSecond: 50 },
  { capacity: 10, refillPerSecond: 10 },
];

/** Of all that the bucket had to give, what it was full of included. */
function part({ capacity, refillPerSecond }: (typeof buckets)[number], requests: number, seconds: number): number {
  return (requests - capacity) / refillPerSecond / seconds;
}

function limitOf({ capacity, refillPerSecond }: (typeof buckets)[number]) {
  return usableLimit({ settings: { capacity, fillRate: refillPerSecond } });
}

describe('ten thousand requests to a bucket of', () => {
  const maxInFlight = 4;

  const figures: string[] = [];
  afterAll(() => {
    if (process.env.FIGURES !== undefined) process.stdout.write(`${figures.join('\n')}\n`);
  });

  test.each(buckets)(
    '$capacity and $refillPerSecond/s that is known: no 429, and nearly all that it gives',
    async (bucket) => {
      const gate = new Gate({ maxInFlight });
      gate.limitTo(limitOf(bucket));
      const { refusals, seconds } = await meet(gate, bucket, 10_000);
      figures.push(`known ${JSON.stringify(bucket)}: ${refusals} × 429, ${part(bucket, 10_000, seconds).toFixed(3)}`);
      expect(refusals).toBe(0);
      expect(part(bucket, 10_000, seconds)).toBeGreaterThan(0.95);
    },
    120_000,
  );

  // Those that are in flight are refused together with the first, mostly the first time: nobody can know before.
  test.each(buckets)(
    '$capacity and $refillPerSecond/s that is not: one 429 each time that it is empty',
    async (bucket) => {
      const { refusals, drained, repeated, seconds } = await meet(new Gate({ maxInFlight }), bucket, 10_000);
      const attained = part(bucket, 10_000, seconds).toFixed(3);
      figures.push(`unknown ${JSON.stringify(bucket)}: ${refusals} × 429, drained ${drained} times, ${attained}`);
      expect(repeated).toBe(0);
      expect(refusals - drained).toBeLessThan(maxInFlight);
      expect(refusals).toBeLessThan(40);
      expect(part(bucket, 10_000, seconds)).toBeGreaterThan(0.95);
    },
    120_000,
  );
});

describe('a bucket of 60 and 5/s that is known', () => {
  const bucket = { capacity: 60, refillPerSecond: 5 };

  test('gives a small scan all at once, when the process has run for a while', async () => {
    const gate = new Gate({ maxInFlight: 4 });
    await jest.advanceTimersByTimeAsync(60_000);
    gate.limitTo(limitOf(bucket));
    const { refusals, seconds } = await meet(gate, bucket, 50);
    expect(refusals).toBe(0);
    expect(seconds).toBeLessThan(1);
  });

  test('gives none to a process that has just started: the one before may have emptied it', async () => {
    const gate = new Gate({ maxInFlight: 4 });
    gate.limitTo(limitOf(bucket));
    const { seconds } = await meet(gate, bucket, 20);
    expect(seconds).toBeGreaterThan(3);
  });

  test('counts what was asked before it was known', async () => {
    const gate = new Gate({ maxInFlight: 4 });
    await jest.advanceTimersByTimeAsync(60_000);
    const { seconds: before } = await meet(gate, bucket, 40);
    gate.limitTo(limitOf(bucket));
    expect(before).toBeLessThan(1);
    expect((await meet(gate, bucket, 34)).seconds).toBeGreaterThan(3);
  });
});
