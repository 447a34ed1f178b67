import { type Answer, textAnswer } from './answer.ts';
import type { RateLimit } from './options.ts';

/** A token bucket per user, one token per request whatever it costs the server (bitbucket-dc-rest §3). */
export class RateLimiter {
  readonly #limit: RateLimit | undefined;
  readonly #buckets = new Map<string, { tokens: number; atMs: number }>();

  constructor(limit: RateLimit | undefined) {
    this.#limit = limit;
  }

  /** Undefined: go ahead. */
  refuse(user: string, nowMs: number): Answer | undefined {
    if (!this.#limit) return undefined;
    const { capacity, refillPerSecond, retryAfter } = this.#limit;
    const bucket = this.#buckets.get(user) ?? { tokens: capacity, atMs: nowMs };
    const refilled = bucket.tokens + ((nowMs - bucket.atMs) / 1000) * refillPerSecond;
    const tokens = Math.min(capacity, refilled);
    const isAllowed = tokens >= 1;
    this.#buckets.set(user, { tokens: isAllowed ? tokens - 1 : tokens, atMs: nowMs });
    if (isAllowed) return undefined;
    // Not JSON: clients were caught out by that.
    const answer = textAnswer('<html><body><h1>Too many requests</h1></body></html>', 429);
    if (!retryAfter) return answer;
    const seconds = Math.max(1, Math.ceil((1 - tokens) / refillPerSecond));
    return { ...answer, headers: { ...answer.headers, 'Retry-After': String(seconds) } };
  }
}
