export type ParsedUrl = { readonly url: string } | { readonly problem: string };

/** Base URL of SEI; the satellite adds `/v1` itself, so one that was copied along is dropped. */
export function parseSeiUrl(text: string): ParsedUrl {
  const parsed = parseHttpUrl(text);
  return 'problem' in parsed ? parsed : { url: parsed.url.replace(/\/v1$/, '').replace(/\/+$/, '') };
}

/** Base URL of Bitbucket with its context path. */
export function parseBitbucketUrl(text: string): ParsedUrl {
  const parsed = parseHttpUrl(text);
  return 'problem' in parsed
    ? parsed
    : { url: parsed.url.replace(/\/rest(?:\/api(?:\/[^/]+)?)?$/, '').replace(/\/+$/, '') };
}

function parseHttpUrl(text: string): ParsedUrl {
  if (!URL.canParse(text)) return { problem: 'not a URL' };
  const url = new URL(text);
  if (url.protocol !== 'https:' && url.protocol !== 'http:') return { problem: 'not an http or https URL' };
  return { url: `${url.protocol}//${url.host}${url.pathname.replace(/\/+$/, '')}` };
}
