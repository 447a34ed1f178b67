import type { IncomingHttpHeaders } from 'node:http';

/** How somebody asks who waits for the outcome: each request once and not for long, with a look at every answer. */
export interface Probing {
  readonly timeoutMs: number;
  readonly onAnswer: (headers: IncomingHttpHeaders) => void;
}
