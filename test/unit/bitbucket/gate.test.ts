import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import fc from 'fast-check';
import { Gate, type GateOptions } from '../../../src/bitbucket/gate.ts';
import { turnDelayMs } from '../../../src/bitbucket/pace.ts';

// p-queue measures its window with Date and timers: faked, a minute of requests takes a moment.
beforeEach(() => {
  jest.useFakeTimers({ now: Date.UTC(2026, 0, 1), doNotFake: ['queueMicrotask', 'nextTick', 'setImmediate'] });
});
afterEach(() => {
  jest.useRealTimers();
});

interface Arrival {
  /** After the one before. */
  readonly afterMs: number;
  readonly takesMs: number;
}

interface Recorded {
  readonly starts: number[];
  readonly mostInFlight: number;
}

/** Sends the requests through a gate and notes when each was let in. */
async function record(options: GateOptions, arrivals: readonly Arrival[]): Promise<Recorded> {
  const gate = new Gate(options);
  const starts: number[] = [];
  let inFlight = 0;
  let mostInFlight = 0;
  const runs: Promise<void>[] = [];
  for (const { afterMs, takesMs } of arrivals) {
    await jest.advanceTimersByTimeAsync(afterMs);
    const run = gate.run(async () => {
      starts.push(Date.now());
      inFlight++;
      mostInFlight = Math.max(mostInFlight, inFlight);
      await new Promise((resolve) => setTimeout(resolve, takesMs));
      inFlight--;
    });
    runs.push(run);
  }
  await jest.runAllTimersAsync();
  await Promise.all(runs);
  return { starts, mostInFlight };
}

/** The most that started within any stretch of `ms`. */
function mostStartsWithin(ms: number, starts: readonly number[]): number {
  return Math.max(...starts.map((from) => starts.filter((at) => at >= from && at < from + ms).length));
}

describe('what takes hours', () => {
  test.each([
    ['leaves the others one place, where few are left', 4, 1, 2],
    ['and one more', 4, 2, 3],
    ['but never more than are configured', 2, 2, 2],
    ['so that a single one keeps all others waiting', 1, 1, 1],
  ])('%s', async (_name, maxInFlight, long, most) => {
    const gate = new Gate({ maxInFlight });
    const over = Promise.withResolvers<void>();
    const clones = Array.from({ length: long }, () =>
      gate.run(async () => {
        const end = gate.beginLong();
        await over.promise;
        end();
      }),
    );
    await jest.advanceTimersByTimeAsync(0);
    gate.throttled(10, 0);
    await jest.advanceTimersByTimeAsync(5_000);
    expect(gate.places).toBe(most);
    let isAnswered = false;
    const other = gate.run(async () => {
      isAnswered = true;
    });
    await jest.advanceTimersByTimeAsync(5_000);
    expect(isAnswered).toBe(most > long);
    over.resolve();
    await jest.advanceTimersByTimeAsync(5_000);
    await Promise.all([...clones, other]);
    expect(gate.places).toBe(1);
  });
});

describe('the turn of the next request', () => {
  test.each([
    ['nobody has started', [], 2, 10_000, 0],
    ['fewer have started than the rate allows', [9_900], 2, 10_000, 0],
    ['as many have: a second after the first of them', [9_300, 9_900], 2, 10_000, 300],
    ['those before do not count', [8_000, 9_300, 9_900], 2, 10_000, 300],
    ['the window is just over', [9_000, 9_900], 2, 10_000, 0],
    ['the rate is no whole number: one in two thirds of a second', [9_900], 1.5, 10_000, 567],
    ['the rate is below one: one in four seconds', [9_900], 0.25, 10_000, 3_900],
  ])('%s', (_name, starts, requestsPerSecond, nowMs, expected) => {
    expect(turnDelayMs(starts, requestsPerSecond, nowMs)).toBe(expected);
  });
});

describe('the rate', () => {
  test('no second of any position sees more starts than allowed, and none is lost', async () => {
    const arrivals = fc.array(fc.record({ afterMs: fc.nat(400), takesMs: fc.nat(300) }), {
      minLength: 1,
      maxLength: 40,
    });
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 6 }), arrivals, async (requestsPerSecond, requests) => {
        const { starts } = await record({ maxInFlight: 100, requestsPerSecond }, requests);
        expect(starts).toHaveLength(requests.length);
        expect(mostStartsWithin(1_000, starts)).toBeLessThanOrEqual(requestsPerSecond);
      }),
      { numRuns: 100 },
    );
  });

  test('a window that slides does not let twice the rate in around its edge', async () => {
    const burst = (afterMs: number) => [{ afterMs, takesMs: 1 }, ...Array(3).fill({ afterMs: 0, takesMs: 1 })];
    const { starts } = await record({ maxInFlight: 100, requestsPerSecond: 4 }, [
      { afterMs: 0, takesMs: 1 },
      ...burst(900),
      ...burst(200),
    ]);
    expect(mostStartsWithin(1_000, starts)).toBe(4);
  });

  test('the rate is used: ten requests at five a second are in after a second', async () => {
    const { starts } = await record(
      { maxInFlight: 100, requestsPerSecond: 5 },
      Array(10).fill({ afterMs: 0, takesMs: 1 }),
    );
    expect((starts.at(-1) ?? 0) - (starts[0] ?? 0)).toBeLessThanOrEqual(1_100);
  });

  test('below one a second the window widens', async () => {
    const { starts } = await record(
      { maxInFlight: 100, requestsPerSecond: 0.25 },
      Array(3).fill({ afterMs: 0, takesMs: 1 }),
    );
    expect(mostStartsWithin(4_000, starts)).toBe(1);
    expect((starts[2] ?? 0) - (starts[0] ?? 0)).toBeLessThanOrEqual(8_100);
  });

  test('a rate between two whole numbers is not rounded up', async () => {
    const { starts } = await record(
      { maxInFlight: 100, requestsPerSecond: 1.5 },
      Array(31).fill({ afterMs: 0, takesMs: 1 }),
    );
    expect((starts.at(-1) ?? 0) - (starts[0] ?? 0)).toBeGreaterThanOrEqual(20_000);
  });

  test('without one, whoever finds room is let in at once', async () => {
    const { starts } = await record({ maxInFlight: 100 }, Array(50).fill({ afterMs: 0, takesMs: 1 }));
    expect(new Set(starts).size).toBe(1);
  });
});

test('there are never more in flight than allowed, and as many as that', async () => {
  const takesMs = fc.array(fc.integer({ min: 1, max: 500 }), { minLength: 6, maxLength: 30 });
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 1, max: 6 }), takesMs, async (maxInFlight, durations) => {
      const { mostInFlight } = await record(
        { maxInFlight },
        durations.map((ms) => ({ afterMs: 0, takesMs: ms })),
      );
      expect(mostInFlight).toBe(maxInFlight);
    }),
    { numRuns: 50 },
  );
});

test('one that fails gives its place back', async () => {
  const gate = new Gate({ maxInFlight: 1 });
  await expect(gate.run(() => Promise.reject(new Error('refused')))).rejects.toThrow('refused');
  await expect(gate.run(async () => 'in')).resolves.toBe('in');
  expect(gate.inFlight).toBe(0);
});

test('whoever stops waiting does not start, and nobody waits behind it', async () => {
  const gate = new Gate({ maxInFlight: 1 });
  const abort = new AbortController();
  let started = false;
  const first = gate.run(() => new Promise<void>((resolve) => setTimeout(resolve, 10)));
  const second = gate.run(async () => {
    started = true;
  }, abort.signal);
  expect(gate.waiting).toBe(1);
  abort.abort(new Error('stopping'));
  await expect(second).rejects.toThrow('stopping');
  expect(gate.waiting).toBe(0);
  await jest.runAllTimersAsync();
  await first;
  expect(started).toBe(false);
});

test('whoever stops waiting for its turn leaves it to the next', async () => {
  const gate = new Gate({ maxInFlight: 100, requestsPerSecond: 1 });
  const abort = new AbortController();
  const startedAtMs = (signal?: AbortSignal) => gate.run(async () => Date.now(), signal);
  const first = await startedAtMs();
  const given = startedAtMs(abort.signal);
  const next = startedAtMs();
  await jest.advanceTimersByTimeAsync(500);
  abort.abort(new Error('stopping'));
  await expect(given).rejects.toThrow('stopping');
  await jest.runAllTimersAsync();
  expect((await next) - first).toBe(1_000);
});

describe('a pause', () => {
  /** How long after now a request is let in. */
  async function waitOf(gate: Gate): Promise<number> {
    const askedAtMs = Date.now();
    const startedAtMs = gate.run(async () => Date.now());
    await jest.runAllTimersAsync();
    return (await startedAtMs) - askedAtMs;
  }

  test('lets nobody in until it is over', async () => {
    const gate = new Gate({ maxInFlight: 4 });
    gate.pause(5_000, Date.now());
    expect(await waitOf(gate)).toBe(5_000);
    expect(await waitOf(gate)).toBe(0);
  });

  test('does not touch what is in flight', async () => {
    const gate = new Gate({ maxInFlight: 4 });
    const running = gate.run(async () => {
      await new Promise((resolve) => setTimeout(resolve, 100));
      return Date.now();
    });
    const askedAtMs = Date.now();
    gate.pause(5_000, Date.now());
    await jest.runAllTimersAsync();
    expect((await running) - askedAtMs).toBe(100);
  });

  test('that is longer prolongs one under way', async () => {
    const gate = new Gate({ maxInFlight: 4 });
    gate.pause(2_000, Date.now());
    await jest.advanceTimersByTimeAsync(1_000);
    gate.pause(3_000, Date.now());
    expect(await waitOf(gate)).toBe(3_000);
  });

  test('that is shorter does not shorten one under way', async () => {
    const gate = new Gate({ maxInFlight: 4 });
    gate.pause(5_000, Date.now());
    gate.pause(1_000, Date.now());
    expect(await waitOf(gate)).toBe(5_000);
  });

  test('counts after an earlier one that is over, even when the wall clock was set back meanwhile', async () => {
    const gate = new Gate({ maxInFlight: 4 });
    gate.pause(5_000, Date.now());
    await jest.advanceTimersByTimeAsync(5_000);
    gate.pause(2_000, Date.now() - 3_600_000);
    expect(await waitOf(gate)).toBe(2_000);
  });

  test('does not let a burst through when it is over', async () => {
    const gate = new Gate({ maxInFlight: 100, requestsPerSecond: 3 });
    gate.pause(2_500, Date.now());
    const starts: number[] = [];
    const runs = Array.from({ length: 9 }, () => gate.run(async () => void starts.push(Date.now())));
    await jest.runAllTimersAsync();
    await Promise.all(runs);
    expect(mostStartsWithin(1_000, starts)).toBe(3);
  });
});

describe('a rate that changes', () => {
  /** Sends so many requests at once; the moments at which they were let in. */
  function send(gate: Gate, count: number) {
    const starts: number[] = [];
    const runs = Array.from({ length: count }, () => gate.run(async () => void starts.push(Date.now())));
    return { starts, ended: Promise.all(runs) };
  }

  test('while a pause is under way leaves nobody behind', async () => {
    const gate = new Gate({ maxInFlight: 100, requestsPerSecond: 2 });
    const { starts, ended } = send(gate, 8);
    await jest.advanceTimersByTimeAsync(100);
    gate.throttled(5_000, Date.now());
    gate.keepTo({ maxInFlight: 100, requestsPerSecond: 1 });
    gate.limitTo({ capacity: 2, requestsPerSecond: 3 });
    await jest.runAllTimersAsync();
    expect(starts).toHaveLength(8);
    await ended;
  });

  test('lets nobody in during a pause who was waiting before', async () => {
    const gate = new Gate({ maxInFlight: 100, requestsPerSecond: 2 });
    const { starts, ended } = send(gate, 8);
    await jest.advanceTimersByTimeAsync(100);
    gate.keepTo({ maxInFlight: 100, requestsPerSecond: 1 });
    gate.pause(5_000, Date.now());
    const pausedAtMs = Date.now();
    await jest.runAllTimersAsync();
    expect(starts.filter((at) => at > pausedAtMs && at < pausedAtMs + 5_000)).toEqual([]);
    expect(starts).toHaveLength(8);
    await ended;
  });

  test('by what 429s show, holds for those who wait already', async () => {
    const gate = new Gate({ maxInFlight: 100 });
    gate.throttled(0, Date.now());
    const under = send(gate, 5);
    await jest.advanceTimersByTimeAsync(800);
    for (let n = 0; n < 5; n++) {
      await jest.advanceTimersByTimeAsync(200);
      gate.answered(10, Date.now());
    }
    await under.ended;
    gate.throttled(0, Date.now());
    expect(gate.requestsPerSecond).toBeCloseTo((5 / 1.8) * 0.98, 1);
    const { starts, ended } = send(gate, 6);
    await jest.runAllTimersAsync();
    await ended;
    // Two have come together during the pause.
    expect(mostStartsWithin(1_000, starts)).toBe(4);
    expect((starts.at(-1) ?? 0) - (starts[0] ?? 0)).toBeGreaterThan(1_000);
  });

  test('to none lets everybody in', async () => {
    await jest.advanceTimersByTimeAsync(60_000);
    const gate = new Gate({ maxInFlight: 100 });
    gate.limitTo({ capacity: 1, requestsPerSecond: 1 });
    const { starts, ended } = send(gate, 5);
    await jest.advanceTimersByTimeAsync(10);
    expect(starts).toHaveLength(1);
    gate.limitTo(undefined);
    const later = send(gate, 5);
    await jest.advanceTimersByTimeAsync(10);
    expect(later.starts).toHaveLength(5);
    await jest.runAllTimersAsync();
    await Promise.all([ended, later.ended]);
  });

  test('never lets more in within a second than the highest rate that held in it, and forgets nobody', async () => {
    const step = fc.oneof(
      fc.record({ send: fc.integer({ min: 1, max: 8 }) }),
      fc.record({ waitMs: fc.integer({ min: 1, max: 2_500 }) }),
      fc.record({ keepTo: fc.constantFrom(1, 2, 3, 5) }),
      fc.record({ pauseMs: fc.integer({ min: 1, max: 2_000 }) }),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 3, maxLength: 25 }), async (steps) => {
        const gate = new Gate({ maxInFlight: 100, requestsPerSecond: 5 });
        const rates = [{ fromMs: Date.now(), perSecond: 5 }];
        const runs: ReturnType<typeof send>[] = [];
        for (const action of steps) {
          if ('send' in action) runs.push(send(gate, action.send));
          else if ('waitMs' in action) await jest.advanceTimersByTimeAsync(action.waitMs);
          else if ('pauseMs' in action) gate.pause(action.pauseMs, Date.now());
          else {
            gate.keepTo({ maxInFlight: 100, requestsPerSecond: action.keepTo });
            rates.push({ fromMs: Date.now(), perSecond: action.keepTo });
          }
        }
        await jest.runAllTimersAsync();
        await Promise.all(runs.map(({ ended }) => ended));
        const starts = runs.flatMap((run) => run.starts).sort((a, b) => a - b);
        for (const from of starts) {
          const inForce = rates.filter(({ fromMs }, index) => {
            const untilMs = rates[index + 1]?.fromMs ?? Number.POSITIVE_INFINITY;
            return fromMs < from + 1_000 && untilMs >= from;
          });
          const most = Math.max(...inForce.map(({ perSecond }) => perSecond));
          expect(starts.filter((at) => at >= from && at < from + 1_000).length).toBeLessThanOrEqual(most);
        }
        gate.close();
      }),
      { numRuns: 100 },
    );
  });
});

test('a bucket lets no stretch see more than it holds and what fills it meanwhile', async () => {
  const limit = fc.record({
    capacity: fc.integer({ min: 1, max: 20 }),
    requestsPerSecond: fc.double({ min: 0.5, max: 10, noNaN: true }),
  });
  const arrivals = fc.array(fc.record({ afterMs: fc.nat(3_000), count: fc.integer({ min: 1, max: 12 }) }), {
    minLength: 1,
    maxLength: 10,
  });
  await fc.assert(
    fc.asyncProperty(limit, arrivals, async ({ capacity, requestsPerSecond }, bursts) => {
      const gate = new Gate({ maxInFlight: 100 });
      gate.limitTo({ capacity, requestsPerSecond });
      const starts: number[] = [];
      const runs: Promise<void>[] = [];
      for (const { afterMs, count } of bursts) {
        await jest.advanceTimersByTimeAsync(afterMs);
        for (let n = 0; n < count; n++) runs.push(gate.run(async () => void starts.push(performance.now())));
      }
      await jest.runAllTimersAsync();
      await Promise.all(runs);
      expect(starts).toHaveLength(bursts.reduce((sum, { count }) => sum + count, 0));
      starts.forEach((from, first) => {
        starts.slice(first).forEach((to, more) => {
          const given = capacity + ((to - from) / 1_000) * requestsPerSecond;
          expect(more + 1).toBeLessThanOrEqual(given + 1e-3);
        });
      });
    }),
    { numRuns: 100 },
  );
});

describe('what is configured', () => {
  test('may become stricter while requests are under way and others wait', async () => {
    const gate = new Gate({ maxInFlight: 8 });
    const run = () => gate.run(() => new Promise<void>((resolve) => setTimeout(resolve, 1_000)));
    const runs = Array.from({ length: 16 }, run);
    gate.keepTo({ maxInFlight: 2 });
    await jest.advanceTimersByTimeAsync(1_500);
    expect(gate.inFlight).toBe(2);
    for (let n = 0; n < 100; n++) gate.answered(10, Date.now());
    expect(gate.places).toBe(2);
    await jest.runAllTimersAsync();
    await Promise.all(runs);
  });
});

describe('a 429', () => {
  test.each([
    ['a second where nothing is known of the bucket', undefined, 0, 1_000],
    ['what it takes to fill by two where it is', { capacity: 60, requestsPerSecond: 5 }, 0, 500],
    ['what was asked for, where that is longer', { capacity: 60, requestsPerSecond: 5 }, 3_000, 3_000],
  ])('closes the gate for %s', async (_name, limit, pauseMs, expected) => {
    const gate = new Gate({ maxInFlight: 4 });
    gate.limitTo(limit);
    expect(gate.throttled(pauseMs, performance.now())).toBe(expected);
    const askedAtMs = performance.now();
    const started = gate.run(async () => performance.now());
    await jest.runAllTimersAsync();
    expect((await started) - askedAtMs).toBe(expected);
  });
});

describe('the places', () => {
  test('are fewer after the server was overloaded, and as many again when it answers', async () => {
    const gate = new Gate({ maxInFlight: 8 });
    for (let n = 0; n < 10; n++) gate.answered(10, Date.now());
    gate.overloaded(Date.now());
    expect(gate.places).toBe(4);
    for (let n = 0; n < 200; n++) gate.answered(10, Date.now());
    expect(gate.places).toBe(8);
  });

  test('never become none, nor more than configured', async () => {
    const gate = new Gate({ maxInFlight: 3 });
    for (let n = 0; n < 50; n++) {
      gate.overloaded(Date.now());
      for (let m = 0; m < 4; m++) gate.answered(10, Date.now());
      expect(gate.places).toBeGreaterThanOrEqual(1);
      expect(gate.places).toBeLessThanOrEqual(3);
    }
  });
});

test('once closed, nothing of a long pause is left that would keep the process from ending', async () => {
  const gate = new Gate({ maxInFlight: 1, requestsPerSecond: 1 });
  const abort = new AbortController();
  await gate.run(async () => undefined);
  const turn = gate.run(async () => undefined, abort.signal);
  gate.pause(600_000, Date.now());
  const waiting = gate.run(async () => undefined, abort.signal);
  abort.abort(new Error('stopping'));
  for (const run of [turn, waiting]) await expect(run).rejects.toThrow('stopping');
  gate.close();
  await jest.advanceTimersByTimeAsync(1_000);
  expect(jest.getTimerCount()).toBe(0);
});

describe('what a request waited for', () => {
  const takes = (ms: number) => () => new Promise<void>((resolve) => setTimeout(resolve, ms));

  test('the rate counts, and so does a pause; a place that others hold does not', async () => {
    const waits: number[] = [];
    const note = (waitedMs: number) => waits.push(Math.round(waitedMs));
    const busy = new Gate({ maxInFlight: 1 });
    const both = [busy.run(takes(700), undefined, note), busy.run(takes(1), undefined, note)];
    await jest.runAllTimersAsync();
    await Promise.all(both);
    expect(waits.splice(0)).toEqual([0, 0]);

    const slow = new Gate({ maxInFlight: 4, requestsPerSecond: 1 });
    const three = [1, 2, 3].map(() => slow.run(takes(1), undefined, note));
    await jest.runAllTimersAsync();
    await Promise.all(three);
    expect(waits.splice(0)).toEqual([0, 1_000, 2_000]);

    const paused = new Gate({ maxInFlight: 1 });
    const first = paused.run(takes(300), undefined, note);
    await jest.advanceTimersByTimeAsync(100);
    paused.pause(2_000, performance.now());
    const second = paused.run(takes(1), undefined, note);
    await jest.runAllTimersAsync();
    await Promise.all([first, second]);
    expect(waits.splice(0)).toEqual([0, 2_000]);
    const third = paused.run(takes(1), undefined, note);
    await jest.runAllTimersAsync();
    await third;
    expect(waits).toEqual([0]);
  });
});
