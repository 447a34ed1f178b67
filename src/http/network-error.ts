import { RequestError } from 'got';
import { SatelliteError } from '../errors.ts';
import type { ConnectionContext } from './http.ts';
import { hostOf, portOf } from './no-proxy.ts';
import { hostAndPort, type Leg } from './proxy-server.ts';
import { tlsError } from './tls-error.ts';

/**
 * What got throws when no usable answer came: the deadline passed, the connection failed or broke, the proxy or a
 * certificate stood in the way. An abort and anything that is not got's is passed through as it is.
 */
export function networkError(thrown: unknown, leg: Leg, url: string): unknown {
  if (!(thrown instanceof RequestError) || thrown.name === 'AbortError') return thrown;
  const { cause, code } = thrown;
  // Given up by the satellite itself while the proxy had not answered yet.
  if ((cause as Partial<Error> | undefined)?.name === 'AbortError') return cause;
  if (cause instanceof SatelliteError) return proxyError(cause, url);
  const target = new URL(url);
  const { tlsFacts, proxyName } = contextOf(thrown);
  const peer = { prefix: leg, name: hostAndPort(hostOf(target), portOf(target)), url };
  const refused = tlsError(cause, peer, tlsFacts, thrown);
  if (refused !== undefined) return refused;
  const through = proxyName === undefined ? '' : ` (through the proxy ${proxyName})`;
  if (code === 'EMFILE' || code === 'ENFILE') return tooManyOpenFiles(url, thrown);
  const timedOut = code === 'ETIMEDOUT';
  // Where a name has several addresses and none answers, Node leaves the message empty.
  const what = thrown.message || code;
  return new SatelliteError(`${timedOut ? 'No complete answer in time' : 'Not reachable'}: ${what}${through}`, {
    code: `${leg}_${timedOut ? 'TIMEOUT' : 'UNREACHABLE'}`,
    kind: 'retryable',
    hint: `Check the url, name resolution, firewall and proxy between the satellite and the server.${brokenOffHint(code, target)}`,
    url,
    cause: thrown,
  });
}

/** The fault is here, so it costs the server's item no attempt. */
function tooManyOpenFiles(url: string, cause: unknown): SatelliteError {
  return new SatelliteError('The satellite has as many files and connections open as it may', {
    code: 'TOO_MANY_OPEN_FILES',
    kind: 'throttled',
    hint: 'Raise the limit of open files of the process (LimitNOFILE of systemd, --ulimit of Docker).',
    url,
    retryAfterMs: 1_000,
    cause,
  });
}

/** The request may have failed before it had any options. */
function contextOf({ options }: RequestError): ConnectionContext {
  const { tlsFacts = { hasClientCertificate: false }, proxyName } = (options?.context ??
    {}) as Partial<ConnectionContext>;
  return { tlsFacts, proxyName };
}

/** The connection knows the host only; the caller knows the resource. */
function proxyError(error: SatelliteError, url: string): SatelliteError {
  const { message, code, kind, hint, cause } = error;
  return new SatelliteError(message, { code, kind, url, cause, ...(hint === undefined ? {} : { hint }) });
}

/** A server may break off without a word where it is spoken to in the wrong way. */
function brokenOffHint(code: string, { protocol }: URL): string {
  if (code !== 'ECONNRESET' && code !== 'EPIPE' && !code.startsWith('HPE_')) return '';
  return protocol === 'https:'
    ? ' A server that wants a client certificate, or another one, may break off like this too.'
    : ' If that port speaks TLS, the url has to begin with https://.';
}
