import http from 'node:http';
import https from 'node:https';
import type { Duplex } from 'node:stream';
import type { Agents, RequestFunction } from 'got';
import { hostOf, portOf } from './no-proxy.ts';
import {
  connectThroughProxy,
  connectToProxy,
  type Destination,
  type ProxyRoute,
  proxyAuthorization,
} from './proxy-connection.ts';
import { type TlsFacts, watchTls } from './tls-facts.ts';
import type { Trust } from './trust.ts';

export interface Way {
  /** What the requests go to; the connections lead to its host and port only. */
  readonly url: string;
  readonly trust: Trust;
  /** Kept up to date with each connection. */
  readonly facts: TlsFacts;
  readonly insecure: boolean;
  /** Undefined: straight. */
  readonly route: ProxyRoute | undefined;
}

/**
 * How got gets its connections. An https target is reached through the proxy by a tunnel, inside which TLS is made with
 * the target itself: the proxy sees neither the requests nor the credentials in them. Plain http is handed to an HTTP
 * proxy request by request, as proxies commonly allow tunnels to port 443 only.
 */
export function agentsFor({ url, trust, facts, insecure, route }: Way): { agent: Agents; request?: RequestFunction } {
  const target = new URL(url);
  const destination: Destination = { host: hostOf(target), port: portOf(target), url };
  if (target.protocol === 'https:') {
    const open = route && (() => connectThroughProxy(route, destination));
    return { agent: { https: new HttpsAgent({ trust, facts, insecure }, open) } };
  }
  if (route === undefined) return { agent: { http: new http.Agent({ keepAlive: true }) } };
  if (route.proxy.protocol.startsWith('socks')) {
    return {
      agent: { http: new ProxiedHttpAgent({ keepAlive: true }, () => connectThroughProxy(route, destination)) },
    };
  }
  return {
    // tinyproxy closes the connection after each answer without announcing it, so that the next request on it would fail.
    agent: { http: new ProxiedHttpAgent({ keepAlive: false }, () => connectToProxy(route, url)) },
    request: forwardedRequest(proxyAuthorization(route.proxy)),
  };
}

type OpenConnection = () => Promise<Duplex>;
type OnCreated = (error: Error | null, stream: Duplex) => void;

class HttpsAgent extends https.Agent {
  readonly #facts: TlsFacts;
  readonly #open: OpenConnection | undefined;

  constructor({ trust, facts, insecure }: Pick<Way, 'trust' | 'facts' | 'insecure'>, open: OpenConnection | undefined) {
    // `rejectUnauthorized` is said outright, so that NODE_TLS_REJECT_UNAUTHORIZED has no say.
    super({ keepAlive: true, secureContext: trust.server, rejectUnauthorized: !insecure });
    this.#facts = facts;
    this.#open = open;
  }

  override createConnection(options: https.RequestOptions, onCreated?: OnCreated): Duplex | null | undefined {
    const secured = (tunnel?: Duplex) => {
      const socket = super.createConnection({ ...options, ...(tunnel && { socket: tunnel }) });
      watchTls(socket, this.#facts);
      return socket;
    };
    if (this.#open === undefined) return secured();
    hand(this.#open().then(secured), onCreated);
    return undefined;
  }
}

class ProxiedHttpAgent extends http.Agent {
  readonly #open: OpenConnection;

  constructor(options: http.AgentOptions, open: OpenConnection) {
    super(options);
    this.#open = open;
  }

  override createConnection(_options: http.ClientRequestArgs, onCreated?: OnCreated): undefined {
    hand(this.#open(), onCreated);
  }
}

function hand(connection: Promise<Duplex | null | undefined>, onCreated: OnCreated | undefined): void {
  connection.then(
    (socket) => socket && onCreated?.(null, socket),
    // Node looks at the error first; the type just does not say that there is no stream then.
    (error: Error) => onCreated?.(error, undefined as unknown as Duplex),
  );
}

/** The proxy is told the whole url, and the credentials only it may see are added here: nothing else ever holds them. */
function forwardedRequest(authorization: Readonly<Record<string, string>>): RequestFunction {
  return (url, options, callback) =>
    http.request(
      url,
      {
        ...options,
        path: `${url.origin}${url.pathname}${url.search}`,
        headers: { ...options.headers, ...authorization },
      },
      callback,
    );
}
