import type { BitbucketRepository } from '../bitbucket/types.ts';
import { repositoryRecord } from '../records/repository.ts';
import { repositoryPath } from './repository-path.ts';
import type { Scan, SliceCrawl } from './scan.ts';

/** The repository itself, with the name of its default branch. */
export async function* crawlRepository(scan: Scan, repository: BitbucketRepository): SliceCrawl {
  const branch = await scan.bitbucket.defaultBranch(repositoryPath(repository));
  yield { record: repositoryRecord(repository, branch?.displayId) };
  return [];
}
