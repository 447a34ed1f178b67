import { SatelliteError } from '../errors.ts';
import { cut } from '../ops/cut.ts';
import { type ProxyServer, proxyName } from './proxy-server.ts';

type Headers = Readonly<NodeJS.Dict<string | string[]>>;

/** Where a connection through the proxy was to lead. */
export interface ProxyTarget {
  /** `host:port` */
  readonly name: string;
  readonly url: string;
}

// None of these carries as its cause what was thrown where that could hold the proxy's credentials.

export function proxyUnreachable(proxy: ProxyServer, url: string, what: string, cause?: unknown): SatelliteError {
  return new SatelliteError(`The proxy ${proxyName(proxy)} ${what}`, {
    code: 'PROXY_UNREACHABLE',
    kind: 'retryable',
    hint: `Check host and port in ${proxy.source}, and the firewall between the satellite and the proxy.`,
    url,
    ...(cause === undefined ? {} : { cause }),
  });
}

/** What speaks there is not the kind of proxy that it was said to be. */
export function proxyProtocolWrong(proxy: ProxyServer, url: string): SatelliteError {
  const kind = proxy.protocol.startsWith('socks') ? 'SOCKS' : 'HTTP';
  return new SatelliteError(`What answers at ${proxyName(proxy)} is not a proxy that speaks ${kind}`, {
    code: 'PROXY_PROTOCOL_WRONG',
    kind: 'config',
    hint:
      proxy.source === 'satellite.proxy'
        ? 'Check port and type in satellite.proxy: http or socks.'
        : `Check port and scheme in ${proxy.source}.`,
    url,
  });
}

/**
 * Thrown when the proxy wants to know who asks, or does not believe it.
 *
 * @param schemes the `Proxy-Authenticate` header, where there is one
 */
export function proxyAuthenticationRequired(
  proxy: ProxyServer | undefined,
  url: string,
  schemes?: string | readonly string[],
): SatelliteError {
  const name = proxy === undefined ? 'A proxy on the way' : `The proxy ${proxyName(proxy)}`;
  const offered = schemesOf([schemes ?? []].flat().join(', '));
  const details = { code: 'PROXY_AUTHENTICATION_REQUIRED', kind: 'config', url } as const;
  if (offered.length > 0 && !offered.some((scheme) => scheme.toLowerCase() === 'basic')) {
    return new SatelliteError(`${name} wants a login by ${cut(offered.join(' or '), 80)} only`, {
      ...details,
      hint: 'The satellite can only log in with Basic: have it allowed for this user, or put a local proxy that can do more in between.',
    });
  }
  if (proxy?.credentials !== undefined) {
    return new SatelliteError(`${name} refuses the user name or password`, {
      ...details,
      hint:
        proxy.source === 'satellite.proxy'
          ? 'Check username, password and authorization_header in satellite.proxy.'
          : `Check user and password in ${proxy.source}; special characters have to be percent-encoded there.`,
    });
  }
  return new SatelliteError(`${name} asks for a user name and a password`, {
    ...details,
    hint:
      proxy === undefined || proxy.source === 'satellite.proxy'
        ? 'Write username and password into satellite.proxy.'
        : `Write them into ${proxy.source}: http://user:password@host:port.`,
  });
}

/** The names in a list of challenges (RFC 9110 §11.6.1): a token, and not the name of a parameter. */
function schemesOf(challenges: string): string[] {
  const bare = challenges.replace(/"[^"]*"/g, '""');
  return [...bare.matchAll(/(?:^|,)\s*([\w-]+)(?!\s*=)(?=[\s,]|$)/g)].map(([, scheme = '']) => scheme);
}

/** What the proxy says in place of the target, other than yes. To a wrong password tinyproxy says 401. */
export function connectRefused(
  proxy: ProxyServer,
  target: ProxyTarget,
  { statusCode, headers }: { readonly statusCode: number; readonly headers: Headers },
): SatelliteError {
  if (statusCode === 407 || statusCode === 401) {
    return proxyAuthenticationRequired(proxy, target.url, headers['proxy-authenticate'] ?? headers['www-authenticate']);
  }
  if (statusCode >= 500 || statusCode === 408 || statusCode === 429)
    return proxyConnectFailed(proxy, target, statusCode);
  return proxyForbids(proxy, target, statusCode);
}

/** The proxy works, but does not get through to the target. */
export function proxyConnectFailed(proxy: ProxyServer, target: ProxyTarget, answer: string | number): SatelliteError {
  return new SatelliteError(`The proxy ${proxyName(proxy)} cannot reach ${target.name} (${answer})`, {
    code: 'PROXY_CONNECT_FAILED',
    kind: 'retryable',
    hint: 'The proxy itself works. Check the url, and name resolution and firewall as the proxy sees them.',
    url: target.url,
  });
}

export function proxyForbids(proxy: ProxyServer, target: ProxyTarget, answer: string | number): SatelliteError {
  return new SatelliteError(`The proxy ${proxyName(proxy)} does not allow a connection to ${target.name} (${answer})`, {
    code: 'PROXY_REFUSED',
    kind: 'config',
    hint: `Have ${target.name} allowed on the proxy, or take it out of proxying with NO_PROXY or satellite.proxy.all_traffic.`,
    url: target.url,
  });
}

/**
 * With plain http the proxy may answer in place of the server. Undefined where it did not, or where nobody can tell: 407
 * is never a server's, and squid and tinyproxy put their mark on the answers that are their own.
 */
export function proxyAnswerError(
  { statusCode, headers, url }: { statusCode: number; headers: Headers; url: string },
  proxy: ProxyServer | undefined,
): SatelliteError | undefined {
  const isMarked = headers['x-squid-error'] !== undefined || /^tinyproxy/i.test(String(headers.server ?? ''));
  if (proxy !== undefined && isMarked) {
    return connectRefused(proxy, { name: new URL(url).host, url }, { statusCode, headers });
  }
  return statusCode === 407 ? proxyAuthenticationRequired(proxy, url, headers['proxy-authenticate']) : undefined;
}
