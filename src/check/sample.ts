import type { Bitbucket, RepositoryPath } from '../bitbucket/bitbucket.ts';
import type { BitbucketCommit, BitbucketPullRequest } from '../bitbucket/types.ts';
import { SatelliteError } from '../errors.ts';
import { epochMs } from '../records/epoch-ms.ts';

/** From when to when a first scan reads, epoch milliseconds. */
export interface Window {
  readonly fromMs: number;
  readonly toMs: number;
}

export interface CommitSample {
  readonly isEmpty: boolean;
  readonly inWindow: number;
}

export interface PullRequestSample {
  /** All that there have ever been. */
  readonly total: number;
  /** Those that a first scan reads: open, or updated in the window. */
  readonly wanted: number;
}

export interface RepositorySample {
  readonly commits?: CommitSample;
  readonly pullRequests?: PullRequestSample;
}

/**
 * The commits of a first scan, from the newest hundred: counted where they reach back far enough, else as many more as
 * their pace makes likely, up to all that there are.
 */
export async function sampleCommits(
  bitbucket: Bitbucket,
  path: RepositoryPath,
  { fromMs, toMs }: Window,
): Promise<CommitSample> {
  const commits = await firstCommits(bitbucket, path);
  if (commits === undefined) return { isEmpty: true, inWindow: 0 };
  const times = commits.values.map(({ committerTimestamp }) => epochMs(committerTimestamp) ?? 0);
  const inWindow = times.filter((time) => time >= fromMs).length;
  if (commits.nextStart === undefined || inWindow < times.length) return { isEmpty: times.length === 0, inWindow };
  const likely = likelyCount(times, { fromMs, toMs });
  const all = (await countAll(bitbucket, path)) ?? likely;
  return { isEmpty: false, inWindow: Math.max(inWindow, Math.min(likely, all)) };
}

/**
 * It costs git a walk over the whole history, so it is asked for only where it can be the smaller number, and where the
 * history is too long for that, it is not.
 */
async function countAll(bitbucket: Bitbucket, path: RepositoryPath): Promise<number | undefined> {
  try {
    return await bitbucket.commitCount(path);
  } catch (error) {
    if (error instanceof SatelliteError && error.kind === 'retryable') return undefined;
    throw error;
  }
}

/** Undefined in an empty repository. */
async function firstCommits(bitbucket: Bitbucket, path: RepositoryPath) {
  try {
    return await firstOf<BitbucketCommit>(bitbucket.commits(path, {}));
  } catch (error) {
    if (error instanceof SatelliteError && error.code === 'BITBUCKET_NO_DEFAULT_BRANCH') return undefined;
    throw error;
  }
}

/** The pull requests of a first scan, from the hundred that are listed first. Ids count up, so the highest is their number. */
export async function samplePullRequests(
  bitbucket: Bitbucket,
  path: RepositoryPath,
  { fromMs, toMs }: Window,
): Promise<PullRequestSample> {
  const page = await firstOf<BitbucketPullRequest>(bitbucket.pullRequests(path, 'ALL'));
  const updated = page.values.map(({ updatedDate }) => epochMs(updatedDate) ?? 0);
  const isWanted = ({ state }: BitbucketPullRequest, index: number) =>
    state === 'OPEN' || (updated[index] ?? 0) >= fromMs;
  const wanted = page.values.filter(isWanted).length;
  if (page.nextStart === undefined) return { total: page.values.length, wanted };
  const total = Math.max(page.values.length, ...page.values.map(({ id }) => id));
  if (wanted < page.values.length) return { total, wanted };
  return { total, wanted: Math.min(total, Math.max(wanted, likelyCount(updated, { fromMs, toMs }))) };
}

/** How many there are in the window when all of these are and the pace was always the same. */
function likelyCount(times: readonly number[], { fromMs, toMs }: Window): number {
  const spanMs = Math.max(1, toMs - Math.min(...times));
  return Math.ceil((times.length * (toMs - fromMs)) / spanMs);
}

async function firstOf<T>(
  pages: AsyncGenerator<{ readonly values: readonly T[]; readonly nextStart: number | undefined }>,
) {
  const first = await pages.next();
  return first.done ? { values: [], nextStart: undefined } : first.value;
}

/** So many of the list, spread evenly, the first one always among them. */
export function spread<T>(items: readonly T[], size: number): T[] {
  const taken = Math.min(size, items.length);
  return Array.from({ length: taken }, (_, index) => items[Math.floor((index * items.length) / taken)]).filter(
    (item) => item !== undefined,
  );
}
