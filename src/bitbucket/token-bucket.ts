/** What a server's rate limit is made of: so many requests at once, and so many more each second. */
export interface BucketLimit {
  /** At least 1. */
  readonly capacity: number;
  readonly requestsPerSecond: number;
}

/** A bucket as it was at some moment. */
export interface TokenBucket extends BucketLimit {
  /** Requests that may start at once; a fraction is the part of one. */
  readonly tokens: number;
  readonly atMs: number;
}

function filled(bucket: TokenBucket, nowMs: number): TokenBucket {
  const gained = (Math.max(0, nowMs - bucket.atMs) / 1_000) * bucket.requestsPerSecond;
  return { ...bucket, tokens: Math.min(bucket.capacity, bucket.tokens + gained), atMs: nowMs };
}

/** How long until one may start. */
export function bucketDelayMs(bucket: TokenBucket, nowMs: number): number {
  const { tokens } = filled(bucket, nowMs);
  // Sums of fractions come to a hair less than a whole one.
  return tokens > 1 - 1e-6 ? 0 : ((1 - tokens) / bucket.requestsPerSecond) * 1_000;
}

export function afterStart(bucket: TokenBucket, nowMs: number): TokenBucket {
  const now = filled(bucket, nowMs);
  return { ...now, tokens: Math.max(0, now.tokens - 1) };
}

export function emptied(bucket: TokenBucket, nowMs: number): TokenBucket {
  return { ...bucket, tokens: 0, atMs: nowMs };
}

/** The same water in another vessel. */
export function resized(bucket: TokenBucket, limit: BucketLimit, nowMs: number): TokenBucket {
  const { tokens } = filled(bucket, nowMs);
  return { ...limit, tokens: Math.min(limit.capacity, tokens), atMs: nowMs };
}
