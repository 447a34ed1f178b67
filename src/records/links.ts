import type { BitbucketLink, BitbucketLinks } from '../bitbucket/types.ts';
import { fields, text } from './fields.ts';
import type { LinksRecord } from './types.ts';

export function linksRecord(links: BitbucketLinks | null | undefined): LinksRecord | undefined {
  if (!links) return undefined;
  return fields<LinksRecord>({
    self: links.self ? usable(links.self).map(({ href }) => ({ href })) : undefined,
    clone: links.clone ? usable(links.clone) : undefined,
  });
}

/** Some answers hold a null in the place of a link; a link without an address is of no use either. */
function usable(links: readonly (BitbucketLink | null)[]): { href: string; name?: string }[] {
  return links.flatMap((link) => {
    const href = text(link?.href);
    return href === undefined ? [] : [fields<{ href: string; name?: string }>({ href, name: text(link?.name) })];
  });
}
