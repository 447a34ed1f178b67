import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import type { Answer, Route } from './exchange.ts';
import { type Call, calls, type FaultRule, type Faults } from './faults.ts';
import type { Complain } from './shape.ts';

export interface ServerParts {
  /** `/gratis/sei/api`; no slash at the end. */
  readonly basePath: string;
  readonly apiKey: string;
  /** Bytes of a push request above which it is answered 413. */
  readonly maxPushBytes: number;
  readonly routes: Readonly<Record<Call, Route>>;
  readonly faults: Faults;
  readonly complain: Complain;
}

/** Thrown away with the connection: there is nobody left to answer. */
class ConnectionCut extends Error {}

/** The door: routing, headers, key, sizes, JSON, faults and counts. What a call means is its route's business. */
export class SeiServer implements AsyncDisposable {
  readonly #parts: ServerParts;
  readonly #server: Server;
  readonly #closing = new AbortController();
  readonly counts: Record<Call | 'other' | 'total', number> = {
    ...{ register: 0, heartbeat: 0, list: 0, accept: 0, reject: 0, report: 0, push: 0 },
    ...{ other: 0, total: 0 },
  };
  /** Bytes of all push requests as they came over the wire. */
  pushedBytes = 0;

  constructor(parts: ServerParts) {
    this.#parts = parts;
    this.#server = createServer((request, response) => {
      this.#serve(request, response).catch((error: unknown) => {
        if (!(error instanceof ConnectionCut)) this.#fail(error, request, response);
      });
    });
    // Longer than any client keeps a connection, so that a reset is a fault that a test has asked for.
    this.#server.keepAliveTimeout = 600_000;
  }

  async listen(port: number, host: string): Promise<number> {
    this.#server.listen(port, host);
    await once(this.#server, 'listening');
    const address = this.#server.address();
    if (address === null || typeof address === 'string') throw new Error('not listening on a port');
    return address.port;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort();
    const closed = once(this.#server, 'close');
    this.#server.close();
    this.#server.closeAllConnections();
    await closed;
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = '', url = '' } = request;
    const [path = '', search = ''] = url.split(/\?(.*)/s);
    const call = this.#callOf(method, path);
    this.counts.total += 1;
    this.counts[call ?? 'other'] += 1;
    const complain: Complain = (deviation) => this.#parts.complain(`${call ?? `${method} ${url}`}: ${deviation}`);

    const fault = this.#parts.faults.take(call, `${method} ${url}`);
    const limit = call === 'push' ? this.#parts.maxPushBytes : Number.POSITIVE_INFINITY;
    const body = await this.#read(request, limit, fault, call);
    await this.#suffer(fault, request, response);
    if (fault?.status !== undefined) return this.#sendFault(response, fault, fault.status);
    const answer =
      this.#refuse(request, call, complain) ??
      (await this.#handle(this.#routeOf(call), body, new URLSearchParams(search), complain));
    if (fault?.reset === 'after-store') return cut(request);
    await this.#send(request, response, answer, fault);
  }

  #callOf(method: string, path: string): Call | undefined {
    const root = `${this.#parts.basePath}/v1/ingestion`;
    return calls.find((each) => {
      const route = this.#parts.routes[each];
      return route.method === method && `${root}${route.path}` === path;
    });
  }

  #routeOf(call: Call | undefined): Route {
    if (call === undefined) throw new Error('a request without a route was not refused');
    return this.#parts.routes[call];
  }

  /** The body, or undefined when it is larger than the limit: then it was read to its end and dropped. */
  async #read(
    request: IncomingMessage,
    limit: number,
    fault: FaultRule | undefined,
    call: Call | undefined,
  ): Promise<Buffer | undefined> {
    const { reset } = fault ?? {};
    if (reset === 'before' || (reset === 'in-body' && request.method !== 'POST')) cut(request);
    let chunks: Buffer[] = [];
    let bytes = 0;
    try {
      for await (const chunk of request as AsyncIterable<Buffer>) {
        if (reset === 'in-body') cut(request);
        bytes += chunk.length;
        if (bytes > limit) chunks = [];
        else chunks.push(chunk);
      }
    } catch {
      // The client is gone in the middle of its request.
      throw new ConnectionCut();
    }
    if (call === 'push') this.pushedBytes += bytes;
    return bytes > limit ? undefined : Buffer.concat(chunks);
  }

  async #suffer(fault: FaultRule | undefined, request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { signal } = this.#closing;
    if (fault?.hang === true) {
      await once(response, 'close');
      throw new ConnectionCut();
    }
    if (fault?.delayMs === undefined) return;
    await sleep(fault.delayMs, undefined, { signal }).catch(() => {});
    if (request.socket.destroyed || signal.aborted) throw new ConnectionCut();
  }

  /** What is wrong with a request before its meaning is looked at: path, key, headers. */
  #refuse(request: IncomingMessage, call: Call | undefined, complain: Complain): Answer | undefined {
    if (call === undefined) {
      complain('there is no such call');
      return { status: 404, error: 'Not Found' };
    }
    const { authorization, 'content-type': type, 'content-encoding': encoding } = request.headers;
    if (encoding !== undefined) complain(`Content-Encoding is ${encoding}: requests are not compressed`);
    if (request.method === 'POST' && type !== 'application/json; charset=utf-8') {
      complain(`Content-Type is ${type}, wanted application/json; charset=utf-8`);
    }
    if (authorization === `Apikey ${this.#parts.apiKey}`) return undefined;
    complain('Authorization is not "Apikey " and the key');
    return { status: 401, error: 'Unauthorized' };
  }

  async #handle(route: Route, bytes: Buffer | undefined, query: URLSearchParams, complain: Complain): Promise<Answer> {
    if (bytes === undefined) return { status: 413, error: 'Payload Too Large' };
    const names = [...query.keys()];
    if (names.toSorted().join() !== [...route.query].sort().join()) {
      complain(`the query has ${names.join(', ') || 'nothing'}, wanted ${route.query.join(', ') || 'nothing'}`);
    }
    if (route.method === 'GET') {
      if (bytes.length > 0) complain('a GET with a body');
      return route.handle({ body: undefined, query, complain });
    }
    let body: unknown;
    try {
      body = JSON.parse(bytes.toString('utf8'));
    } catch {
      complain('the body is not JSON');
      return { status: 400, error: 'not JSON' };
    }
    return route.handle({ body, query, complain });
  }

  async #send(
    request: IncomingMessage,
    response: ServerResponse,
    answer: Answer,
    fault: FaultRule | undefined,
  ): Promise<void> {
    const { status, error } = answer;
    const json = error === undefined ? answer.json : { status, error, message: error };
    const plain = json === undefined ? Buffer.alloc(0) : Buffer.from(JSON.stringify(json));
    const zipped = plain.length > 0 && /\bgzip\b/.test(String(request.headers['accept-encoding'] ?? ''));
    const bytes = zipped ? gzipSync(plain) : plain;
    response.writeHead(status, {
      'Content-Length': bytes.length,
      ...(plain.length > 0 ? { 'Content-Type': 'application/json' } : {}),
      ...(zipped ? { 'Content-Encoding': 'gzip' } : {}),
    });
    if (fault?.drip !== undefined) return drip(response, bytes, fault.drip);
    if (fault?.reset !== 'in-answer') {
      response.end(bytes);
      return;
    }
    const half = bytes.subarray(0, Math.floor(bytes.length / 2));
    await new Promise<void>((resolve) => response.write(half.length > 0 ? half : ' ', () => resolve()));
    cut(request);
  }

  #sendFault(response: ServerResponse, { headers = {}, body = '' }: FaultRule, status: number): void {
    const json = typeof body !== 'string';
    const bytes = Buffer.from(json ? JSON.stringify(body) : body);
    const type = json ? 'application/json' : 'text/html';
    response.writeHead(status, { 'Content-Type': type, 'Content-Length': bytes.length, ...headers }).end(bytes);
  }

  #fail(error: unknown, request: IncomingMessage, response: ServerResponse): void {
    if (request.socket.destroyed) return;
    // A defect of the simulator must not look like a server's bad day.
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
    this.#parts.complain(`the simulator itself failed: ${text}`);
    if (!response.headersSent) response.writeHead(500);
    response.end();
  }
}

/** Ends early when the client leaves. */
async function drip(response: ServerResponse, bytes: Buffer, msPerByte: number): Promise<void> {
  for (let at = 0; at < bytes.length && !response.destroyed; at += 1) {
    response.write(bytes.subarray(at, at + 1));
    await sleep(msPerByte);
  }
  response.end();
}

/** A reset, as of a proxy that dies: the client sees ECONNRESET, not an orderly end. */
function cut(request: IncomingMessage): never {
  request.socket.resetAndDestroy();
  throw new ConnectionCut();
}
