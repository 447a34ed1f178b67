import PQueue from 'p-queue';
import { afterStart, type BucketLimit, bucketDelayMs, emptied, resized, type TokenBucket } from './token-bucket.ts';

const secondMs = 1_000;

/**
 * How long the next request has to wait: no stretch of a second may see more starts than the rate. A rate that is no
 * whole number widens the window instead of being rounded: 1.5 a second is 1 in 667 ms, and 0.25 is 1 in 4 s.
 *
 * @param starts when the last requests started, oldest first
 */
export function turnDelayMs(starts: readonly number[], requestsPerSecond: number, nowMs: number): number {
  const count = Math.max(1, Math.floor(requestsPerSecond));
  const windowMs = Math.ceil((count / requestsPerSecond) * secondMs);
  const blocking = starts.at(-count);
  return blocking === undefined ? 0 : Math.max(0, blocking + windowMs - nowMs);
}

/**
 * Lets requests start one after the other, at rates that may change at any time: who waits already waits under the new
 * one, and what has started counts on under it. That is what p-queue's own window cannot do, whose rate is fixed: with
 * a second queue beside the first, a pause leaves one of them behind and a change lets two windows in at once.
 *
 * Two rules may hold, and a request waits for both: the window is the operator's word and knows no burst; the bucket is
 * what the server does.
 */
export class Pace {
  readonly #turns = new PQueue({ concurrency: 1 });
  readonly #starts: number[] = [];
  readonly #sleepers = new Set<() => void>();
  #started = 0;
  #windowPerSecond: number | undefined;
  #bucket: TokenBucket | undefined;
  #isPaused = false;
  #hasHeldBack = false;

  get waiting(): number {
    return this.#turns.size + this.#turns.pending;
  }

  /** Never more than this many starts in any one second; undefined: no such rule. */
  setWindow(requestsPerSecond: number | undefined): void {
    this.#windowPerSecond = requestsPerSecond;
    this.#wake();
  }

  /**
   * Never more than the bucket holds, and what fills it. Undefined: no such rule.
   *
   * How full the bucket is when it becomes known depends on what this user has asked before, and an earlier process may
   * have emptied it a moment before this one began: `performance.now()` is the age of the process, and the bucket is taken
   * for one that was empty at its beginning. So one that is started again and again does not burst each time.
   */
  setBucket(limit: BucketLimit | undefined): void {
    const nowMs = performance.now();
    if (limit === undefined) this.#bucket = undefined;
    else if (this.#bucket !== undefined) this.#bucket = resized(this.#bucket, limit, nowMs);
    else {
      const most = Math.min(limit.capacity, (nowMs / secondMs) * limit.requestsPerSecond);
      this.#bucket = { ...limit, tokens: Math.max(0, most - this.#started), atMs: nowMs };
    }
    this.#wake();
  }

  /** The server has said that its bucket is empty. */
  drain(): void {
    if (this.#bucket !== undefined) this.#bucket = emptied(this.#bucket, performance.now());
  }

  pause(): void {
    this.#isPaused = true;
  }

  resume(): void {
    this.#isPaused = false;
    this.#wake();
  }

  /** Whether somebody had to wait here since this was asked last. */
  takeHeldBack(): boolean {
    const hasHeldBack = this.#hasHeldBack || this.waiting > 0;
    this.#hasHeldBack = false;
    return hasHeldBack;
  }

  /**
   * Resolves when the caller may start, or rejects with the signal's reason.
   *
   * @param onTurn called at the very moment from which on the start counts
   */
  async turn(onTurn: () => void, signal?: AbortSignal): Promise<void> {
    const isFree = this.#windowPerSecond === undefined && this.#bucket === undefined;
    if (isFree && !this.#isPaused && this.waiting === 0) {
      signal?.throwIfAborted();
      // What starts before a rate is known counts under it, or the first second of the rate would be a burst.
      this.#note(performance.now());
      onTurn();
      return;
    }
    await this.#turns.add(() => this.#wait(onTurn, signal), signal ? { signal } : {});
  }

  async #wait(onTurn: () => void, signal: AbortSignal | undefined): Promise<void> {
    const wake = () => this.#wake();
    signal?.addEventListener('abort', wake, { once: true });
    for (;;) {
      const nowMs = performance.now();
      const delayMs = this.#delayMs(nowMs);
      // One that was given up does not count: its turn is the next one's.
      if (signal?.aborted) break;
      if (!this.#isPaused && delayMs === 0) {
        this.#note(nowMs);
        onTurn();
        break;
      }
      this.#hasHeldBack = true;
      await this.#sleep(this.#isPaused ? undefined : delayMs);
    }
    signal?.removeEventListener('abort', wake);
  }

  #delayMs(nowMs: number): number {
    const rate = this.#windowPerSecond;
    return Math.max(
      rate === undefined ? 0 : turnDelayMs(this.#starts, rate, nowMs),
      this.#bucket === undefined ? 0 : bucketDelayMs(this.#bucket, nowMs),
    );
  }

  /** A slower rate may look back further than a second, but then it finds no more than the faster one let in. */
  #note(nowMs: number): void {
    while (nowMs - (this.#starts[0] ?? nowMs) >= 10 * secondMs) this.#starts.shift();
    this.#starts.push(nowMs);
    this.#started++;
    if (this.#bucket !== undefined) this.#bucket = afterStart(this.#bucket, nowMs);
  }

  /** @param ms undefined: until it is woken */
  #sleep(ms: number | undefined): Promise<void> {
    return new Promise((resolve) => {
      const timer = ms === undefined ? undefined : setTimeout(() => wake(), Math.ceil(ms));
      const wake = () => {
        clearTimeout(timer);
        this.#sleepers.delete(wake);
        resolve();
      };
      this.#sleepers.add(wake);
    });
  }

  #wake(): void {
    for (const wake of [...this.#sleepers]) wake();
  }
}
