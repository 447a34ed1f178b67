export interface LoggedRequest {
  readonly method: string;
  readonly resource: string;
  readonly path: string;
  readonly query: string;
  /** Without credentials. */
  readonly isAnonymous: boolean;
  /** 0 while there is no answer, and for ever when the connection was reset before one. */
  status: number;
  /** Milliseconds since the simulator was started. */
  readonly atMs: number;
}

const rememberedRequests = 100_000;

/** What the satellite asked for. */
export class RequestLog {
  total = 0;
  maxInFlight = 0;
  counts: Record<string, number> = {};
  /** Oldest first; stops growing at 100,000. */
  list: LoggedRequest[] = [];
  #inFlight = 0;

  count(resource: string): number {
    return this.counts[resource] ?? 0;
  }

  begin(request: LoggedRequest): void {
    this.total += 1;
    this.counts[request.resource] = this.count(request.resource) + 1;
    if (this.list.length < rememberedRequests) this.list.push(request);
    this.#inFlight += 1;
    this.maxInFlight = Math.max(this.maxInFlight, this.#inFlight);
  }

  end(): void {
    this.#inFlight -= 1;
  }

  reset(): void {
    this.total = 0;
    this.maxInFlight = this.#inFlight;
    this.counts = {};
    this.list = [];
  }
}
