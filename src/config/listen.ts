import type { ListenAddress } from './config.ts';

/** `host:port`, `[::1]:port`, `:port`, or `off`; undefined where it is none of these. */
export function parseListenAddress(text: string): ListenAddress | 'off' | undefined {
  if (/^(?:off|none)$/i.test(text)) return 'off';
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^\s:/[\]@]*)):(\d{1,5})$/.exec(text);
  if (!match) return undefined;
  const port = Number(match[3]);
  if (port > 65_535) return undefined;
  return { host: match[1] ?? (match[2] || '0.0.0.0'), port };
}
