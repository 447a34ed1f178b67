import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { gunzipSync } from 'node:zlib';
import {
  type Answer,
  emptyAnswer,
  frameworkAnswer,
  refusalAnswer,
  rewritten,
  type Spoiling,
  streamAnswer,
  textAnswer,
  writeAnswer,
} from './answer.ts';
import { Authentication, type Caller } from './authentication.ts';
import type { World } from './call.ts';
import { Moved } from './catalogue.ts';
import { authenticationRequired, Refusal } from './errors.ts';
import { type FaultRule, Faults } from './faults.ts';
import { RateLimiter } from './rate-limiter.ts';
import { repositoryApiPath, userSlug } from './representation.ts';
import { RequestLog } from './request-log.ts';
import { apiRoutes, findRoute, type Matched, type Route, scmRoutes, statusRoute } from './routes.ts';
import { gitRefusalAnswer } from './scm-resources.ts';

/**
 * The HTTP side. A request meets, in this order: the log, the latency, a fault if one is armed, who is asking, the
 * rate limit, the route, the repository. Its signal is aborted when the client leaves or the simulator closes.
 */
export class SimulatorServer {
  readonly requests = new RequestLog();
  readonly faults = new Faults();
  readonly #world: World;
  readonly #routes: readonly Route[];
  readonly #authentication: Authentication;
  readonly #limiter: RateLimiter;
  readonly #server: Server;
  readonly #closing = new AbortController();
  readonly #startedAt = performance.now();

  constructor(world: World) {
    this.#world = world;
    this.#routes = apiRoutes(world.settings);
    this.#authentication = new Authentication(world.settings.credentials, world.accounts);
    this.#limiter = new RateLimiter(world.settings.rateLimit);
    this.#server = createServer({ keepAliveTimeout: 30_000 }, (request, response) => {
      this.#exchange(request, response).catch((error: unknown) => fail(response, error));
    });
  }

  /** Resolves with the base url. */
  async listen(): Promise<string> {
    const { port, contextPath } = this.#world.settings;
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject).listen(port, '127.0.0.1', resolve);
    });
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}${contextPath}`;
  }

  connections(): Promise<number> {
    return promisify(this.#server.getConnections.bind(this.#server))();
  }

  async close(): Promise<void> {
    this.#closing.abort();
    const closed = new Promise((resolve) => this.#server.close(resolve));
    this.#server.closeAllConnections();
    await closed;
  }

  async #exchange(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const [path = '', query = ''] = (request.url ?? '/').split(/\?(.*)/s);
    const found = this.#find(path);
    const resource = found instanceof Error ? 'unknown' : (found?.route.resource ?? 'unknown');
    const atMs = performance.now() - this.#startedAt;
    const isAnonymous = request.headers.authorization === undefined;
    const logged = { method: request.method ?? 'GET', resource, path, query, isAnonymous, status: 0, atMs };
    this.requests.begin(logged);
    const client = new AbortController();
    response.once('close', () => {
      this.requests.end();
      client.abort();
    });
    const signal = AbortSignal.any([client.signal, this.#closing.signal]);
    try {
      if (this.#world.settings.latencyMs > 0) await delay(this.#world.settings.latencyMs, undefined, { signal });
      const fault = this.faults.next(resource, request.url ?? '/');
      await fault?.meanwhile?.();
      if (fault?.delayMs !== undefined) await delay(fault.delayMs, undefined, { signal });
      if (fault?.hang) return;
      if (fault?.reset === 'before') {
        request.socket.resetAndDestroy();
        return;
      }
      const said = cannedAnswer(fault) ?? (await this.#answer(request, response, found, query, signal));
      if (signal.aborted) return;
      const answer = fault?.rewrite === undefined ? said : await rewritten(said, fault.rewrite);
      logged.status = answer.status;
      await writeAnswer(response, answer, spoilingOf(fault));
    } catch (error) {
      if (!signal.aborted) throw error;
    }
  }

  #find(path: string): Matched | undefined | URIError {
    const { contextPath } = this.#world.settings;
    if (!path.startsWith(`${contextPath}/`)) return undefined;
    const below = path.slice(contextPath.length);
    const api = /^\/rest\/api\/(?:1\.0|latest)(\/.*)$/.exec(below)?.[1];
    try {
      return api === undefined ? findRoute([statusRoute, ...scmRoutes], below) : findRoute(this.#routes, api);
    } catch (error) {
      return error as URIError;
    }
  }

  async #answer(
    request: IncomingMessage,
    response: ServerResponse,
    found: Matched | undefined | URIError,
    query: string,
    signal: AbortSignal,
  ): Promise<Answer> {
    const path = (request.url ?? '/').split('?')[0] ?? '';
    if (!path.startsWith(`${this.#world.settings.contextPath}/`)) return textAnswer('<h1>HTTP Status 404</h1>', 404);
    // The web server in front of the application takes neither a broken encoding nor a hidden slash.
    if (found instanceof Error || /%2f|%5c/i.test(path)) return textAnswer('<h1>HTTP Status 400</h1>', 400);
    this.#commonHeaders(response);
    try {
      const caller = this.#authentication.authenticate(
        request.headers.authorization,
        `${this.#world.representation.baseUrl}/login`,
      );
      if (caller) this.#callerHeaders(response, caller);
      else if (!found?.route.isAnonymous) throw authenticationRequired();
      const limited = caller && this.#limiter.refuse(caller.bucket, performance.now());
      return limited ?? (await this.#routed(request, found, caller, query, signal));
    } catch (error) {
      const isGit = found?.route.isGit === true;
      if (error instanceof Refusal) return isGit ? gitRefusalAnswer(error) : refusalAnswer(error);
      if (error instanceof Moved) return this.#redirect(error, request.url ?? '/');
      throw error;
    }
  }

  async #routed(
    request: IncomingMessage,
    found: Matched | undefined,
    caller: Caller | undefined,
    query: string,
    signal: AbortSignal,
  ): Promise<Answer> {
    const accept = request.headers.accept ?? '*/*';
    const asXml = this.#world.settings.unknownRoute === 'xml' || !accept.includes('application/json');
    if (!found) return frameworkAnswer(404, 'Not Found', asXml);
    if (request.method !== found.route.method && request.method !== 'HEAD') {
      const refused = frameworkAnswer(405, 'Method Not Allowed', asXml);
      return { ...refused, headers: { ...refused.headers, Allow: 'HEAD,GET,OPTIONS' } };
    }
    if (![...found.route.produces, '*/*', 'application/*'].some((type) => accept.includes(type)))
      return emptyAnswer(406);
    const call = {
      world: this.#world,
      params: found.params,
      query: new URLSearchParams(query),
      accept,
      gitProtocol: request.headers['git-protocol']?.toString(),
      body: () => bodyOf(request),
      caller,
      signal,
    };
    return found.route.answer(call);
  }

  /** 307 to the same resource under the repository's present name. */
  #redirect(moved: Moved, url: string): Answer {
    const location = url.replace(/\/projects\/[^/]+\/repos\/[^/?]+/, () => repositoryApiPath(moved.repository));
    return emptyAnswer(307, { Location: new URL(location, this.#world.representation.baseUrl).href });
  }

  #commonHeaders(response: ServerResponse): void {
    const minute = Math.floor(Date.now() / 60_000) % 1440;
    response.setHeader('X-AREQUESTID', `*SIM${minute}x${this.requests.total}x0`);
    response.setHeader('Cache-Control', ['private, no-cache', 'no-cache, no-transform']);
    response.setHeader('Pragma', 'no-cache');
    response.setHeader('Vary', ['X-AUSERNAME', 'Accept-Encoding']);
  }

  #callerHeaders(response: ServerResponse, { account }: Caller): void {
    response.setHeader('X-ASESSIONID', 'sim');
    if (!account) return;
    response.setHeader('X-AUSERID', String(account.id));
    response.setHeader('X-AUSERNAME', encodeURIComponent(userSlug(account)));
  }
}

async function bodyOf(request: IncomingMessage): Promise<Buffer> {
  const body = Buffer.concat(await Array.fromAsync(request as AsyncIterable<Buffer>));
  return request.headers['content-encoding'] === 'gzip' ? gunzipSync(body) : body;
}

/** A bug of the simulator, or a repository that git cannot read: said aloud instead of hidden in a hung request. */
function fail(response: ServerResponse, error: unknown): void {
  const message = error instanceof Error ? String(error.stack) : String(error);
  if (response.headersSent) response.destroy();
  else void writeAnswer(response, refusalAnswer(new Refusal(500, 'java.lang.IllegalStateException', message)), {});
}

function cannedAnswer(fault: FaultRule | undefined): Answer | undefined {
  if (fault?.stream) return streamAnswer(fault.stream());
  if (!fault || (fault.status === undefined && fault.body === undefined && fault.headers === undefined))
    return undefined;
  const status = fault.status ?? 200;
  const body = fault.body ?? `<html><body><h1>${status}</h1></body></html>`;
  const answer = textAnswer(body, status);
  return { ...answer, headers: { ...answer.headers, ...fault.headers } };
}

function spoilingOf(fault: FaultRule | undefined): Spoiling {
  return {
    truncate: fault?.truncate,
    resetInBody: fault?.reset === 'in-body',
    dripMsPerByte: fault?.drip,
    contentLength: fault?.contentLength,
  };
}
