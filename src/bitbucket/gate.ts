import PQueue from 'p-queue';

export interface GateOptions {
  readonly maxInFlight: number;
  /** A sliding window: never more than this many starts in any one second. Undefined: no rate of our own. */
  readonly requestsPerSecond?: number;
}

/**
 * The one door to a Bitbucket server: every request of every integration on that server goes through it.
 *
 * Open → `pause` (the server said 429) → closed for everybody until the longest pause asked for has passed → open.
 * Nothing here survives a crash, and nothing has to: a new process starts with an open gate. `close` ends it for good.
 */
export class Gate {
  readonly #queue: PQueue;
  #reopensAtElapsedMs = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor({ maxInFlight, requestsPerSecond }: GateOptions) {
    this.#queue = new PQueue({
      concurrency: maxInFlight,
      ...(requestsPerSecond === undefined ? {} : sliding(requestsPerSecond)),
    });
  }

  /** Waiting requests. */
  get waiting(): number {
    return this.#queue.size;
  }

  get inFlight(): number {
    return this.#queue.pending;
  }

  async run<T>(task: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    return this.#queue.add(task, signal ? { signal } : {});
  }

  /** Lets nobody in for `ms`; a shorter pause does not shorten one that is under way. */
  pause(ms: number, elapsedMs: number): void {
    if (elapsedMs + ms <= this.#reopensAtElapsedMs) return;
    this.#reopensAtElapsedMs = elapsedMs + ms;
    this.#queue.pause();
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      // The wall clock may have been set back meanwhile: an old date must not outdo the next pause.
      this.#reopensAtElapsedMs = 0;
      this.#queue.start();
    }, ms);
  }

  /** Once nobody waits any more: the rest of a long pause would keep the process from ending. */
  close(): void {
    clearTimeout(this.#timer);
  }
}

/** Below one request a second the window widens instead of the count falling to nothing. */
function sliding(requestsPerSecond: number) {
  const intervalCap = Math.max(1, Math.floor(requestsPerSecond));
  return { strict: true, intervalCap, interval: Math.ceil((intervalCap / requestsPerSecond) * 1000) };
}

/** One gate per server, shared by all integrations that crawl it. */
export class Gates {
  readonly #gates = new Map<string, Gate>();

  for(serverUrl: string, options: GateOptions): Gate {
    const key = new URL(serverUrl).origin;
    let gate = this.#gates.get(key);
    if (gate === undefined) {
      gate = new Gate(options);
      this.#gates.set(key, gate);
    }
    return gate;
  }

  close(): void {
    for (const gate of this.#gates.values()) gate.close();
  }
}
