import { pMapIterable } from 'p-map';
import type { BitbucketPullRequest, BitbucketRepository } from '../bitbucket/types.ts';
import { SatelliteError } from '../errors.ts';
import { epochMs } from '../records/epoch-ms.ts';
import type { KnownPullRequest } from '../store/pull-requests.ts';
import { fingerprint, hasChanged } from './fingerprint.ts';
import { repositoryLabel, repositoryPath } from './repository-path.ts';
import type { Scan } from './scan.ts';
import { windowFromMs } from './window.ts';

const dayMs = 24 * 60 * 60 * 1000;

/** Replies and edits of comments leave no trace in a list: an open pull request is read again after this long. */
const rereadOpenAfterMs = dayMs;

export interface SeenPullRequest {
  readonly found: KnownPullRequest;
  /** Present where it has to be read and sent; absent where it is only to be remembered. */
  readonly pullRequest?: BitbucketPullRequest;
}

/**
 * The pull requests of a repository, each once, with those that a job has to send. Neither `updatedDate` nor the order
 * of the list is trusted (bitbucket-dc-rest §1, §5):
 *
 * - A first scan, a full one, and one that asks again for what was covered sweep all states and send what is open, was
 *   updated since `from`, or is new since the last acknowledged scan, which may have ended before `from`. Asked again,
 *   an open one that has not changed, and of which SEI has nothing that happened since `from`, is left out.
 * - An incremental one reads the list of all states as far as it shows something new, then the whole list of open ones,
 *   and asks for those that were open and are in neither. It sends what is unknown or has another fingerprint. After a
 *   scan that broke off it reads the whole list, and so does the first scan of a day (UTC): a server that lists by creation
 *   shows nowhere else that an old one was reopened and closed again between two scans.
 */
export async function* changedPullRequests(
  scan: Scan,
  repository: BitbucketRepository,
): AsyncGenerator<SeenPullRequest, void, undefined> {
  const { job, store, bitbucket } = scan;
  const path = repositoryPath(repository);
  const coveredToMs = store.coverage.pullRequestsToMs(job.integrationId, repository.id);
  const fromMs = windowFromMs(scan, repository, 'pull_requests');
  const isSweep = job.isFull || coveredToMs === undefined || fromMs < coveredToMs;
  const isFirstOfDay = dayOf(coveredToMs ?? 0) !== dayOf(job.toMs);
  const hasGap = store.coverage.hasGap(job, repository.id, 'pull_requests');
  // A scan that broke off has left known ones at the top of the list and unknown ones below them.
  const readsAll = isSweep || isFirstOfDay || hasGap;
  const isRepeat = isSweep && !job.isFull && !hasGap;
  const seen = new Set<number>();

  const isKnownToJob = (id: number) => seen.has(id) || store.pullRequests.isFound(job.id, repository.id, id);
  const look = (pullRequest: BitbucketPullRequest): SeenPullRequest | undefined => {
    if (isKnownToJob(pullRequest.id)) return undefined;
    seen.add(pullRequest.id);
    const known = store.pullRequests.get(job.integrationId, repository.id, pullRequest.id);
    const print = fingerprint(pullRequest);
    const isOpen = pullRequest.state === 'OPEN';
    const nowMs = scan.clock.now();
    // Whatever there was at the last acknowledged scan is known: the unknown is new, even where it is older than `from`.
    const isNew = known === undefined && coveredToMs !== undefined;
    const isChanged = isNew || (known !== undefined && hasChanged(known.fingerprint, print));
    const sentMs = known?.sentMs;
    const isLeftOut = !isOpen || (isRepeat && sentMs !== undefined && sentMs < fromMs);
    const isWanted =
      isChanged ||
      (isSweep && (!isLeftOut || (epochMs(pullRequest.updatedDate) ?? 0) >= fromMs)) ||
      (isOpen && known !== undefined && nowMs - known.readAtMs >= rereadOpenAfterMs);
    const found = {
      id: pullRequest.id,
      fingerprint: print,
      isOpen,
      readAtMs: isWanted ? nowMs : (known?.readAtMs ?? 0),
      sentMs,
    };
    if (isWanted) return { found, pullRequest };
    return known !== undefined && !isChanged ? undefined : { found };
  };

  let isComplete = true;
  let pages = 0;
  for await (const page of bitbucket.pullRequests(path, 'ALL')) {
    let isNews = false;
    pages++;
    for (const pullRequest of page.values) {
      // What the job found before a restart, or on the page before, was news then and ends nothing now.
      isNews ||= isKnownToJob(pullRequest.id);
      const step = look(pullRequest);
      isNews ||= step !== undefined;
      if (step !== undefined) yield step;
    }
    if (!readsAll && !isNews && page.values.length > 0 && page.nextStart !== undefined) {
      isComplete = false;
      break;
    }
  }
  if (!isComplete) {
    for await (const page of bitbucket.pullRequests(path, 'OPEN')) {
      for (const pullRequest of page.values) {
        const step = look(pullRequest);
        if (step !== undefined) yield step;
      }
    }
  }
  const isNew = (id: number) => store.pullRequests.get(job.integrationId, repository.id, id) === undefined;
  const skipped = pages > 1 && readsAll ? gapsIn(seen).filter(isNew) : [];
  const missing = [...store.pullRequests.openIds(job.integrationId, repository.id), ...skipped];
  let failuresInARow = 0;
  const lookUpOrReport = async (id: number) => {
    try {
      const step = await lookUp(scan, repository, id, look);
      failuresInARow = 0;
      return step;
    } catch (error) {
      const isOfItsOwn =
        error instanceof SatelliteError && error.kind === 'retryable' && error.statusCode !== undefined;
      if (!isOfItsOwn || ++failuresInARow >= maxFailuresInARow) throw error;
      reportUnread(scan, repository, id, error);
      return { found: unread(id) };
    }
  };
  const steps = pMapIterable(
    missing.filter((id) => !isKnownToJob(id)),
    lookUpOrReport,
    { concurrency: scan.integration.rateLimit.maxInFlight },
  );
  for await (const step of steps) if (step !== undefined) yield step;
}

/** So many pull requests that cannot be read one after the other are a server that fails altogether. */
export const maxFailuresInARow = 5;

export function reportUnread(scan: Scan, repository: BitbucketRepository, id: number, error: SatelliteError): void {
  const message = `${repositoryLabel(repository)} pull request ${id}: ${error.code}: ${error.message}`;
  scan.addFailure({ message, url: error.url ?? scan.integration.url }, error.code);
}

/** Counts as open until it could be read, so every scan asks for it again. */
export function unread(id: number): KnownPullRequest {
  return { id, fingerprint: 'unread', isOpen: true, readAtMs: 0 };
}

function dayOf(epochMs: number): number {
  return Math.floor(epochMs / dayMs);
}

/** A server whose numbers jump would cost a request for each number that it left out. */
const maxGaps = 200;

/**
 * Numbers that a list of several pages did not show between those that it did, latest first: one that is deleted while
 * the list is read moves the rest up by one, over the edge of a page that was read already.
 */
function gapsIn(seen: ReadonlySet<number>): number[] {
  const gaps: number[] = [];
  let highest = 0;
  for (const id of seen) if (id > highest) highest = id;
  for (let id = highest - 1; id > 0 && gaps.length < maxGaps; id--) if (!seen.has(id)) gaps.push(id);
  return gaps;
}

/** Remembered as closed, so that nobody asks for it again. */
export function deleted(id: number, readAtMs: number): KnownPullRequest {
  return { id, fingerprint: 'deleted', isOpen: false, readAtMs };
}

/** One that was open and has left the lists: closed, deleted, or moved between two pages while they were read. */
async function lookUp(
  scan: Scan,
  repository: BitbucketRepository,
  id: number,
  look: (pullRequest: BitbucketPullRequest) => SeenPullRequest | undefined,
): Promise<SeenPullRequest | undefined> {
  try {
    return look(await scan.bitbucket.pullRequest(repositoryPath(repository), id));
  } catch (error) {
    if (!(error instanceof SatelliteError) || error.kind !== 'gone') throw error;
    return { found: deleted(id, scan.clock.now()) };
  }
}
