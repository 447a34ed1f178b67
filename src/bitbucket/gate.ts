import PQueue from 'p-queue';
import { type InFlightLimit, newInFlightLimit, nextInFlightLimit, placesOf } from './in-flight-limit.ts';
import { afterAnswer, afterThrottled, isLearning, type LearnedRate, unknownRate } from './learned-rate.ts';
import { Pace } from './pace.ts';
import type { BucketLimit } from './token-bucket.ts';

/** 429s show how fast a bucket fills, and not how much it holds: two, so that a timer that is late loses nothing. */
const unknownCapacity = 2;

/** Nearly every limit that somebody sets up grants one request more within it. */
const unknownRefillMs = 1_000;
/** By so much more or less than another may a request be under way. */
const jitterMs = 100;

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
 * configured, as the server says (`limitTo`), and as its 429s show (`learned-rate.ts`), all of them at once. Nothing here
 * survives a crash, and nothing has to: a new process starts with an open gate. `close` ends it for good.
 */
export class Gate {
  readonly #places: PQueue;
  /** As the server bears them. */
  #adaptedPlaces: number;
  /** Requests under way that may take hours, such as a clone. */
  #long = 0;
  readonly #pace = new Pace();
  #configuredRate: number | undefined;
  #allowed: BucketLimit | undefined;
  #knowsAllowedRate = false;
  #bucketLimit: BucketLimit | undefined;
  #learned: LearnedRate = unknownRate;
  /** Since the last answer somebody had to wait. */
  #hasHeldBack = false;
  #inFlightLimit: InFlightLimit;
  #reopensAtElapsedMs = 0;
  /** When the pause under way began; undefined: open. */
  #pausedAtMs: number | undefined;
  /** Of the pauses that are over. */
  #pausedForMs = 0;
  #timer: NodeJS.Timeout | undefined;
  readonly #onPause: (() => void)[] = [];

  constructor({ maxInFlight, requestsPerSecond }: GateOptions) {
    this.#inFlightLimit = newInFlightLimit(maxInFlight);
    this.#adaptedPlaces = placesOf(this.#inFlightLimit);
    this.#places = new PQueue({ concurrency: this.#adaptedPlaces });
    this.#configuredRate = requestsPerSecond;
    this.#pace.setWindow(requestsPerSecond);
  }

  /** What is configured, when it is no longer what the gate was made with. */
  keepTo({ maxInFlight, requestsPerSecond }: GateOptions): void {
    if (maxInFlight !== this.#inFlightLimit.maxInFlight) {
      const limit = Math.min(this.#inFlightLimit.limit, maxInFlight);
      this.#inFlightLimit = { ...this.#inFlightLimit, maxInFlight, limit };
      this.#adaptedPlaces = Math.min(this.#adaptedPlaces, placesOf(this.#inFlightLimit));
      this.#applyPlaces();
    }
    if (requestsPerSecond === this.#configuredRate) return;
    this.#configuredRate = requestsPerSecond;
    this.#pace.setWindow(requestsPerSecond);
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
    const rates = [this.#configuredRate, this.#allowed?.requestsPerSecond, this.#learned.requestsPerSecond];
    const known = rates.filter((rate) => rate !== undefined);
    return known.length === 0 ? undefined : Math.min(...known);
  }

  /**
   * @param onTurn told, at the moment from which on nobody can keep the task from starting, how long it waited for the rate
   * and for pauses: not for a place
   */
  async run<T>(task: () => Promise<T>, signal?: AbortSignal, onTurn?: (waitedMs: number) => void): Promise<T> {
    const pausedBeforeMs = this.#pausedSoFarMs();
    const work = async () => {
      const begunAtMs = performance.now();
      const pausedMs = this.#pausedSoFarMs() - pausedBeforeMs;
      if (pausedMs > 0) this.#hasHeldBack = true;
      await this.#pace.turn(() => onTurn?.(pausedMs + performance.now() - begunAtMs), signal);
      return task();
    };
    return this.#places.add(work, signal ? { signal } : {});
  }

  /**
   * The request that has just been let in may take hours. Where fewer places are left than such requests hold, one more is
   * made for the others, as long as `maxInFlight` has it: nobody else would get an answer, by which places are set anew.
   *
   * @returns to be called when it is over
   */
  beginLong(): () => void {
    this.#long++;
    this.#applyPlaces();
    return () => {
      this.#long--;
      this.#applyPlaces();
    };
  }

  /** What the server itself allows this user; undefined: it does not say, or sets no limit. */
  limitTo(limit: BucketLimit | undefined): void {
    this.#knowsAllowedRate = true;
    this.#allowed = limit;
    this.#setBucket();
  }

  /**
   * Whatever the answer said, the server had time for it.
   *
   * @param latencyMs undefined where it says more about the answer than about the server
   */
  answered(latencyMs: number | undefined, elapsedMs: number): void {
    if (latencyMs !== undefined)
      this.#inFlightLimit = nextInFlightLimit(this.#inFlightLimit, { kind: 'answered', latencyMs });
    this.#learned = afterAnswer(this.#learned, elapsedMs, this.#takeHeldBack());
    this.#setPlaces(elapsedMs);
    this.#setBucket();
  }

  /** 503: the server has too much to do, whoever asks. */
  overloaded(elapsedMs: number): void {
    this.#inFlightLimit = nextInFlightLimit(this.#inFlightLimit, { kind: 'overloaded' });
    this.#setPlaces(elapsedMs);
  }

  /**
   * 429: this user has asked too often. Nobody is let in for `pauseMs`, and for long enough that the bucket can hold
   * something again: a back-off may be so short that the first to come would be refused once more.
   *
   * @returns how long that is
   */
  throttled(pauseMs: number, elapsedMs: number): number {
    const knownPerSecond = this.#allowed?.requestsPerSecond;
    this.#learned = afterThrottled(this.#learned, elapsedMs, this.#takeHeldBack(), knownPerSecond);
    this.overloaded(elapsedMs);
    this.#setBucket();
    this.#pace.drain();
    const rate = this.requestsPerSecond;
    const refilledMs = rate === undefined ? unknownRefillMs : (2 / rate) * 1_000 + jitterMs;
    const ms = Math.max(pauseMs, refilledMs);
    this.pause(ms, elapsedMs);
    return ms;
  }

  /** Lets nobody in for `ms`; a shorter pause does not shorten one that is under way. */
  pause(ms: number, elapsedMs: number): void {
    if (elapsedMs + ms <= this.#reopensAtElapsedMs) return;
    this.#reopensAtElapsedMs = elapsedMs + ms;
    this.#pausedAtMs ??= performance.now();
    this.#places.pause();
    this.#pace.pause();
    for (const tell of this.#onPause.splice(0)) tell();
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#open(), ms);
  }

  /** Resolves when it is closed for a while: at once, or by the next pause. */
  async whenPaused(): Promise<void> {
    if (!this.isPaused) await new Promise<void>((resolve) => this.#onPause.push(resolve));
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
    this.#adaptedPlaces = isLearning(this.#learned, elapsedMs) ? 1 : placesOf(this.#inFlightLimit);
    this.#applyPlaces();
  }

  #applyPlaces(): void {
    const besidesLong = this.#long === 0 ? 0 : Math.min(this.#long + 1, this.#inFlightLimit.maxInFlight);
    const places = Math.max(this.#adaptedPlaces, besidesLong);
    if (places !== this.#places.concurrency) this.#places.concurrency = places;
  }

  #takeHeldBack(): boolean {
    const hasHeldBack = this.#pace.takeHeldBack() || this.#hasHeldBack;
    // Whoever waits for a place now has waited when the next answer comes.
    this.#hasHeldBack = this.waiting > 0;
    return hasHeldBack;
  }

  #setBucket(): void {
    const learned = this.#learned.requestsPerSecond;
    const allowed = this.#allowed?.requestsPerSecond;
    const { capacity, requestsPerSecond } = this.#bucketLimit ?? {};
    const rate = learned === undefined || allowed === undefined ? (learned ?? allowed) : Math.min(learned, allowed);
    const size = rate === undefined ? undefined : (this.#allowed?.capacity ?? unknownCapacity);
    if (rate === requestsPerSecond && size === capacity) return;
    this.#bucketLimit =
      rate === undefined || size === undefined ? undefined : { capacity: size, requestsPerSecond: rate };
    this.#pace.setBucket(this.#bucketLimit);
  }
}
