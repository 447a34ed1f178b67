import { once } from 'node:events';
import { isIP, type Socket, connect as tcpConnect } from 'node:net';
import { type DetailedPeerCertificate, type TLSSocket, connect as tlsConnect } from 'node:tls';
import { isLoopback } from '../config/http-url.ts';
import { SatelliteError } from '../errors.ts';
import { connectThroughProxy, connectToProxy } from '../http/proxy-connection.ts';
import { tlsError } from '../http/tls-error.ts';
import { watchTls } from '../http/tls-facts.ts';
import { cut } from '../ops/cut.ts';
import { counted, day, days } from './format.ts';
import type { Tell } from './step.ts';
import { connectTimeoutMs, type Way } from './way.ts';

/** Time enough to have a certificate renewed in an organisation that takes its time. */
const warnDays = 30;

/**
 * Connects to the server as the requests do, and looks at the certificates on the way.
 *
 * @throws SatelliteError `…_UNREACHABLE`, `…_TIMEOUT`, those of `tls-error.ts` and of `proxy-error.ts`
 */
export async function tryConnection(way: Way, nowMs: number, tell: Tell): Promise<void> {
  const socket = await open(way);
  try {
    if (way.isTls) await tryTls(way, socket, nowMs, tell);
    else tellPlain(way, tell);
  } finally {
    socket.destroy();
  }
}

async function open({ prefix, destination, isTls, name, route, url }: Way): Promise<Socket> {
  if (route !== undefined) {
    const isTunnel = isTls || route.proxy.protocol.startsWith('socks');
    return isTunnel ? connectThroughProxy(route, destination) : connectToProxy(route, url);
  }
  const socket = tcpConnect({ host: destination.host, port: destination.port });
  try {
    await inTime(socket, 'connect');
    return socket;
  } catch (thrown) {
    socket.destroy();
    throw connectError(thrown, { prefix, name, url });
  }
}

function tellPlain({ name, route, url }: Way, tell: Tell): void {
  const isExposed = !isLoopback(new URL(url).hostname);
  const to = route === undefined ? name : `the proxy, for ${name}`;
  tell({ detail: `connected to ${to}, ${isExposed ? 'in clear text' : 'without TLS on this machine'}` });
  if (!isExposed) return;
  tell({
    warning: true,
    code: 'CONNECTION_IN_CLEAR_TEXT',
    hint: 'Use https:// if the server has it: whoever is on the way can read the credentials.',
  });
}

async function tryTls(way: Way, socket: Socket, nowMs: number, tell: Tell): Promise<void> {
  const { prefix, destination, trust, insecure, facts, name, url } = way;
  const secured = tlsConnect({
    socket,
    host: destination.host,
    ...(isIP(destination.host) === 0 ? { servername: destination.host } : {}),
    ALPNProtocols: ['http/1.1'],
    secureContext: trust,
    // Said outright, so that NODE_TLS_REJECT_UNAUTHORIZED has no say.
    rejectUnauthorized: !insecure,
  });
  watchTls(secured, facts);
  try {
    await inTime(secured, 'secureConnect');
    tell(certificateFacts(secured, name, nowMs));
    if (insecure) tell(insecureFacts(secured));
  } catch (thrown) {
    throw tlsError(thrown, { prefix, name, url }, facts) ?? connectError(thrown, { prefix, name, url });
  } finally {
    secured.destroy();
  }
}

function certificateFacts(socket: TLSSocket, name: string, nowMs: number) {
  const chain = chainOf(socket.getPeerCertificate(true));
  const [leaf] = chain;
  if (leaf === undefined) return { detail: `${socket.getProtocol()} with ${name}` };
  // What ends first ends the connection, an intermediate certificate too.
  const first = chain.reduce((one, other) => (Date.parse(other.valid_to) < Date.parse(one.valid_to) ? other : one));
  const endMs = Date.parse(first.valid_to);
  const left = days(endMs - nowMs);
  const whose = first === leaf ? '' : ` (its authority ${nameOf(first.subject)})`;
  const facts = {
    detail: `${socket.getProtocol()}, certificate from ${nameOf(leaf.issuer)}, good until ${day(endMs)}${whose}: ${left < 0 ? 'it has expired' : counted(left, 'day', 'days')}`,
  };
  if (left >= warnDays) return facts;
  return {
    ...facts,
    warning: true,
    code: 'CERTIFICATE_ENDS_SOON',
    hint: `Have it renewed before ${day(endMs)}: from then on nothing is read or sent.`,
  };
}

/** `authorizationError` says what verification would have met. */
function insecureFacts({ authorizationError }: TLSSocket) {
  const would = authorizationError ? ` It would not pass: ${String(authorizationError)}.` : ' It would pass.';
  return {
    warning: true,
    code: 'TLS_NOT_VERIFIED',
    hint: `tls.insecure is on, so the certificate is not verified.${would} ${authorizationError ? 'Name its authority in tls.ca_file and remove tls.insecure.' : 'Remove tls.insecure.'}`,
  };
}

/** From the server's own to the last that it sent or that is known here. */
function chainOf(leaf: Partial<DetailedPeerCertificate>): DetailedPeerCertificate[] {
  const chain: DetailedPeerCertificate[] = [];
  for (let one = leaf; one?.subject !== undefined && one.fingerprint256 !== undefined; ) {
    chain.push(one as DetailedPeerCertificate);
    const next: Partial<DetailedPeerCertificate> | undefined = one.issuerCertificate;
    if (next === undefined || next.fingerprint256 === one.fingerprint256) break;
    one = next;
  }
  return chain;
}

/** Common name and organisation, what people know an authority by. */
function nameOf({ CN, O, OU }: Partial<Record<string, string | string[]>>): string {
  const parts = [CN ?? OU ?? [], O ?? []].flat();
  return parts.length === 0 ? 'an authority without a name' : cut(parts.join(', '), 200);
}

interface Peer {
  readonly prefix: Way['prefix'];
  readonly name: string;
  readonly url: string;
}

class NoAnswer extends Error {}

async function inTime(socket: Socket, event: 'connect' | 'secureConnect'): Promise<void> {
  const timer = setTimeout(() => socket.destroy(new NoAnswer()), connectTimeoutMs);
  try {
    await once(socket, event);
  } finally {
    clearTimeout(timer);
  }
}

function connectError(thrown: unknown, { prefix, name, url }: Peer): SatelliteError {
  if (thrown instanceof NoAnswer) {
    return new SatelliteError(`${name} does not answer within ${connectTimeoutMs / 1000} seconds`, {
      code: `${prefix}_TIMEOUT`,
      kind: 'retryable',
      hint: 'A firewall on the way probably drops the connection: have it opened for this machine, or set a proxy.',
      url,
    });
  }
  const { code = '', message } = thrown as NodeJS.ErrnoException;
  const isRefused = code === 'ECONNREFUSED';
  return new SatelliteError(
    isRefused ? `${name} refuses the connection` : `${name} cannot be reached: ${message || code}`,
    {
      code: `${prefix}_UNREACHABLE`,
      kind: 'retryable',
      hint: isRefused
        ? 'Nothing listens on that port: check host and port in url, and that the server runs.'
        : 'Check the url, and the route and the firewall between this machine and the server.',
      url,
      cause: thrown,
    },
  );
}
