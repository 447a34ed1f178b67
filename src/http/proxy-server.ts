import { isIPv6 } from 'node:net';
import type { IntegrationConfig, ProxyConfig, SatelliteConfig } from '../config/config.ts';
import { SatelliteError } from '../errors.ts';
import { isExempt } from './no-proxy.ts';

/** The two directions of traffic, and the first part of the codes of their errors. */
export type Leg = 'BITBUCKET' | 'SEI';

export type Env = Readonly<Record<string, string | undefined>>;

/** One proxy, with everything that is needed to get through it. */
export interface ProxyServer {
  /**
   * What is spoken with it. `socks5` and `socks4` look the target's name up here, `socks5h` and `socks4a` leave that to
   * the proxy.
   */
  readonly protocol: 'http' | 'https' | 'socks4' | 'socks4a' | 'socks5' | 'socks5h';
  /** Without the brackets of an IPv6 address. */
  readonly host: string;
  readonly port: number;
  readonly credentials?: { readonly username: string; readonly password: string };
  /** Name of the header that carries the credentials, with `http` and `https`. */
  readonly authorizationHeader: string;
  /** Where the operator wrote it down, for messages: `satellite.proxy` or the name of a variable. */
  readonly source: string;
}

/**
 * The proxy on the way to `url`; undefined: none. The file's proxy decides alone where there is one: it carries the
 * traffic to SEI, and that to Bitbucket only with `all_traffic` (sei-protocol §5.1). Otherwise the environment counts
 * for both legs.
 *
 * @throws SatelliteError `PROXY_URL_INVALID` for a variable that is not the url of a proxy
 */
export function proxyFor(
  leg: Leg,
  url: string,
  from: { readonly configured?: ProxyConfig | undefined; readonly env: Env },
): ProxyServer | undefined {
  const { configured, env } = from;
  if (configured !== undefined) {
    return leg === 'SEI' || configured.allTraffic ? proxyOfConfig(configured) : undefined;
  }
  const target = new URL(url);
  const variable = variableOf(env, target.protocol === 'https:' ? 'HTTPS_PROXY' : 'HTTP_PROXY', 'ALL_PROXY');
  if (variable === undefined) return undefined;
  if (isExempt(target, variableOf(env, 'NO_PROXY')?.value ?? '')) return undefined;
  return proxyOfVariable(variable.name, variable.value);
}

export function seiProxy({ url, proxy }: SatelliteConfig, env: Env): ProxyServer | undefined {
  return proxyFor('SEI', url, { configured: proxy, env });
}

export function bitbucketProxy(
  { url }: IntegrationConfig,
  { proxy }: SatelliteConfig,
  env: Env,
): ProxyServer | undefined {
  return proxyFor('BITBUCKET', url, { configured: proxy, env });
}

/** `host:port`, the only thing of a proxy that is fit to be printed. */
export function proxyName({ host, port }: ProxyServer): string {
  return hostAndPort(host, port);
}

export function hostAndPort(host: string, port: number | string): string {
  return `${isIPv6(host) ? `[${host}]` : host}:${port}`;
}

function proxyOfConfig({ type, host, port, username, password, authorizationHeader }: ProxyConfig): ProxyServer {
  return {
    protocol: type === 'socks' ? 'socks5h' : 'http',
    host: withoutBrackets(host),
    port,
    ...(username === undefined ? {} : { credentials: { username, password: password ?? '' } }),
    authorizationHeader,
    source: 'satellite.proxy',
  };
}

/** The first of the names that is set, each in lower case before upper case; an empty variable counts as not set. */
function variableOf(env: Env, ...names: string[]): { name: string; value: string } | undefined {
  for (const name of names.flatMap((upper) => [upper.toLowerCase(), upper])) {
    const value = env[name]?.trim();
    if (value) return { name, value };
  }
  return undefined;
}

const defaultPorts: Readonly<Record<ProxyServer['protocol'], number>> = {
  http: 80,
  https: 443,
  socks4: 1080,
  socks4a: 1080,
  socks5: 1080,
  socks5h: 1080,
};

function proxyOfVariable(name: string, value: string): ProxyServer {
  const url = parseUrl(/^[a-z][a-z\d+.-]*:\/\//i.test(value) ? value : `http://${value}`);
  const protocol = protocolOf(url?.protocol);
  // A password with a plain # or / in it ends the host name early: what looks like one then is the user's name.
  const isCut = value.includes('@') && url?.username === '';
  // The value is left out of the message on purpose, and the parser's error too: both may hold a password.
  if (url === undefined || protocol === undefined || url.hostname === '' || isCut) {
    throw new SatelliteError(`The environment variable ${name} is not the url of a proxy`, {
      code: 'PROXY_URL_INVALID',
      kind: 'config',
      hint: 'Write it as http://user:password@host:port; the scheme may be http, https, socks4, socks4a, socks5 or socks5h, and special characters of the password are percent-encoded.',
    });
  }
  const username = decoded(url.username);
  return {
    protocol,
    host: withoutBrackets(url.hostname),
    port: url.port === '' ? defaultPorts[protocol] : Number(url.port),
    ...(username === '' ? {} : { credentials: { username, password: decoded(url.password) } }),
    authorizationHeader: 'Proxy-Authorization',
    source: name,
  };
}

function parseUrl(text: string): URL | undefined {
  return URL.canParse(text) ? new URL(text) : undefined;
}

function protocolOf(scheme: string | undefined): ProxyServer['protocol'] | undefined {
  switch (scheme) {
    case 'http:':
    case 'https:':
    case 'socks4:':
    case 'socks4a:':
    case 'socks5:':
    case 'socks5h:':
      return scheme.slice(0, -1) as ProxyServer['protocol'];
    case 'socks:':
      return 'socks5h';
    default:
      return undefined;
  }
}

/** A stray % is taken as it stands. */
function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function withoutBrackets(host: string): string {
  return host.replace(/^\[|\]$/g, '');
}
