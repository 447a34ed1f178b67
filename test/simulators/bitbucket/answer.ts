import type { ServerResponse } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import type { Refusal } from './errors.ts';
import type { JsonObject } from './representation.ts';

/** What goes back over the wire, and the ways in which it may fail to arrive. */
export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer | AsyncIterable<Buffer>;
}

/** How an answer is spoiled on its way; the parts can be combined. */
export interface Spoiling {
  /** So many bytes of the body, then the connection is closed. */
  readonly truncate?: number | undefined;
  /** Half of the body (or `truncate` bytes), then the connection is reset. */
  readonly resetInBody?: boolean;
  readonly dripMsPerByte?: number | undefined;
  /** Added to what the header says; then the connection is closed. */
  readonly contentLength?: number | undefined;
}

const jsonType = 'application/json;charset=UTF-8';

export function jsonAnswer(value: JsonObject, status = 200): Answer {
  return { status, headers: { 'Content-Type': jsonType }, body: Buffer.from(JSON.stringify(value)) };
}

export function textAnswer(text: string, status: number, type = 'text/html;charset=UTF-8'): Answer {
  return { status, headers: { 'Content-Type': type }, body: Buffer.from(text) };
}

export function streamAnswer(body: AsyncIterable<Buffer>): Answer {
  return { status: 200, headers: { 'Content-Type': 'text/plain;charset=UTF-8' }, body };
}

export function emptyAnswer(status: number, headers: Record<string, string> = {}): Answer {
  return { status, headers, body: Buffer.alloc(0) };
}

export function refusalAnswer(refusal: Refusal): Answer {
  const { status, exceptionName, message, headers } = refusal;
  const answer = jsonAnswer({ errors: [{ context: null, message, exceptionName }] }, status);
  return { ...answer, headers: { ...answer.headers, ...headers } };
}

/** Said by the REST framework, not by Bitbucket: there is no `errors[]` in it. */
export function frameworkAnswer(status: number, message: string, asXml: boolean): Answer {
  if (!asXml)
    return jsonAnswer({ message: `HTTP ${status} ${message}`, 'status-code': status, 'sub-code': -1 }, status);
  const xml = `<?xml version="1.0" encoding="UTF-8" standalone="yes"?><status><status-code>${status}</status-code><message>HTTP ${status} ${message}</message></status>`;
  return textAnswer(xml, status, 'application/xml;charset=UTF-8');
}

/** The same answer with another body; one that streams is read to its end first. */
export async function rewritten(answer: Answer, rewrite: (text: string) => string): Promise<Answer> {
  const { body } = answer;
  const chunks = Buffer.isBuffer(body) ? [body] : await Array.fromAsync(body);
  return { ...answer, body: Buffer.from(rewrite(Buffer.concat(chunks).toString('utf8'))) };
}

/** Resolves when everything is handed over or the client has left. */
export async function writeAnswer(response: ServerResponse, answer: Answer, spoiling: Spoiling): Promise<void> {
  const { body } = answer;
  const isWhole = Buffer.isBuffer(body);
  for (const [name, value] of Object.entries(answer.headers)) response.setHeader(name, value);
  response.statusCode = answer.status;
  if (isWhole && answer.status !== 204) {
    response.setHeader('Content-Length', Math.max(0, body.length + (spoiling.contentLength ?? 0)));
  }
  let left = spoiling.truncate ?? (spoiling.resetInBody && isWhole ? body.length >> 1 : Number.POSITIVE_INFINITY);
  const cutsShort = spoiling.resetInBody || spoiling.contentLength !== undefined || Number.isFinite(left);
  for await (const chunk of isWhole ? [body] : body) {
    if (spoiling.resetInBody && !Number.isFinite(left)) left = chunk.length >> 1;
    await write(response, chunk.subarray(0, left), spoiling.dripMsPerByte);
    left -= chunk.length;
    if (left <= 0 || response.destroyed) break;
  }
  if (!cutsShort) {
    response.end();
  } else {
    // What was written has to leave first, or the client sees a refused connection instead of a cut one.
    response.flushHeaders();
    await delay(10);
    if (spoiling.resetInBody) response.socket?.resetAndDestroy();
    else response.socket?.destroySoon();
  }
}

async function write(response: ServerResponse, chunk: Buffer, dripMsPerByte: number | undefined): Promise<void> {
  if (dripMsPerByte === undefined) {
    if (chunk.length > 0 && !response.write(chunk) && !response.destroyed) await drained(response);
    return;
  }
  for (let at = 0; at < chunk.length && !response.destroyed; at += 1) {
    response.write(chunk.subarray(at, at + 1));
    await delay(dripMsPerByte);
  }
}

function drained(response: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      response.off('drain', done).off('close', done);
      resolve();
    };
    response.on('drain', done).on('close', done);
  });
}
