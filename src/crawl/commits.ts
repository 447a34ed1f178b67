import type { BitbucketRepository } from '../bitbucket/types.ts';
import { type BranchesCursor, crawlBranches } from './branches.ts';
import { defaultBranchRef, findCommitRange } from './commit-range.ts';
import { type CommitsCursor, crawlRange } from './range-commits.ts';
import type { Scan, SliceCrawl } from './scan.ts';

/** Commits of the job's window with their files, newest first; ends with the tips that are covered by then. */
export async function* crawlCommits(
  scan: Scan,
  repository: BitbucketRepository,
  cursor: CommitsCursor | BranchesCursor | undefined,
): SliceCrawl {
  const { branches } = scan.integration.metadata;
  if (branches.length > 0) {
    return yield* crawlBranches(scan, repository, cursor !== undefined && 'branches' in cursor ? cursor : undefined);
  }
  const own = cursor !== undefined && 'tip' in cursor ? cursor : undefined;
  const range = own ?? (await findCommitRange(scan, repository));
  if (range === undefined) return [];
  yield* crawlRange(scan, repository, range, own);
  return [{ ref: defaultBranchRef, tip: range.tip }];
}
