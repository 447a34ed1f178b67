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
import type { KnownPullRequest } from '../store/pull-requests.ts';
import { enrichedCommit } from './enriched-commit.ts';
import { changedPullRequests, deleted } from './pull-request-changes.ts';
import { repositoryLabel, repositoryPath } from './repository-path.ts';
import type { Scan, SliceCrawl } from './scan.ts';

/**
 * Pull requests that the job has to send, with reviews and commits. What it has found is remembered with the job, so a
 * restarted slice lists again and reads only the rest.
 */
export async function* crawlPullRequests(scan: Scan, repository: BitbucketRepository): SliceCrawl {
  let failuresInARow = 0;
  yield* pMapIterable(
    changedPullRequests(scan, repository),
    async ({ found, pullRequest }) => {
      if (pullRequest === undefined) return { found };
      try {
        const record = await readRecord(scan, repository, pullRequest);
        failuresInARow = 0;
        return { found, record };
      } catch (error) {
        if (!(error instanceof SatelliteError) || !isOfItsOwn(error)) throw error;
        const { id } = pullRequest;
        if (error.code === 'BITBUCKET_NO_SUCH_PULL_REQUEST') return { found: deleted(id, found.readAtMs) };
        if (++failuresInARow >= maxFailuresInARow) throw error;
        const message = `${repositoryLabel(repository)} pull request ${id}: ${error.code}: ${error.message}`;
        scan.addFailure({ message, url: error.url ?? scan.integration.url }, error.code);
        return { found: unread(id) };
      }
    },
    { concurrency: scan.integration.rateLimit.maxInFlight },
  );
  return [];
}

/** So many pull requests that cannot be read one after the other are a server that fails altogether. */
const maxFailuresInARow = 5;

/** One that fails by itself must not keep back those behind it; a server that does not answer keeps back all. */
function isOfItsOwn({ kind, statusCode }: SatelliteError): boolean {
  return statusCode !== undefined && (kind === 'retryable' || kind === 'gone' || kind === 'permission');
}

/** Counts as open until it could be read, so every scan asks for it again. */
function unread(id: number): KnownPullRequest {
  return { id, fingerprint: 'unread', isOpen: true, readAtMs: 0 };
}

async function readRecord(scan: Scan, repository: BitbucketRepository, pullRequest: BitbucketPullRequest) {
  const [activities, commits] = await Promise.all([
    readActivities(scan, repository, pullRequest),
    readCommits(scan, repository, pullRequest),
  ]);
  return pullRequestRecord(pullRequest, {
    ...(activities === undefined ? {} : { activities }),
    ...(commits === undefined ? {} : { commits }),
  });
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
    const isSourceGone = error instanceof SatelliteError && error.kind === 'gone';
    if (!isSourceGone || error.code === 'BITBUCKET_NO_SUCH_PULL_REQUEST') throw error;
    const message = `${repositoryLabel(repository)} pull request ${id}: ${error.code}: its commits cannot be listed`;
    scan.addFailure({ message, url: error.url ?? scan.integration.url }, error.code);
  }
}
