/** One request under way. */
export interface InFlight {
  /** Something of its answer has come. */
  heard(): void;
  /** It is answered, has failed, or is given up. */
  over(): void;
}

/** For how long nothing has come of any of the requests that are under way. Times are elapsed milliseconds. */
export class RequestWatch {
  readonly #elapsedMs: () => number;
  #inFlight = 0;
  #heardAtMs = 0;

  constructor(elapsedMs: () => number) {
    this.#elapsedMs = elapsedMs;
  }

  begun(): InFlight {
    if (this.#inFlight++ === 0) this.#heardAtMs = this.#elapsedMs();
    const heard = () => {
      this.#heardAtMs = this.#elapsedMs();
    };
    let isOver = false;
    const over = () => {
      if (isOver) return;
      isOver = true;
      this.#inFlight--;
      heard();
    };
    return { heard, over };
  }

  /** 0: nothing is under way. */
  silentMs(): number {
    return this.#inFlight === 0 ? 0 : this.#elapsedMs() - this.#heardAtMs;
  }
}
