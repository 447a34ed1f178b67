import type { Complain } from './shape.ts';

/** A request that has passed the door: key, headers and JSON are right. */
export interface Request {
  /** Undefined for a GET. */
  readonly body: unknown;
  readonly query: URLSearchParams;
  readonly complain: Complain;
}

/** Neither `json` nor `error`: an empty body. */
export interface Answer {
  readonly status: number;
  readonly json?: unknown;
  readonly error?: string;
}

/** What one call looks like at the door, and who answers it. */
export interface Route {
  readonly method: 'GET' | 'POST';
  /** Below `{base}/v1/ingestion`. */
  readonly path: string;
  /** Exactly these, each once. */
  readonly query: readonly string[];
  readonly handle: (request: Request) => Answer | Promise<Answer>;
}
