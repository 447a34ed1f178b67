import PQueue from 'p-queue';

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
 * Lets requests start one after the other, at a rate that may change at any time: who waits already waits under the new
 * one, and what has started counts on under it. That is what p-queue's own window cannot do, whose rate is fixed: with
 * a second queue beside the first, a pause leaves one of them behind and a change lets two windows in at once.
 */
export class Pace {
  readonly #turns = new PQueue({ concurrency: 1 });
  readonly #starts: number[] = [];
  readonly #sleepers = new Set<() => void>();
  #requestsPerSecond: number | undefined;
  #isPaused = false;

  get waiting(): number {
    return this.#turns.size + this.#turns.pending;
  }

  /** Undefined: none. */
  get requestsPerSecond(): number | undefined {
    return this.#requestsPerSecond;
  }

  set requestsPerSecond(requestsPerSecond: number | undefined) {
    this.#requestsPerSecond = requestsPerSecond;
    this.#wake();
  }

  pause(): void {
    this.#isPaused = true;
  }

  resume(): void {
    this.#isPaused = false;
    this.#wake();
  }

  /** Resolves when the caller may start, or rejects with the signal's reason. */
  async turn(signal?: AbortSignal): Promise<void> {
    if (this.#requestsPerSecond === undefined && !this.#isPaused && this.waiting === 0) {
      // What starts before a rate is known counts under it, or the first second of the rate would be a burst.
      this.#note(performance.now());
      return;
    }
    await this.#turns.add(() => this.#wait(signal), signal ? { signal } : {});
  }

  async #wait(signal: AbortSignal | undefined): Promise<void> {
    const wake = () => this.#wake();
    signal?.addEventListener('abort', wake, { once: true });
    for (;;) {
      const nowMs = performance.now();
      const rate = this.#requestsPerSecond;
      const delayMs = rate === undefined ? 0 : turnDelayMs(this.#starts, rate, nowMs);
      // One that was given up does not count: its turn is the next one's.
      if (signal?.aborted) break;
      if (!this.#isPaused && delayMs === 0) {
        this.#note(nowMs);
        break;
      }
      await this.#sleep(this.#isPaused ? undefined : delayMs);
    }
    signal?.removeEventListener('abort', wake);
  }

  /** A slower rate may look back further than a second, but then it finds no more than the faster one let in. */
  #note(nowMs: number): void {
    while (nowMs - (this.#starts[0] ?? nowMs) >= 10 * secondMs) this.#starts.shift();
    this.#starts.push(nowMs);
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
