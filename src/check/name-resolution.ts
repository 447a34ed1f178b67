import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';
import { SatelliteError } from '../errors.ts';
import { proxyName } from '../http/proxy-server.ts';
import { some } from './format.ts';
import type { Tell } from './step.ts';
import type { Way } from './way.ts';

/**
 * The addresses of the names that this machine itself has to know: behind a proxy that is the proxy's, and the server's
 * only where the proxy wants an address.
 *
 * @throws SatelliteError `…_NAME_UNKNOWN`
 */
export async function resolveNames({ prefix, destination, route }: Way, tell: Tell): Promise<void> {
  const { host } = destination;
  if (route === undefined) {
    tell({ detail: await resolve(prefix, host, 'url') });
    return;
  }
  const { proxy } = route;
  const own = await resolve('PROXY', proxy.host, proxy.source);
  const isNameOurs = proxy.protocol === 'socks4' || proxy.protocol === 'socks5';
  const target = isNameOurs ? await resolve(prefix, host, 'url') : `${host} is left to the proxy ${proxyName(proxy)}`;
  tell({ detail: `${own}; ${target}` });
}

async function resolve(prefix: Way['prefix'] | 'PROXY', host: string, source: string): Promise<string> {
  if (isIP(host) !== 0) return `${host} is an address`;
  try {
    const addresses = await lookup(host, { all: true });
    return `${host} is ${some([...new Set(addresses.map(({ address }) => address))], 3)}`;
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    const isUnknown = code === 'ENOTFOUND' || code === 'ENODATA';
    throw new SatelliteError(`The name ${host} ${isUnknown ? 'is not known' : 'cannot be looked up'} (${code})`, {
      code: `${prefix}_NAME_UNKNOWN`,
      kind: 'retryable',
      hint: isUnknown
        ? `Check its spelling in ${source}, and that this machine asks the DNS server that knows it; a container has a DNS of its own.`
        : 'No DNS server answers: check /etc/resolv.conf, or the DNS settings of the container.',
      cause,
    });
  }
}
