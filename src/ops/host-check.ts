import { isIP } from 'node:net';

/**
 * Whether a request may be answered by what its `Host` header says it was sent to. A page of a stranger that makes its
 * own name resolve to this machine (DNS rebinding) has the browser send that name; a number or a name of this machine it
 * cannot make it send. So numbers are answered (a Kubernetes probe and a scrape name the pod's), `localhost`, and the
 * name that `satellite.listen` has.
 */
export function isOwnHost(header: string | undefined, listenHost: string): boolean {
  const match = /^(\[[0-9a-f:.]+\]|[^:[\]\s/@]+)(?::\d{1,5})?$/i.exec(header ?? '');
  const host = match?.[1]?.replace(/^\[|\]$/g, '').toLowerCase();
  if (host === undefined) return false;
  return isIP(host) !== 0 || host === 'localhost' || host === listenHost.toLowerCase();
}
