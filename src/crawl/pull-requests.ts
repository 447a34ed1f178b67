import { pMapIterable } from 'p-map';
import type {
  BitbucketActivity,
  BitbucketCommit,
  BitbucketPullRequest,
  BitbucketRepository,
} from '../bitbucket/types.ts';
import { SatelliteError } from '../errors.ts';
import { pullRequestRecord } from '../records/pull-request.ts';
import type { CommitRecord } from '../records/types.ts';
import { enrichedCommit } from './enriched-commit.ts';
import { changedPullRequests } from './pull-request-changes.ts';
import { repositoryPath } from './repository-path.ts';
import type { Scan, SliceCrawl } from './scan.ts';

/**
 * Pull requests that the job has to send, with reviews and commits. What it has found is remembered with the job, so a
 * restarted slice lists again and reads only the rest.
 */
export async function* crawlPullRequests(scan: Scan, repository: BitbucketRepository): SliceCrawl {
  yield* pMapIterable(
    changedPullRequests(scan, repository),
    async ({ found, pullRequest }) => {
      if (pullRequest === undefined) return { found };
      const [activities, commits] = await Promise.all([
        readActivities(scan, repository, pullRequest),
        readCommits(scan, repository, pullRequest),
      ]);
      const record = pullRequestRecord(pullRequest, {
        ...(activities === undefined ? {} : { activities }),
        ...(commits === undefined ? {} : { commits }),
      });
      return { found, record };
    },
    { concurrency: scan.integration.rateLimit.maxInFlight },
  );
  return [];
}

/**
 * SEI learns of a merge from the MERGED activity alone (sei-protocol §4.6): where reviews are switched off, a merged pull
 * request still carries that one.
 */
async function readActivities(
  scan: Scan,
  repository: BitbucketRepository,
  { id, state }: BitbucketPullRequest,
): Promise<BitbucketActivity[] | undefined> {
  const { fetchPrReviews } = scan.integration.metadata;
  if (!fetchPrReviews && state !== 'MERGED') return undefined;
  const kept: BitbucketActivity[] = [];
  for await (const activity of scan.bitbucket.activities(repositoryPath(repository), id)) {
    if (!fetchPrReviews && activity.action !== 'MERGED') continue;
    kept.push(withoutComment(activity));
    if (!fetchPrReviews) break;
  }
  return kept;
}

/** The answer also holds the comment and the source lines around it: they are let go at once. */
function withoutComment({ id, createdDate, user, action, commit }: BitbucketActivity): BitbucketActivity {
  return { id: id ?? null, createdDate: createdDate ?? null, user: user ?? null, action, commit: commit ?? null };
}

async function readCommits(
  scan: Scan,
  repository: BitbucketRepository,
  { id }: BitbucketPullRequest,
): Promise<CommitRecord[] | undefined> {
  if (!scan.integration.metadata.fetchPrCommits) return undefined;
  const enriched = pMapIterable(
    listedCommits(scan, repository, id),
    (commit: BitbucketCommit) => enrichedCommit(scan, repository, commit),
    { concurrency: scan.integration.rateLimit.maxInFlight },
  );
  return Array.fromAsync(enriched);
}

/** The commits of a pull request whose source is gone cannot be listed any more; the pull request itself still counts. */
async function* listedCommits(scan: Scan, repository: BitbucketRepository, id: number) {
  try {
    yield* scan.bitbucket.pullRequestCommits(repositoryPath(repository), id);
  } catch (error) {
    if (!(error instanceof SatelliteError) || error.kind !== 'gone') throw error;
  }
}
