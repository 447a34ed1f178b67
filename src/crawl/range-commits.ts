import { pMapIterable } from 'p-map';
import type { Page } from '../bitbucket/paging.ts';
import type { BitbucketCommit, BitbucketRepository } from '../bitbucket/types.ts';
import type { TipRange } from './commit-range.ts';
import { enrichedCommit } from './enriched-commit.ts';
import { repositoryPath } from './repository-path.ts';
import type { Scan } from './scan.ts';

/** Tip and base pin the range, so pages are stable; the next commit is the one `skip` after the page's start. */
export interface CommitsCursor {
  readonly tip: string;
  readonly base: string | undefined;
  readonly start: number;
  readonly skip: number;
}

/** Commits of one range, each with the cursor that goes on behind it. */
export async function* crawlRange(
  scan: Scan,
  repository: BitbucketRepository,
  range: TipRange,
  cursor?: Pick<CommitsCursor, 'start' | 'skip'>,
  isWanted: (commit: BitbucketCommit) => boolean = () => true,
) {
  if (range.tip === range.base) return;
  yield* pMapIterable(
    listed(scan, repository, range, cursor, isWanted),
    async ({ commit, cursor: next }) => ({ record: await enrichedCommit(scan, repository, commit), cursor: next }),
    { concurrency: scan.integration.rateLimit.maxInFlight },
  );
}

async function* listed(
  scan: Scan,
  repository: BitbucketRepository,
  range: TipRange,
  cursor: Pick<CommitsCursor, 'start' | 'skip'> | undefined,
  isWanted: (commit: BitbucketCommit) => boolean,
) {
  const { tip, base } = range;
  let skip = cursor?.skip ?? 0;
  for await (const page of pagesOf(scan, repository, range, cursor?.start)) {
    for (const [index, commit] of page.values.entries()) {
      if (index < skip || !isWanted(commit)) continue;
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
