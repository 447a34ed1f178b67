import type { Clock } from '../clock.ts';
import { isPassing, SatelliteError } from '../errors.ts';

export interface RetryPolicy {
  /** Attempts in all; being throttled does not count as one. */
  readonly maxAttempts: number;
  readonly baseDelayMs: number;
  readonly maxDelayMs: number;
  /**
   * Whether a plain 500 is asked again. Not where it is the server failing on this very item, which the next scan may
   * find mended: asking at once again only repeats it.
   */
  readonly retries500: boolean;
}

/** Nobody waits longer than a day, and a timer of more than 24 days fires at once: the server would be asked without end. */
const maxRetryAfterMs = 24 * 60 * 60 * 1000;

/**
 * How long to wait before the request is made again; undefined: not again. Full jitter, so that many waiting
 * satellites do not come back at the same moment.
 *
 * @param failures attempts so far that ended like this one, itself included: the throttled and the failed count apart
 */
export function retryDelayMs(
  error: SatelliteError,
  failures: number,
  policy: RetryPolicy,
  random: () => number,
): number | undefined {
  if (error.kind !== 'retryable' && error.kind !== 'throttled') return undefined;
  if (error.statusCode === 500 && !policy.retries500) return undefined;
  if (error.kind === 'retryable' && failures >= policy.maxAttempts) return undefined;
  // The limit is this process's own: a longer wait spares no server, and the work is to go on soon after it is lifted.
  if (isPassing(error)) return error.retryAfterMs ?? policy.baseDelayMs;
  const backOffMs = random() * Math.min(policy.maxDelayMs, policy.baseDelayMs * 2 ** (failures - 1));
  return Math.max(backOffMs, error.retryAfterMs ?? 0);
}

/**
 * Repeats `attempt` while the policy says so and throws the last error otherwise.
 *
 * @param onRetry told of each wait before it begins: to pause a gate, to log
 */
export async function withRetry<T>(
  attempt: () => Promise<T>,
  options: {
    readonly policy: RetryPolicy;
    readonly clock: Clock;
    readonly signal?: AbortSignal;
    readonly onRetry?: (error: SatelliteError, delayMs: number) => void;
  },
): Promise<T> {
  const failures = { retryable: 0, throttled: 0 };
  for (;;) {
    try {
      return await attempt();
    } catch (error) {
      if (!(error instanceof SatelliteError)) throw error;
      const count = ++failures[error.kind === 'throttled' ? 'throttled' : 'retryable'];
      const delayMs = retryDelayMs(error, count, options.policy, options.clock.random);
      if (delayMs === undefined) throw error;
      options.onRetry?.(error, delayMs);
      await options.clock.sleep(delayMs, options.signal);
    }
  }
}

/**
 * `Retry-After` in milliseconds, a day at most: seconds or an HTTP date; undefined where it is absent or unreadable, 0
 * where it is past.
 */
export function parseRetryAfterMs(header: string | undefined, nowMs: number): number | undefined {
  if (header === undefined) return undefined;
  if (/^\s*\d+\s*$/.test(header)) return Math.min(Number(header) * 1000, maxRetryAfterMs);
  const dateMs = Date.parse(header);
  return Number.isNaN(dateMs) ? undefined : Math.min(Math.max(0, dateMs - nowMs), maxRetryAfterMs);
}
