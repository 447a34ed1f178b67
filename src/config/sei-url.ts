import { type AddressFault, isReadable, parseHttpUrl } from './http-url.ts';

export interface SeiUrl {
  /** Without a trailing slash and without `/v1`, which the calls add themselves. */
  readonly url: string;
  readonly hasLogin: boolean;
  /** The API key would cross a network in clear text. */
  readonly readable: boolean;
}

export function parseSeiUrl(text: string): SeiUrl | AddressFault {
  const url = parseHttpUrl(text);
  if ('problem' in url) return url;
  if (/(?:^|\.)harness\.io$/.test(url.hostname) && !url.segments.includes('api')) {
    return { problem: 'a page of Harness, not its API' };
  }
  const end = url.segments.indexOf('v1');
  const path = url.segments.slice(0, end < 0 ? undefined : end).map(encodeURIComponent);
  return {
    url: [url.origin, ...path].join('/'),
    hasLogin: url.hasLogin,
    readable: isReadable(url),
  };
}
