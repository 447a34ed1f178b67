/** Failures on demand, before, instead of or in the middle of an answer. */
export interface FaultRule {
  /**
   * A string is the name of a resource (`'commits'`, see `routes.ts`) or, when it starts with a slash, a part of the
   * path; an expression is tried on the name and on the path with its query.
   */
  readonly match: string | RegExp;
  /** How often it strikes before it wears off; for ever when left out. */
  readonly times?: number;
  /** So many matching requests are spared first. */
  readonly skip?: number;
  /** Answer this instead of asking the repository; `headers` or `body` alone mean 200. */
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly delayMs?: number;
  /** Reset the connection before a byte is sent, or in the middle of the body. */
  readonly reset?: 'before' | 'in-body';
  /** Close the connection after so many bytes of the body. */
  readonly truncate?: number;
  /** Never answer. */
  readonly hang?: true;
  /** Milliseconds per byte. */
  readonly drip?: number;
  /** Announce so many bytes more, or fewer, than are sent; then the connection is closed. */
  readonly contentLength?: number;
  /** What the repository says, as text, made into something else before it is sent. */
  readonly rewrite?: (text: string) => string;
  /** Sent as plain text instead of what the repository says: made while it is sent, so it may be of any size. */
  readonly stream?: () => AsyncIterable<Buffer>;
  /** Happens before the answer is made: what people do while a crawler is at work. */
  readonly meanwhile?: () => Promise<unknown>;
}

interface Armed {
  readonly rule: FaultRule;
  spared: number;
  left: number;
}

export class Faults {
  readonly #armed = new Set<Armed>();

  add(rule: FaultRule): () => void {
    const armed = { rule, spared: rule.skip ?? 0, left: rule.times ?? Number.POSITIVE_INFINITY };
    this.#armed.add(armed);
    return () => {
      this.#armed.delete(armed);
    };
  }

  /** The first rule that strikes, used up by one. */
  next(resource: string, pathAndQuery: string): FaultRule | undefined {
    for (const armed of this.#armed) {
      if (!matches(armed.rule.match, resource, pathAndQuery)) continue;
      if (armed.spared > 0) {
        armed.spared -= 1;
        continue;
      }
      armed.left -= 1;
      if (armed.left <= 0) this.#armed.delete(armed);
      return armed.rule;
    }
    return undefined;
  }
}

function matches(match: string | RegExp, resource: string, pathAndQuery: string): boolean {
  if (typeof match !== 'string') return resource.search(match) >= 0 || pathAndQuery.search(match) >= 0;
  return match.startsWith('/') ? pathAndQuery.includes(match) : match === resource;
}
