import { pMapIterable } from 'p-map';
import type { BitbucketActivity, BitbucketPullRequest, BitbucketRepository } from '../bitbucket/types.ts';
import { SatelliteError } from '../errors.ts';
import { epochMs } from '../records/epoch-ms.ts';
import { pullRequestRecord } from '../records/pull-request.ts';
import { fingerprint, hasChanged } from './fingerprint.ts';
import {
  changedPullRequests,
  deleted,
  maxFailuresInARow,
  reportUnread,
  type SeenPullRequest,
  unread,
} from './pull-request-changes.ts';
import { readCommits } from './pull-request-commits.ts';
import type { PullRequestPlace } from './pull-request-room.ts';
import { repositoryPath } from './repository-path.ts';
import type { Crawled, Scan, SliceCrawl } from './scan.ts';

/**
 * Pull requests that the job has to send, with reviews and commits, as they come: a large one keeps none behind it
 * waiting. What it has found is remembered with the job, so a restarted slice lists again and reads only the rest.
 */
export async function* crawlPullRequests(scan: Scan, repository: BitbucketRepository): SliceCrawl {
  let failuresInARow = 0;
  let isOver = false;
  const places = new Set<PullRequestPlace>();
  const read = async ({ found, pullRequest }: SeenPullRequest, place: PullRequestPlace): Promise<Crawled> => {
    if (pullRequest === undefined) return { found };
    try {
      const read = await readConsistently(scan, repository, pullRequest, place, found.sentMs);
      failuresInARow = 0;
      const isOpen = read.pullRequest.state === 'OPEN';
      const sentMs = read.record.updatedDate;
      return { found: { ...found, fingerprint: fingerprint(read.pullRequest), isOpen, sentMs }, record: read.record };
    } catch (error) {
      if (!(error instanceof SatelliteError) || !isOfItsOwn(error)) throw error;
      const { id } = pullRequest;
      if (error.code === 'BITBUCKET_NO_SUCH_PULL_REQUEST') return { found: deleted(id, found.readAtMs) };
      if (++failuresInARow >= maxFailuresInARow) throw error;
      reportUnread(scan, repository, id, error);
      return { found: unread(id) };
    }
  };
  const steps = pMapIterable(
    changedPullRequests(scan, repository),
    async (seen: SeenPullRequest) => {
      if (seen.pullRequest === undefined) return { step: { found: seen.found } };
      const place = await scan.pullRequestRoom.enter();
      places.add(place);
      if (isOver) place.leave();
      return { step: await read(seen, place), place };
    },
    // In their order, one that waits to be the only large one would keep back the one that it waits for.
    { concurrency: scan.integration.rateLimit.maxInFlight, preserveOrder: false },
  );
  try {
    for await (const { step, place } of steps) {
      yield step;
      place?.leave();
      if (place !== undefined) places.delete(place);
    }
  } finally {
    isOver = true;
    for (const place of places) place.leave();
  }
  return [];
}

/** One that fails by itself must not keep back those behind it; a server that does not answer keeps back all. */
function isOfItsOwn({ code, kind, statusCode }: SatelliteError): boolean {
  if (code === 'BITBUCKET_PULL_REQUEST_MOVING' || code === 'BITBUCKET_ANSWER_TOO_LARGE') return true;
  return statusCode !== undefined && (kind === 'retryable' || kind === 'gone' || kind === 'permission');
}

/** One that changes under our hands so often is left to the next scan. */
const maxReads = 4;

/**
 * What happens to an open pull request after it was listed would go out with the date of that happening and without its
 * effect: a merge as an open one with the date of its merge, which SEI never replaces, as no newer date follows. So where
 * the activities are ahead of what was listed, the pull request is looked at again, until nothing has moved meanwhile.
 */
async function readConsistently(
  scan: Scan,
  repository: BitbucketRepository,
  listed: BitbucketPullRequest,
  place: PullRequestPlace,
  sentMs: number | undefined,
) {
  let pullRequest = listed;
  for (let reads = 1; ; reads++) {
    place.begin();
    const [activities, commits] = await Promise.all([
      readActivities(scan, repository, pullRequest, place),
      readCommits(scan, repository, pullRequest, place),
    ]);
    const parts = {
      ...(activities === undefined ? {} : { activities }),
      ...(commits === undefined ? {} : { commits }),
      ...(sentMs === undefined ? {} : { sentMs }),
    };
    const record = pullRequestRecord(pullRequest, parts);
    if (!isAhead(activities ?? [], pullRequest)) return { pullRequest, record };
    const now = await scan.bitbucket.pullRequest(repositoryPath(repository), pullRequest.id);
    if (!hasChanged(fingerprint(pullRequest), fingerprint(now))) return { pullRequest, record };
    if (reads >= maxReads) throw movingError(pullRequest.id);
    pullRequest = now;
  }
}

/** Only of an open one the date comes from the activities. */
function isAhead(activities: readonly BitbucketActivity[], { state, updatedDate }: BitbucketPullRequest): boolean {
  const ownMs = epochMs(updatedDate) ?? 0;
  return state === 'OPEN' && activities.some(({ createdDate }) => (epochMs(createdDate) ?? 0) > ownMs);
}

function movingError(id: number): SatelliteError {
  return new SatelliteError(`Pull request ${id} changed each of the ${maxReads} times that it was read`, {
    code: 'BITBUCKET_PULL_REQUEST_MOVING',
    kind: 'retryable',
  });
}

/** Who, what and when. */
const activityBytes = 400;

/**
 * SEI learns of a merge from the MERGED activity alone (sei-protocol §4.6): where reviews are switched off, a merged pull
 * request still carries that one.
 */
async function readActivities(
  scan: Scan,
  repository: BitbucketRepository,
  { id, state }: BitbucketPullRequest,
  place: PullRequestPlace,
): Promise<BitbucketActivity[] | undefined> {
  const { fetchPrReviews } = scan.integration.metadata;
  if (!fetchPrReviews && state !== 'MERGED') return undefined;
  const kept: BitbucketActivity[] = [];
  for await (const activity of scan.bitbucket.activities(repositoryPath(repository), id)) {
    if (!fetchPrReviews && activity.action !== 'MERGED') continue;
    await place.grow(activityBytes);
    kept.push(withoutComment(activity));
    if (!fetchPrReviews) break;
  }
  return kept;
}

/** The answer also holds the comment and the source lines around it: they are let go at once. */
function withoutComment({ id, createdDate, user, action, commit }: BitbucketActivity): BitbucketActivity {
  return { id: id ?? null, createdDate: createdDate ?? null, user: user ?? null, action, commit: commit ?? null };
}
