import type { SecureContext } from 'node:tls';
import type { TlsConfig } from '../config/config.ts';
import { hostOf, portOf } from '../http/no-proxy.ts';
import type { Destination, ProxyRoute } from '../http/proxy-connection.ts';
import { hostAndPort, type Leg, type ProxyServer } from '../http/proxy-server.ts';
import type { TlsFacts } from '../http/tls-facts.ts';
import { trustOf } from '../http/trust.ts';

/** All that decides how the connections to one server are made. */
export interface Way {
  /** First part of the codes of its errors. */
  readonly prefix: Leg;
  readonly url: string;
  readonly isTls: boolean;
  readonly destination: Destination;
  /** `host:port` */
  readonly name: string;
  readonly trust: SecureContext;
  readonly facts: TlsFacts;
  readonly insecure: boolean;
  /** Undefined: straight. */
  readonly route: ProxyRoute | undefined;
}

/** Nobody waits longer for a connection that is made by hand. */
export const connectTimeoutMs = 15_000;

export function wayTo(
  prefix: Leg,
  url: string,
  {
    tls,
    proxy,
  }: { readonly tls: TlsConfig & { readonly insecure?: boolean }; readonly proxy: ProxyServer | undefined },
): Way {
  const target = new URL(url);
  const destination = { host: hostOf(target), port: portOf(target), url };
  const trust = trustOf(tls);
  return {
    prefix,
    url,
    isTls: target.protocol === 'https:',
    destination,
    name: hostAndPort(destination.host, destination.port),
    trust: trust.server,
    facts: { hasClientCertificate: trust.hasClientCertificate },
    insecure: tls.insecure === true,
    route: proxy && { proxy, secureContext: trust.proxy, setupTimeoutMs: connectTimeoutMs },
  };
}
