import type { Page } from '../bitbucket/paging.ts';
import type { BitbucketCommit, BitbucketRepository } from '../bitbucket/types.ts';
import type { CommitRecord } from '../records/types.ts';
import type { TipRange } from './commit-range.ts';
import { enrichedCommit } from './enriched-commit.ts';
import type { GitSource } from './git-source.ts';
import { readAhead } from './read-ahead.ts';
import { repositoryPath } from './repository-path.ts';
import type { Scan } from './scan.ts';

/** Tip and base pin the range, so pages are stable; the next commit is the one `skip` after the page's start. */
export interface CommitsCursor {
  readonly tip: string;
  readonly base: string | undefined;
  readonly start: number;
  readonly skip: number;
  /** Counted in git's order, which need not be Bitbucket's: a cursor of the other source begins anew. */
  readonly source?: 'git';
}

type RangeCursor = Pick<CommitsCursor, 'start' | 'skip' | 'source'>;

/** Commits of one range, each with the cursor that goes on behind it. */
export async function* crawlRange(
  scan: Scan,
  repository: BitbucketRepository,
  range: TipRange,
  cursor?: RangeCursor,
  isWanted: (commit: BitbucketCommit) => boolean = () => true,
): AsyncGenerator<{ record: CommitRecord; cursor: CommitsCursor }, void, undefined> {
  if (range.tip === range.base) return;
  if (scan.git !== undefined && (yield* crawlClone(scan, scan.git, repository, range, cursor, isWanted))) return;
  const ofRest = cursor?.source === undefined ? cursor : undefined;
  yield* readAhead(
    listed(scan, repository, range, ofRest, isWanted),
    async ({ commit, cursor: next }) => ({ record: await enrichedCommit(scan, repository, commit), cursor: next }),
    scan.integration.rateLimit.maxInFlight,
  );
}

/**
 * The same commits with the same records from a clone: one process of git tells all of them with their files. A clone
 * that turns out to be damaged on the way is made again, and gone on with where it broke off.
 *
 * @returns false: there is no clone; everything has to come by REST, from the start
 */
async function* crawlClone(
  scan: Scan,
  git: GitSource,
  repository: BitbucketRepository,
  { tip, base, firstPage }: TipRange,
  cursor: RangeCursor | undefined,
  isWanted: (commit: BitbucketCommit) => boolean,
): AsyncGenerator<{ record: CommitRecord; cursor: CommitsCursor }, boolean, undefined> {
  const withFiles = scan.integration.metadata.fetchCommitFiles;
  if (firstPage !== undefined) git.people.learn(firstPage.values);
  let at = cursor?.source === 'git' ? cursor.start : 0;
  for (;;) {
    const clone = await git.open(repository, base === undefined ? [tip] : [tip, base]);
    if (clone === undefined) return false;
    const endReading = await git.startReading();
    const log = clone.commits({ until: tip, since: base }, { withFiles, skip: at });
    try {
      for (;;) {
        const next = await ofClone(() => log.next());
        if (next.done) return true;
        at++;
        const { files } = next.value;
        if (!isWanted(next.value.commit)) continue;
        const commit = await git.people.identified(scan, repository, next.value);
        const record = await enrichedCommit(scan, repository, commit, files);
        yield { record, cursor: { tip, base, start: at, skip: 0, source: 'git' } };
      }
    } catch (error) {
      if (!(error instanceof CloneError)) throw error;
      git.discard(repository, error.cause);
    } finally {
      await log.return();
      endReading();
    }
  }
}

/** Tells what fails in a clone from what fails elsewhere meanwhile. */
class CloneError extends Error {}

async function ofClone<T>(read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (cause) {
    throw new CloneError('the clone cannot be read', { cause });
  }
}

async function* listed(
  scan: Scan,
  repository: BitbucketRepository,
  range: TipRange,
  cursor: RangeCursor | undefined,
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
