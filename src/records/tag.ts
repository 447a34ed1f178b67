import type { BitbucketTag } from '../bitbucket/types.ts';
import { fields, text } from './fields.ts';
import type { TagRecord } from './types.ts';

export function tagRecord(tag: BitbucketTag): TagRecord {
  return fields<TagRecord>({
    id: tag.id.toWellFormed(),
    displayId: text(tag.displayId),
    type: text(tag.type),
    latestCommit: text(tag.latestCommit),
    latestChangeset: text(tag.latestChangeset),
    hash: text(tag.hash),
  });
}
