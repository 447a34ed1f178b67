/** The calls of the protocol, by the names that faults and counts use. */
export const calls = ['register', 'heartbeat', 'list', 'accept', 'reject', 'report', 'push'] as const;
export type Call = (typeof calls)[number];

export interface FaultRule {
  /** A call by its name, or a pattern for `POST /base/v1/ingestion/…?query`. */
  readonly match: Call | RegExp;
  /** How many requests it befalls; until it is removed when absent. */
  readonly times?: number;
  /** Answer with this status instead of doing anything. */
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  /** With `status`: text is sent as it is, anything else as JSON. */
  readonly body?: unknown;
  /** Wait first; a client that has given up by then is not served any more. */
  readonly delayMs?: number;
  /**
   * Cut the connection: `before` anything is read; `in-body`, while the request's body is coming; `after-store`, when
   * everything is done and nothing is answered; `in-answer`, when everything is done and half of the answer is sent.
   */
  readonly reset?: 'before' | 'in-body' | 'after-store' | 'in-answer';
  /** Never answer, and do nothing. */
  readonly hang?: true;
  /** Milliseconds per byte of the answer. */
  readonly drip?: number;
}

/** Rules in the order in which they were set; the first that matches and has times left is the one that befalls. */
export class Faults {
  readonly #rules = new Set<{ readonly rule: FaultRule; left: number }>();

  /** Gives the function that removes the rule. */
  add(rule: FaultRule): () => void {
    const entry = { rule, left: rule.times ?? Number.POSITIVE_INFINITY };
    this.#rules.add(entry);
    return () => this.#rules.delete(entry);
  }

  take(call: Call | undefined, requestLine: string): FaultRule | undefined {
    for (const entry of this.#rules) {
      const { match } = entry.rule;
      if (match instanceof RegExp ? requestLine.search(match) === -1 : match !== call) continue;
      entry.left -= 1;
      if (entry.left <= 0) this.#rules.delete(entry);
      return entry.rule;
    }
    return undefined;
  }
}
