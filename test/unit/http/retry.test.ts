import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { type ErrorKind, SatelliteError } from '../../../src/errors.ts';
import { parseRetryAfterMs, type RetryPolicy, retryDelayMs, withRetry } from '../../../src/http/retry.ts';
import { FakeClock } from '../crawl/fake-clock.ts';

const policy: RetryPolicy = { maxAttempts: 4, baseDelayMs: 1_000, maxDelayMs: 5_000, retries500: false };

function failure(kind: ErrorKind, details: { statusCode?: number; retryAfterMs?: number } = {}): SatelliteError {
  return new SatelliteError(kind, { code: kind.toUpperCase(), kind, ...details });
}

const noFileLeft = new SatelliteError('no', { code: 'TOO_MANY_OPEN_FILES', kind: 'throttled', retryAfterMs: 1_000 });

describe('the delay before the next attempt', () => {
  const always = () => 0.5;

  test.each<[string, SatelliteError, number, number | undefined]>([
    ['a process without a file left to open spares nobody by waiting longer', noFileLeft, 9, 1_000],
    ['a failure waits by chance up to the base', failure('retryable'), 1, 500],
    ['a second one up to twice the base', failure('retryable'), 2, 1_000],
    ['a third one up to four times the base', failure('retryable'), 3, 2_000],
    ['the last attempt is not repeated', failure('retryable'), 4, undefined],
    ['a busy server (503) is asked again', failure('retryable', { statusCode: 503 }), 1, 500],
    ['a server that fails on this item (500) is not', failure('retryable', { statusCode: 500 }), 1, undefined],
    ['a retry date later than the back-off wins', failure('retryable', { retryAfterMs: 30_000 }), 1, 30_000],
    ['a retry date sooner than the back-off loses', failure('retryable', { retryAfterMs: 100 }), 1, 500],
    ['being throttled is never the last attempt', failure('throttled', { statusCode: 429 }), 400, 2_500],
    ['being throttled with a date waits for it', failure('throttled', { retryAfterMs: 90_000 }), 1, 90_000],
  ])('%s', (_name, error, failures, expected) => {
    expect(retryDelayMs(error, failures, policy, always)).toBe(expected);
  });

  test.each<ErrorKind>(['auth', 'permission', 'gone', 'unsupported', 'config', 'storage', 'bug'])(
    'kind %s is never tried again, whatever the server says about when',
    (kind) => {
      expect(retryDelayMs(failure(kind, { retryAfterMs: 1_000 }), 1, policy, always)).toBeUndefined();
    },
  );

  test('a policy that says so repeats a plain 500 as well', () => {
    expect(retryDelayMs(failure('retryable', { statusCode: 500 }), 1, { ...policy, retries500: true }, always)).toBe(
      500,
    );
  });

  test('the back-off is never longer than its cap, however often it failed', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 100_000 }), fc.double({ min: 0, max: 0.999, noNaN: true }), (n, chance) => {
        const delayMs = retryDelayMs(failure('throttled'), n, policy, () => chance);
        expect(delayMs).toBeGreaterThanOrEqual(0);
        expect(delayMs).toBeLessThanOrEqual(policy.maxDelayMs);
      }),
    );
  });
});

describe('repeating', () => {
  /** Runs through the errors, then answers; resolves to the answer, or to the error that was thrown in the end. */
  async function run(errors: readonly unknown[], clock = new FakeClock()) {
    const waits: [string, number][] = [];
    let attempts = 0;
    const outcome = await withRetry(
      async () => {
        const error = errors[attempts++];
        if (error !== undefined) throw error;
        return 'answer';
      },
      { policy, clock, onRetry: (error, delayMs) => waits.push([error.kind, delayMs]) },
    ).catch((error: unknown) => error);
    return { outcome, attempts, waits, sleeps: clock.sleeps };
  }

  test('the first answer ends it', async () => {
    expect(await run([])).toEqual({ outcome: 'answer', attempts: 1, waits: [], sleeps: [] });
  });

  test('the last error is thrown once the attempts are used up', async () => {
    const errors = [1, 2, 3, 4].map(() => failure('retryable'));
    const { outcome, attempts, sleeps } = await run(errors);
    expect(outcome).toBe(errors[3]);
    expect(attempts).toBe(4);
    expect(sleeps).toEqual([500, 1_000, 2_000]);
  });

  test('whoever is told of a wait is told before it begins', async () => {
    const { waits, sleeps } = await run([failure('throttled', { retryAfterMs: 7_000 }), failure('retryable')]);
    expect(waits.map(([kind]) => kind)).toEqual(['throttled', 'retryable']);
    expect(sleeps).toEqual(waits.map(([, delayMs]) => delayMs));
  });

  test('being throttled for long uses up none of the attempts that a failure has', async () => {
    const throttled = Array.from({ length: 20 }, () => failure('throttled'));
    const failed = [1, 2, 3].map(() => failure('retryable'));
    expect(await run([...throttled, ...failed])).toMatchObject({ outcome: 'answer', attempts: 24 });
    expect(await run([...throttled, ...failed, failure('retryable')])).toMatchObject({ attempts: 24 });
  });

  test('a failure after a long throttling waits as a first failure does', async () => {
    const throttled = Array.from({ length: 5 }, () => failure('throttled'));
    expect((await run([...throttled, failure('retryable')])).sleeps.at(-1)).toBe(500);
  });

  test('an error that is not one of ours is passed through at once', async () => {
    const error = new TypeError('a bug');
    expect(await run([error])).toMatchObject({ outcome: error, attempts: 1, sleeps: [] });
  });

  test('an abort ends the wait with its reason', async () => {
    const abort = new AbortController();
    const clock = new FakeClock();
    const attempt = () => {
      abort.abort(new Error('stopping'));
      return Promise.reject(failure('retryable'));
    };
    await expect(withRetry(attempt, { policy, clock, signal: abort.signal })).rejects.toThrow('stopping');
    expect(clock.sleeps).toEqual([]);
  });
});

describe('Retry-After', () => {
  const nowMs = Date.UTC(2026, 5, 15, 12);
  const dayMs = 24 * 60 * 60 * 1000;

  test.each<[string | undefined, number | undefined]>([
    [undefined, undefined],
    ['0', 0],
    ['120', 120_000],
    [' 5 ', 5_000],
    ['Mon, 15 Jun 2026 12:01:30 GMT', 90_000],
    ['Mon, 15 Jun 2026 11:00:00 GMT', 0],
    ['soon', undefined],
    ['', undefined],
  ])('%p is %p ms', (header, expected) => {
    expect(parseRetryAfterMs(header, nowMs)).toBe(expected);
  });

  test.each([
    ['seconds that no timer can hold', '31536000000'],
    ['more seconds than a number can hold', '9'.repeat(400)],
    ['a date years ahead', 'Tue, 01 Jan 2126 00:00:00 GMT'],
  ])(
    '%s is a day: a timer that overflows fires at once, and the server would be asked without end',
    (_name, header) => {
      expect(parseRetryAfterMs(header, nowMs)).toBe(dayMs);
    },
  );

  test('whatever a server writes there, it is a time that a timer can wait for', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.bigInt().map(String), fc.date().map(String)), (header) => {
        const ms = parseRetryAfterMs(header, nowMs) ?? 0;
        expect(ms).toBeGreaterThanOrEqual(0);
        expect(ms).toBeLessThanOrEqual(dayMs);
      }),
    );
  });
});
