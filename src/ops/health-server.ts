import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { ListenAddress } from '../config/config.ts';
import { SatelliteError } from '../errors.ts';
import { isOwnHost } from './host-check.ts';
import type { Monitor } from './monitor.ts';
import { withoutControls } from './plain-text.ts';
import type { Redactor } from './redact.ts';
import { statusPage, statusPagePolicy } from './status-page.ts';
import { reasonsAgainst } from './status-report.ts';

/** A request is a line and a few headers; who is slower than this is no monitor. */
const requestTimeoutMs = 5_000;
const idleTimeoutMs = 10_000;
const maxConnections = 32;
const maxHeaderBytes = 8 * 1024;

interface Answer {
  readonly status: number;
  readonly type: string;
  readonly body: string;
  readonly headers?: Readonly<Record<string, string>>;
}

const plain = 'text/plain; charset=utf-8';

/** The page refreshes itself; whoever reads it in peace asks for one that does not. */
const refreshOff = 'refresh=off';

/**
 * Health, metrics and the status page. Everything is made from one report, and nothing that is asked here changes
 * anything. There is no login: it listens on the loopback address unless the configuration says otherwise.
 *
 * new → `listen` → listening → `close` → closed. It outlives the daemons of a process, so that a reload is not seen.
 */
export class HealthServer {
  readonly #monitor: Monitor;
  readonly #listenHost: string;
  readonly #server: Server;

  private constructor(monitor: Monitor, redactor: Redactor, listenHost: string) {
    this.#monitor = monitor;
    this.#listenHost = listenHost;
    this.#server = createServer(
      {
        maxHeaderSize: maxHeaderBytes,
        headersTimeout: requestTimeoutMs,
        requestTimeout: requestTimeoutMs,
        keepAliveTimeout: requestTimeoutMs,
        connectionsCheckingInterval: 1_000,
      },
      (request, response) => {
        // Nothing is read from whoever asks.
        request.resume();
        this.#answer(request)
          .catch((): Answer => ({ status: 500, type: plain, body: 'It cannot be told now.\n' }))
          .then((answer) => send(request, response, { ...answer, body: redactor.finished(answer.body) }))
          .catch(() => response.destroy());
      },
    );
    this.#server.maxConnections = maxConnections;
    this.#server.timeout = idleTimeoutMs;
  }

  /** @throws SatelliteError `LISTEN_FAILED`: the port is taken, or the address is none of this machine */
  static async listen({ host, port }: ListenAddress, monitor: Monitor, redactor: Redactor): Promise<HealthServer> {
    const health = new HealthServer(monitor, redactor, host);
    await new Promise<void>((resolve, reject) => {
      health.#server.once('error', (cause: NodeJS.ErrnoException) => reject(listenFailed(host, port, cause)));
      health.#server.listen(port, host, resolve);
    });
    // What goes wrong with one connection is that connection's matter.
    health.#server.on('error', () => undefined);
    return health;
  }

  /** Undefined once it is closed. */
  get port(): number | undefined {
    const address = this.#server.address();
    return address === null || typeof address === 'string' ? undefined : address.port;
  }

  async close(): Promise<void> {
    await new Promise((resolve) => {
      this.#server.close(resolve);
      this.#server.closeAllConnections();
    });
  }

  async #answer({ method, url = '/', headers }: IncomingMessage): Promise<Answer> {
    if (!isOwnHost(headers.host, this.#listenHost)) {
      const body = 'This name is not answered: use the address, or name the host in satellite.listen.\n';
      return { status: 421, type: plain, body };
    }
    if (method !== 'GET' && method !== 'HEAD') {
      return { status: 405, type: plain, body: 'Only GET and HEAD.\n', headers: { allow: 'GET, HEAD' } };
    }
    const [path, query] = url.split('?');
    // Whether the loop turns is asked most often, and must not cost a look into the store.
    if (path === '/livez') {
      return this.#monitor.health.report().live
        ? { status: 200, type: plain, body: 'live\n' }
        : { status: 503, type: plain, body: 'not live: the loop stands still\n' };
    }
    const report = this.#monitor.report();
    switch (path) {
      case '/readyz':
        return report.ready
          ? { status: 200, type: plain, body: 'ready\n' }
          : { status: 503, type: plain, body: `not ready\n${reasonsAgainst(report).map(oneLine).join('\n')}\n` };
      case '/metrics': {
        const { metrics } = this.#monitor;
        return { status: 200, type: metrics.contentType, body: await metrics.text(report) };
      }
      case '/status.json':
        return { status: 200, type: 'application/json', body: `${JSON.stringify(report, undefined, 2)}\n` };
      case '/':
        return {
          status: 200,
          type: 'text/html; charset=utf-8',
          body: statusPage(report, { refreshes: query !== refreshOff }),
          headers: { 'content-security-policy': statusPagePolicy },
        };
      default:
        return { status: 404, type: plain, body: '/, /livez, /readyz, /metrics and /status.json are here.\n' };
    }
  }
}

/** A message of several lines is still one reason. */
function oneLine(text: string): string {
  return withoutControls(text).replace(/\s+/g, ' ');
}

function send({ method }: IncomingMessage, response: ServerResponse, { status, type, body, headers }: Answer): void {
  response.writeHead(status, {
    'content-type': type,
    'content-length': Buffer.byteLength(body),
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
    'referrer-policy': 'no-referrer',
    'cross-origin-resource-policy': 'same-origin',
    'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
    ...headers,
  });
  response.end(method === 'HEAD' ? undefined : body);
}

function listenFailed(host: string, port: number, cause: NodeJS.ErrnoException): SatelliteError {
  const reasons: Readonly<Record<string, string>> = {
    EADDRINUSE: 'another process uses the port',
    EACCES: 'this user may not listen on it',
    EADDRNOTAVAIL: 'it is no address of this machine',
    ENOTFOUND: 'the name does not resolve here',
  };
  const reason = reasons[cause.code ?? ''] ?? cause.message;
  return new SatelliteError(`Health and metrics cannot be served at ${host}:${port}: ${reason}`, {
    code: 'LISTEN_FAILED',
    kind: 'config',
    hint: 'Set satellite.listen to another address, or to off.',
    cause,
  });
}
