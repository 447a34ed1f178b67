import got, { type Agents, type Got } from 'got';
import type { TlsConfig } from '../config/config.ts';
import { agentsFor } from './agents.ts';
import { type ProxyServer, proxyName } from './proxy-server.ts';
import type { TlsFacts } from './tls-facts.ts';
import { trustOf } from './trust.ts';

export interface HttpOptions {
  /** Without a trailing slash. */
  readonly baseUrl: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Total deadline of one request, from the call to the last byte of the answer. */
  readonly timeoutMs: number;
  /** `insecure`: the server's certificate is not verified. That of an https:// proxy always is. */
  readonly tls: TlsConfig & { readonly insecure?: boolean };
  /** Undefined: no proxy (`proxy-server.ts` decides). */
  readonly proxy?: ProxyServer | undefined;
  /** When aborted, all connections are let go: those that are kept for the next request, too, and those being set up. */
  readonly signal?: AbortSignal | undefined;
}

/** What got carries along with each request, errors included (`options.context`), for messages. */
export interface ConnectionContext extends Record<string, unknown> {
  readonly tlsFacts: TlsFacts;
  readonly proxyName: string | undefined;
}

/** A proxy that does not know how to reach the target may take its time to say so. */
const proxySetupTimeoutMs = 30_000;

/**
 * One leg's HTTP: got with keep-alive and a total deadline, and with everything off that decides on its own.
 * Retries are ours (`retry.ts`), because got gives up where `Retry-After` is longer than the deadline; a status is
 * classified by the leg, so none of them throws here; a redirect is followed on the same origin only, so that the
 * credentials never leave for another host.
 *
 * @throws SatelliteError a CA file or client certificate that cannot be used (`trust.ts`)
 */
export function createHttp({ baseUrl, headers, timeoutMs, tls, proxy, signal }: HttpOptions): Got {
  const insecure = tls.insecure === true;
  const trust = trustOf(tls);
  const setupTimeoutMs = Math.min(proxySetupTimeoutMs, timeoutMs);
  const route = proxy && { proxy, secureContext: trust.proxy, setupTimeoutMs, signal };
  const tlsFacts: TlsFacts = { hasClientCertificate: trust.hasClientCertificate };
  const context: ConnectionContext = { tlsFacts, proxyName: proxy && proxyName(proxy) };
  const way = agentsFor({ url: baseUrl, trust, facts: tlsFacts, insecure, route });
  signal?.addEventListener('abort', () => letGo(way.agent), { once: true });
  return got.extend({
    context,
    prefixUrl: `${baseUrl}/`,
    headers: { 'user-agent': 'ingestion-satellite', ...headers },
    ...way,
    timeout: { request: timeoutMs },
    retry: { limit: 0 },
    throwHttpErrors: false,
    followRedirect: ({ url, headers: { location } }) =>
      location !== undefined && new URL(location, url).origin === new URL(url).origin,
    maxRedirects: 3,
  });
}

function letGo({ http, https }: Agents): void {
  for (const agent of [http, https]) if (agent) agent.destroy();
}
