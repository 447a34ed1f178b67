import type { BitbucketRepository } from '../bitbucket/types.ts';
import { tagRecord } from '../records/tag.ts';
import { repositoryPath } from './repository-path.ts';
import type { Scan, SliceCrawl } from './scan.ts';

/** All tags, as SEI keeps no window of them. There is no cursor: a list of a thousand is one request. */
export async function* crawlTags(scan: Scan, repository: BitbucketRepository): SliceCrawl {
  for await (const page of scan.bitbucket.tags(repositoryPath(repository))) {
    for (const tag of page.values) yield { record: tagRecord(tag) };
  }
  return [];
}
