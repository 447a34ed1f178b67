/** Pull requests that are read at a time, whatever the number of repositories: enough for any number of requests. */
const minPlaces = 16;

/** What each may hold without asking: a hundred commits with ten files each, and more. */
const allowanceBytes = 512 * 1024;

/**
 * Memory for the pull requests that are being read, over all repositories of a scan: each is one record, and may have
 * thousands of files.
 *
 * waits → `enter` → small → `grow` beyond the allowance: waits until it is the only large one → large → `leave`, when its
 * record is text in a page. The large one waits for nobody, so there is always one that comes to its end. Nothing here
 * survives a crash.
 */
export class PullRequestRoom {
  #freePlaces: number;
  readonly #entering: (() => void)[] = [];
  #large: PullRequestPlace | undefined;
  readonly #growing: { readonly place: PullRequestPlace; readonly goOn: () => void }[] = [];

  constructor(maxInFlight: number) {
    this.#freePlaces = Math.max(minPlaces, maxInFlight);
  }

  async enter(): Promise<PullRequestPlace> {
    if (this.#freePlaces > 0) this.#freePlaces--;
    else await new Promise<void>((resolve) => this.#entering.push(resolve));
    return new PullRequestPlace(
      (place) => this.#beLarge(place),
      (place) => this.#leave(place),
    );
  }

  async #beLarge(place: PullRequestPlace): Promise<void> {
    if (this.#large === place) return;
    if (this.#large === undefined) this.#large = place;
    else await new Promise<void>((goOn) => this.#growing.push({ place, goOn }));
  }

  #leave(place: PullRequestPlace): void {
    const entering = this.#entering.shift();
    if (entering === undefined) this.#freePlaces++;
    else entering();
    const waiting = this.#growing.findIndex((one) => one.place === place);
    if (waiting >= 0) this.#growing.splice(waiting, 1)[0]?.goOn();
    if (this.#large !== place) return;
    const next = this.#growing.shift();
    this.#large = next?.place;
    next?.goOn();
  }
}

/** The place of one pull request. */
export class PullRequestPlace {
  readonly #beLarge: (place: PullRequestPlace) => Promise<void>;
  readonly #leave: (place: PullRequestPlace) => void;
  #bytes = 0;
  #hasLeft = false;

  constructor(beLarge: (place: PullRequestPlace) => Promise<void>, leave: (place: PullRequestPlace) => void) {
    this.#beLarge = beLarge;
    this.#leave = leave;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** What was read is let go, and read again. */
  begin(): void {
    this.#bytes = 0;
  }

  /** To be called before so much more is kept. */
  async grow(bytes: number): Promise<void> {
    this.#bytes += bytes;
    if (this.#bytes > allowanceBytes && !this.#hasLeft) await this.#beLarge(this);
  }

  /** May be called again. */
  leave(): void {
    if (this.#hasLeft) return;
    this.#hasLeft = true;
    this.#leave(this);
  }
}
