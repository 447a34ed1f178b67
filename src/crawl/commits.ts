import { pMapIterable } from 'p-map';
import type { Page } from '../bitbucket/paging.ts';
import type { BitbucketCommit, BitbucketRepository } from '../bitbucket/types.ts';
import { defaultBranchRef, findCommitRange, type TipRange } from './commit-range.ts';
import { enrichedCommit } from './enriched-commit.ts';
import { repositoryPath } from './repository-path.ts';
import type { Scan, SliceCrawl } from './scan.ts';

/** Tip and base pin the range, so pages are stable; the next commit is the one `skip` after the page's start. */
export interface CommitsCursor {
  readonly tip: string;
  readonly base: string | undefined;
  readonly start: number;
  readonly skip: number;
}

/** Commits of the job's window with their files, newest first; ends with the tip that is covered by then. */
export async function* crawlCommits(
  scan: Scan,
  repository: BitbucketRepository,
  cursor: CommitsCursor | undefined,
): SliceCrawl {
  const range = cursor ?? (await findCommitRange(scan, repository));
  if (range === undefined) return undefined;
  if (range.tip !== range.base) {
    const enriched = pMapIterable(
      listed(scan, repository, range, cursor),
      async ({ commit, cursor: next }) => ({ record: await enrichedCommit(scan, repository, commit), cursor: next }),
      { concurrency: scan.integration.rateLimit.maxInFlight },
    );
    yield* enriched;
  }
  return { ref: defaultBranchRef, tip: range.tip };
}

async function* listed(
  scan: Scan,
  repository: BitbucketRepository,
  range: TipRange,
  cursor: CommitsCursor | undefined,
) {
  const { tip, base } = range;
  let skip = cursor?.skip ?? 0;
  for await (const page of pagesOf(scan, repository, range, cursor?.start)) {
    for (const [index, commit] of page.values.entries()) {
      if (index < skip) continue;
      const next: CommitsCursor = { tip, base, start: page.start, skip: index + 1 };
      yield { commit, cursor: next };
    }
    skip = 0;
  }
}

async function* pagesOf(
  scan: Scan,
  repository: BitbucketRepository,
  { tip, base, firstPage }: TipRange,
  start: number | undefined,
): AsyncGenerator<Page<BitbucketCommit>, void, undefined> {
  if (firstPage !== undefined) yield firstPage;
  const next = firstPage === undefined ? (start ?? 0) : firstPage.nextStart;
  if (next === undefined) return;
  yield* scan.bitbucket.commits(
    repositoryPath(repository),
    base === undefined ? { until: tip } : { until: tip, since: base },
    next,
  );
}
