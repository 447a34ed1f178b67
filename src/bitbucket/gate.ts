import PQueue from 'p-queue';
import { type InFlightLimit, newInFlightLimit, nextInFlightLimit, placesOf } from './in-flight-limit.ts';
import { afterAnswer, afterThrottled, isLearning, type LearnedRate, unknownRate } from './learned-rate.ts';
import { Pace } from './pace.ts';

export interface GateOptions {
  readonly maxInFlight: number;
  /** A sliding window: never more than this many starts in any one second. Undefined: no rate of our own. */
  readonly requestsPerSecond?: number;
}

/**
 * The one door to a Bitbucket server for one of its users: every request of every integration that comes as this user
 * goes through it, because Bitbucket counts by user.
 *
 * Open → `throttled` (the server said 429) → closed for everybody until the longest pause asked for has passed → open.
 * While it is open, places adapt to what the server bears (`in-flight-limit.ts`) and the rate to what it allows: as
 * configured, as the server says (`limitTo`), or as its 429s show (`learned-rate.ts`), whichever is least. Nothing here
 * survives a crash, and nothing has to: a new process starts with an open gate. `close` ends it for good.
 */
export class Gate {
  readonly #places: PQueue;
  readonly #pace = new Pace();
  readonly #configuredRate: number | undefined;
  #allowedRate: number | undefined;
  #knowsAllowedRate = false;
  #learned: LearnedRate = unknownRate;
  #inFlightLimit: InFlightLimit;
  #reopensAtElapsedMs = 0;
  /** When the pause under way began; undefined: open. */
  #pausedAtMs: number | undefined;
  /** Of the pauses that are over. */
  #pausedForMs = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor({ maxInFlight, requestsPerSecond }: GateOptions) {
    this.#inFlightLimit = newInFlightLimit(maxInFlight);
    this.#places = new PQueue({ concurrency: placesOf(this.#inFlightLimit) });
    this.#configuredRate = requestsPerSecond;
    this.#setPace();
  }

  /** Waiting requests. */
  get waiting(): number {
    return this.#places.size + this.#pace.waiting;
  }

  get inFlight(): number {
    return this.#places.pending - this.#pace.waiting;
  }

  /** The server has been asked, whatever it said. */
  get knowsAllowedRate(): boolean {
    return this.#knowsAllowedRate;
  }

  get isPaused(): boolean {
    return this.#places.isPaused;
  }

  /** Requests at a time, now. */
  get places(): number {
    return this.#places.concurrency;
  }

  /** Undefined: none. */
  get requestsPerSecond(): number | undefined {
    return this.#pace.requestsPerSecond;
  }

  /** @param onTurn told, just before the task, how long it waited for the rate and for pauses: not for a place */
  async run<T>(task: () => Promise<T>, signal?: AbortSignal, onTurn?: (waitedMs: number) => void): Promise<T> {
    const pausedBeforeMs = this.#pausedSoFarMs();
    const work = async () => {
      const begunAtMs = performance.now();
      const pausedMs = this.#pausedSoFarMs() - pausedBeforeMs;
      await this.#pace.turn(signal);
      onTurn?.(pausedMs + performance.now() - begunAtMs);
      return task();
    };
    return this.#places.add(work, signal ? { signal } : {});
  }

  /** What the server itself allows this user. */
  limitTo(requestsPerSecond: number | undefined): void {
    this.#knowsAllowedRate = true;
    this.#allowedRate = requestsPerSecond !== undefined && requestsPerSecond > 0 ? requestsPerSecond : undefined;
    this.#setPace();
  }

  /**
   * Whatever the answer said, the server had time for it.
   *
   * @param latencyMs undefined where it says more about the answer than about the server
   */
  answered(latencyMs: number | undefined, elapsedMs: number): void {
    if (latencyMs !== undefined)
      this.#inFlightLimit = nextInFlightLimit(this.#inFlightLimit, { kind: 'answered', latencyMs });
    this.#learned = afterAnswer(this.#learned, elapsedMs);
    this.#setPlaces(elapsedMs);
    this.#setPace();
  }

  /** 503: the server has too much to do, whoever asks. */
  overloaded(elapsedMs: number): void {
    this.#inFlightLimit = nextInFlightLimit(this.#inFlightLimit, { kind: 'overloaded' });
    this.#setPlaces(elapsedMs);
  }

  /** 429: this user has asked too often. Nobody is let in for `pauseMs`; a shorter pause does not shorten a longer one. */
  throttled(pauseMs: number, elapsedMs: number): void {
    this.#learned = afterThrottled(this.#learned, elapsedMs);
    this.overloaded(elapsedMs);
    this.#setPace();
    this.pause(pauseMs, elapsedMs);
  }

  /** Lets nobody in for `ms`; a shorter pause does not shorten one that is under way. */
  pause(ms: number, elapsedMs: number): void {
    if (elapsedMs + ms <= this.#reopensAtElapsedMs) return;
    this.#reopensAtElapsedMs = elapsedMs + ms;
    this.#pausedAtMs ??= performance.now();
    this.#places.pause();
    this.#pace.pause();
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#open(), ms);
  }

  /** Once nobody waits any more: the rest of a long pause would keep the process from ending. Whoever comes opens it. */
  close(): void {
    clearTimeout(this.#timer);
    this.#open();
  }

  #open(): void {
    this.#pausedForMs = this.#pausedSoFarMs();
    this.#pausedAtMs = undefined;
    this.#reopensAtElapsedMs = 0;
    this.#places.start();
    this.#pace.resume();
  }

  #pausedSoFarMs(): number {
    return this.#pausedForMs + (this.#pausedAtMs === undefined ? 0 : performance.now() - this.#pausedAtMs);
  }

  #setPlaces(elapsedMs: number): void {
    const places = isLearning(this.#learned, elapsedMs) ? 1 : placesOf(this.#inFlightLimit);
    if (places !== this.#places.concurrency) this.#places.concurrency = places;
  }

  #setPace(): void {
    const rates = [this.#configuredRate, this.#allowedRate, this.#learned.requestsPerSecond];
    const known = rates.filter((rate) => rate !== undefined);
    const requestsPerSecond = known.length === 0 ? undefined : Math.min(...known);
    if (requestsPerSecond !== this.#pace.requestsPerSecond) this.#pace.requestsPerSecond = requestsPerSecond;
  }
}
