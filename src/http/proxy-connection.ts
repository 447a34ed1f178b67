import { lookup } from 'node:dns/promises';
import { once } from 'node:events';
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { isIP, type Socket, connect as tcpConnect } from 'node:net';
import { type SecureContext, connect as tlsConnect } from 'node:tls';
import { SocksClient } from 'socks';
import { SatelliteError } from '../errors.ts';
import {
  connectRefused,
  type ProxyTarget,
  proxyAuthenticationRequired,
  proxyConnectFailed,
  proxyForbids,
  proxyProtocolWrong,
  proxyUnreachable,
} from './proxy-error.ts';
import { hostAndPort, type ProxyServer, proxyName } from './proxy-server.ts';
import { tlsError } from './tls-error.ts';
import { type TlsFacts, watchTls } from './tls-facts.ts';

export interface ProxyRoute {
  readonly proxy: ProxyServer;
  /** For an https:// proxy. */
  readonly secureContext: SecureContext;
  /** From the first packet to the proxy until it says that the target is connected. */
  readonly setupTimeoutMs: number;
  /** When aborted, connections that are being set up are given up; those that stand stay. */
  readonly signal?: AbortSignal | undefined;
}

export interface Destination {
  /** Without the brackets of an IPv6 address. */
  readonly host: string;
  readonly port: number;
  /** For messages. */
  readonly url: string;
}

/**
 * A connection to the destination through the proxy: whatever is written to it arrives there.
 *
 * @throws SatelliteError the `PROXY_…` ones of `proxy-error.ts`
 */
export async function connectThroughProxy(route: ProxyRoute, destination: Destination): Promise<Socket> {
  return settingUp(route, destination.url, (socket) =>
    route.proxy.protocol.startsWith('socks')
      ? socksConnect(socket, route, destination)
      : httpConnect(socket, route.proxy, destination),
  );
}

/** A connection to the proxy itself, for requests in plain http, which it forwards. */
export async function connectToProxy(route: ProxyRoute, url: string): Promise<Socket> {
  return settingUp(route, url, async (socket) => socket);
}

/** The header that carries user and password to an HTTP proxy. */
export function proxyAuthorization({ credentials, authorizationHeader }: ProxyServer): Record<string, string> {
  if (credentials === undefined) return {};
  const { username, password } = credentials;
  return { [authorizationHeader]: `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}` };
}

async function settingUp(route: ProxyRoute, url: string, finish: (socket: Socket) => Promise<Socket>): Promise<Socket> {
  const { proxy, signal, setupTimeoutMs } = route;
  signal?.throwIfAborted();
  const isTls = proxy.protocol === 'https';
  const facts: TlsFacts = { hasClientCertificate: false };
  const socket = isTls ? openTls(route, facts) : tcpConnect({ host: proxy.host, port: proxy.port, keepAlive: true });
  // An error between two steps, when nobody happens to listen, must not end the process. The next step meets it.
  socket.on('error', () => undefined);
  let end: unknown;
  const giveUp = (reason: unknown) => {
    end = reason;
    socket.destroy(new Error('given up'));
  };
  const onAbort = () => giveUp(signal?.reason);
  signal?.addEventListener('abort', onAbort, { once: true });
  const timer = setTimeout(
    () => giveUp(proxyUnreachable(proxy, url, `does not answer within ${setupTimeoutMs / 1000} s`)),
    setupTimeoutMs,
  );
  try {
    await once(socket, isTls ? 'secureConnect' : 'connect');
    return await finish(socket);
  } catch (thrown) {
    socket.destroy();
    throw end ?? setupError(thrown, proxy, url, facts);
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', onAbort);
  }
}

function openTls({ proxy, secureContext }: ProxyRoute, facts: TlsFacts): Socket {
  const socket = tlsConnect({
    host: proxy.host,
    port: proxy.port,
    ...(isIP(proxy.host) === 0 ? { servername: proxy.host } : {}),
    ALPNProtocols: ['http/1.1'],
    secureContext,
    // Said outright, so that NODE_TLS_REJECT_UNAUTHORIZED has no say.
    rejectUnauthorized: true,
  });
  watchTls(socket, facts);
  return socket;
}

function setupError(thrown: unknown, proxy: ProxyServer, url: string, facts: TlsFacts): unknown {
  if (thrown instanceof SatelliteError) return thrown;
  const { code = '', message } = thrown as NodeJS.ErrnoException;
  if (code.startsWith('HPE_')) return proxyProtocolWrong(proxy, url);
  const refused =
    proxy.protocol === 'https' ? tlsError(thrown, { prefix: 'PROXY', name: proxyName(proxy), url }, facts) : undefined;
  if (refused !== undefined) return refused;
  const what =
    code === 'ECONNRESET' || code === 'EPIPE'
      ? `breaks the connection off (${code})`
      : `cannot be reached: ${message || code}`;
  return proxyUnreachable(proxy, url, what, thrown);
}

async function httpConnect(socket: Socket, proxy: ProxyServer, destination: Destination): Promise<Socket> {
  const target = targetOf(destination);
  const request = httpRequest({
    createConnection: () => socket,
    method: 'CONNECT',
    path: target.name,
    headers: { host: target.name, connection: 'keep-alive', ...proxyAuthorization(proxy) },
  });
  const answered = once(request, 'connect') as Promise<[IncomingMessage, Socket, Buffer]>;
  request.end();
  const [response, , head] = await answered;
  const { statusCode = 0, headers } = response;
  if (statusCode < 200 || statusCode > 299) {
    throw connectRefused(proxy, target, { statusCode, headers });
  }
  if (head.length > 0) socket.unshift(head);
  return socket;
}

async function socksConnect(socket: Socket, route: ProxyRoute, destination: Destination): Promise<Socket> {
  const { proxy, setupTimeoutMs } = route;
  const { protocol, credentials } = proxy;
  const isNameOurs = protocol === 'socks4' || protocol === 'socks5';
  const host = isNameOurs ? await addressOf(destination.host, protocol === 'socks4' ? 4 : 0) : destination.host;
  try {
    const connected = await SocksClient.createConnection({
      proxy: {
        host: proxy.host,
        port: proxy.port,
        type: protocol.startsWith('socks4') ? 4 : 5,
        ...(credentials === undefined ? {} : { userId: credentials.username, password: credentials.password }),
      },
      command: 'connect',
      destination: { host, port: destination.port },
      existing_socket: socket,
      timeout: setupTimeoutMs,
    });
    return connected.socket;
  } catch (thrown) {
    throw socksError(thrown, proxy, targetOf(destination));
  }
}

async function addressOf(host: string, family: 0 | 4): Promise<string> {
  try {
    const { address } = await lookup(host, family);
    return address;
  } catch (cause) {
    throw new SatelliteError(`The name ${host} cannot be resolved`, {
      code: 'PROXY_TARGET_UNRESOLVED',
      kind: 'retryable',
      hint: 'With socks5 and socks4 the satellite looks the name up itself; socks5h and socks4a leave that to the proxy.',
      cause,
    });
  }
}

/**
 * The library tells its errors apart by their text only, and puts the options with the password beside it: so the text is
 * read here, once, and the error itself goes no further.
 */
function socksError(thrown: unknown, proxy: ProxyServer, target: ProxyTarget): SatelliteError {
  const { message: text = '' } = (thrown ?? {}) as Partial<Error>;
  if (/authentication/i.test(text)) return proxyAuthenticationRequired(proxy, target.url);
  if (/rejected/i.test(text)) {
    const reason = text.split('- ').at(-1) ?? text;
    return /NotAllowed/.test(reason) ? proxyForbids(proxy, target, reason) : proxyConnectFailed(proxy, target, reason);
  }
  if (/invalid/i.test(text)) return proxyProtocolWrong(proxy, target.url);
  return proxyUnreachable(proxy, target.url, `breaks the connection off (${text})`);
}

function targetOf({ host, port, url }: Destination): ProxyTarget {
  return { name: hostAndPort(host, port), url };
}
