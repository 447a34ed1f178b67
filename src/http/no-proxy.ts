import { BlockList, isIP, isIPv6 } from 'node:net';

/**
 * Whether `NO_PROXY` takes a url out of proxying. Entries are separated by commas or blanks:
 * - `*` is everything
 * - `example.com`, `.example.com` and `*.example.com` are that host and all below it, as curl reads them
 * - `10.1.2.3`, `::1`, `10.0.0.0/8`, `fd00::/8` are compared with addresses as they stand in the url; a host name is
 *   never looked up for this, because the answer may depend on which side of the proxy asks
 * - `:port` behind any of them (an IPv6 address then in brackets) narrows it to that port
 *
 * The loopback addresses are not special: who wants them direct writes them down.
 */
export function isExempt(url: URL, noProxy: string): boolean {
  const host = hostOf(url);
  const port = portOf(url);
  return noProxy
    .split(/[\s,]+/)
    .filter((entry) => entry !== '')
    .some((entry) => covers(entry, host, port));
}

/** The host without the brackets of an IPv6 address and without a final dot. */
export function hostOf({ hostname }: URL): string {
  return hostname.replace(/^\[|\]$|\.$/g, '').toLowerCase();
}

export function portOf({ port, protocol }: URL): number {
  return port === '' ? (protocol === 'https:' ? 443 : 80) : Number(port);
}

function covers(entry: string, host: string, port: number): boolean {
  const { name, onlyPort } = splitPort(entry);
  if (onlyPort !== undefined && onlyPort !== port) return false;
  if (name === '*') return true;
  if (isIP(host) !== 0) return coversAddress(name, host);
  const domain = name.toLowerCase().replace(/^\*?\.|\.$/g, '');
  return domain !== '' && (host === domain || host.endsWith(`.${domain}`));
}

function splitPort(entry: string): { name: string; onlyPort?: number } {
  const bracketed = /^\[(.*)\](?::(\d+))?$/.exec(entry);
  if (bracketed !== null) return split(bracketed[1] ?? '', bracketed[2]);
  if (isIPv6(entry.replace(/\/\d+$/, ''))) return { name: entry };
  const plain = /^(.*?)(?::(\d+))?$/.exec(entry);
  return split(plain?.[1] ?? entry, plain?.[2]);
}

function split(name: string, port: string | undefined) {
  return port === undefined ? { name } : { name, onlyPort: Number(port) };
}

function coversAddress(name: string, address: string): boolean {
  const [network = '', prefix] = name.split('/');
  const bits = isIP(network) === 4 ? 32 : 128;
  if (isIP(network) === 0 || (prefix !== undefined && !(/^\d+$/.test(prefix) && Number(prefix) <= bits))) return false;
  const list = new BlockList();
  list.addSubnet(network, prefix === undefined ? bits : Number(prefix), familyOf(network));
  return list.check(address, familyOf(address));
}

function familyOf(address: string): 'ipv4' | 'ipv6' {
  return isIPv6(address) ? 'ipv6' : 'ipv4';
}
