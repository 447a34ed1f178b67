import type { Page } from '../bitbucket/paging.ts';
import type { BitbucketCommit, BitbucketRepository } from '../bitbucket/types.ts';
import { SatelliteError } from '../errors.ts';
import { epochMs } from '../records/epoch-ms.ts';
import { repositoryPath } from './repository-path.ts';
import type { Scan } from './scan.ts';
import { fullScanFromMs, windowFromMs } from './window.ts';

/** Coverage key of the default branch, whichever that is at the time. */
export const defaultBranchRef = 'HEAD';

/** Tip of a repository that is empty: all that comes is new, however old it is. */
export const emptyTip = '';

/** So many of the newest covered tips are tried one by one; beyond them, each is twice as far back as the one before. */
const nearBases = 3;

/** How far out of order a listing may be before the walk gives up and takes the whole history. */
const maxPassedRemembered = 10_000;

/** Commits reachable from `tip` and not from `base`; no base: the whole history. */
export interface TipRange {
  readonly tip: string;
  readonly base: string | undefined;
  /** The first page of the range, where finding it has already brought it. */
  readonly firstPage?: Page<BitbucketCommit>;
}

/**
 * The range of the graph that a job's window stands for on the default branch, that of an empty repository from `emptyTip`
 * to itself; undefined where the default branch is not there, while others are or were: what is covered stays so.
 *
 * Its base is a tip that an acknowledged scan covered at or before the window's start: then one request finds both
 * whether anything is new and what. Without one, it is the first commit on the first-parent line that is older than the
 * window and not newer than what was covered last. A date never ends the listing itself: commits that were merged late
 * carry old dates and would be lost. Where a forced push and a garbage collection have taken every covered tip, the
 * history may be another one altogether: it gets what a full scan would give it.
 *
 * @param listedTip of the default branch, where a list of branches has shown it: then one that is covered costs no request
 */
export async function findCommitRange(
  scan: Scan,
  repository: BitbucketRepository,
  listedTip?: string,
): Promise<TipRange | undefined> {
  const { job, store } = scan;
  const fromMs = windowFromMs(scan, repository, 'commits');
  try {
    const gone = new Set<string>();
    const tipsBefore = (ms: number) =>
      store.coverage.tipsBefore(job.integrationId, repository.id, defaultBranchRef, ms);
    const covered = tipsBefore(fromMs);
    const ever = tipsBefore(Number.MAX_SAFE_INTEGER);
    const wasEmpty = covered[0] === emptyTip || ever[0] === emptyTip;
    if (listedTip !== undefined && !wasEmpty && covered.includes(listedTip)) return { tip: listedTip, base: listedTip };
    for (const base of wasEmpty ? [] : basesOf(covered)) {
      const range = await rangeSince(scan, repository, base, listedTip);
      if (range !== undefined) return range;
      gone.add(base);
    }
    const tip = listedTip ?? (await defaultTip(scan, repository));
    if (tip === undefined) return undefined;
    if (tip === emptyTip) return { tip, base: emptyTip };
    if (fromMs <= 0 || wasEmpty) return { tip, base: undefined };
    const entry = await firstCovered(
      scan,
      repository,
      tip,
      ever.filter((id) => !gone.has(id)),
    );
    const fullFromMs = fullScanFromMs(job.toMs, scan.integration.metadata.backfillDays);
    const olderThanMs = entry === undefined && ever.length > 0 ? Math.min(fromMs, fullFromMs) : fromMs;
    const start = entry === undefined ? tip : entry.start;
    return { tip, base: start && (await firstOlder(scan, repository, start, olderThanMs)) };
  } catch (error) {
    if (error instanceof SatelliteError && error.code === 'BITBUCKET_NO_DEFAULT_BRANCH') return undefined;
    throw error;
  }
}

/** `emptyTip` where there is no branch at all. */
async function defaultTip(scan: Scan, repository: BitbucketRepository): Promise<string | undefined> {
  let isEmpty = true;
  for await (const { isDefault, latestCommit } of scan.bitbucket.branches(repositoryPath(repository))) {
    if (isDefault) return latestCommit;
    isEmpty = false;
  }
  return isEmpty ? emptyTip : undefined;
}

/** Up to the tip of the default branch as it is now, where it is not said. Undefined where the base is gone. */
async function rangeSince(
  scan: Scan,
  repository: BitbucketRepository,
  base: string,
  until?: string,
): Promise<TipRange | undefined> {
  try {
    const range = until === undefined ? { since: base } : { since: base, until };
    for await (const page of scan.bitbucket.commits(repositoryPath(repository), range)) {
      const tip = until ?? page.values[0]?.id;
      if (tip !== undefined && page.values.length > 0) return { tip, base, firstPage: page };
    }
    return until === undefined ? { tip: base, base } : { tip: until, base: until };
  } catch (error) {
    if (error instanceof SatelliteError && error.code === 'BITBUCKET_NO_SUCH_COMMIT') return undefined;
    throw error;
  }
}

/** Whatever of them can still be read is right as a base; an older one costs a longer listing only. */
function basesOf(tips: readonly string[]): string[] {
  const bases = tips.slice(0, nearBases);
  for (let back = nearBases + 1; back < tips.length; back *= 2) bases.push(...tips.slice(back, back + 1));
  const oldest = tips.at(-1);
  if (tips.length > nearBases && oldest !== undefined && !bases.includes(oldest)) bases.push(oldest);
  return bases.filter((tip) => tip !== emptyTip);
}

/**
 * Where the first-parent line of `tip` enters what was covered last: what lies before was never sent, and a date must not
 * end the walk there, as a commit that was pushed late is old from its first day here. A `start` that is undefined: nowhere.
 *
 * @param covered tips, newest first
 * @returns undefined where none of them can be read any more
 */
async function firstCovered(
  scan: Scan,
  repository: BitbucketRepository,
  tip: string,
  covered: readonly string[],
): Promise<{ readonly start: string | undefined } | undefined> {
  for (const since of basesOf(covered)) {
    try {
      const { next } = await followFirstParents(commitsOf(scan, repository, { until: tip, since }), tip);
      if (next === undefined || next === tip) return { start: next };
      for await (const { values } of commitsOf(scan, repository, { until: next, since })) {
        // The line was lost in a listing that is far out of order.
        if (values.length > 0) return { start: undefined };
      }
      return { start: next };
    } catch (error) {
      if (!(error instanceof SatelliteError) || error.code !== 'BITBUCKET_NO_SUCH_COMMIT') throw error;
    }
  }
  return undefined;
}

/** The first commit on the first-parent line of `tip` that is older than the window; undefined: none is. */
async function firstOlder(
  scan: Scan,
  repository: BitbucketRepository,
  tip: string,
  fromMs: number,
): Promise<string | undefined> {
  const listing = commitsOf(scan, repository, { until: tip });
  const isOlder = ({ committerTimestamp }: BitbucketCommit) => (epochMs(committerTimestamp) ?? 0) < fromMs;
  return (await followFirstParents(listing, tip, isOlder)).end;
}

/** From the clone where there is one: what Bitbucket would say costs a request for each hundred. */
async function* commitsOf(
  scan: Scan,
  repository: BitbucketRepository,
  { until, since }: { readonly until: string; readonly since?: string },
): AsyncGenerator<Pick<Page<BitbucketCommit>, 'values'>, void, undefined> {
  const clone = await scan.git?.open(repository, since === undefined ? [until] : [until, since]);
  if (scan.git !== undefined && clone !== undefined) {
    try {
      for await (const { commit } of clone.commits({ until, since }, { withFiles: false })) yield { values: [commit] };
      return;
    } catch (error) {
      // To see some commits twice does no harm to whoever follows the first parents.
      scan.git.discard(repository, error);
    }
  }
  yield* scan.bitbucket.commits(repositoryPath(repository), since === undefined ? { until } : { until, since });
}

interface Followed {
  /** The commit that was looked for. */
  readonly end?: string;
  /** Without one, the parent that the listing did not show; absent: the root is reached. */
  readonly next?: string;
}

async function followFirstParents(
  listing: AsyncIterable<Pick<Page<BitbucketCommit>, 'values'>>,
  tip: string,
  isEnd: (commit: BitbucketCommit) => boolean = () => false,
): Promise<Followed> {
  const passed = new Map<string, BitbucketCommit>();
  let next = tip;
  for await (const page of listing) {
    for (const commit of page.values) {
      if (commit.id !== next) {
        remember(passed, commit);
        continue;
      }
      let current: BitbucketCommit | undefined = commit;
      while (current !== undefined) {
        if (isEnd(current)) return { end: current.id };
        const parent: string | undefined = current.parents?.[0]?.id;
        if (parent === undefined) return {};
        next = parent;
        current = passed.get(next);
      }
    }
  }
  return { next };
}

/** With clocks that differ, a listing by date may show a commit before its child on the first-parent line. */
function remember(passed: Map<string, BitbucketCommit>, { id, parents, committerTimestamp }: BitbucketCommit): void {
  passed.set(id, { id, parents: parents?.slice(0, 1) ?? [], committerTimestamp: committerTimestamp ?? null });
  if (passed.size <= maxPassedRemembered) return;
  const [oldest] = passed.keys();
  if (oldest !== undefined) passed.delete(oldest);
}
