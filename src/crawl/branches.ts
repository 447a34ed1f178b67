import type { BitbucketRepository } from '../bitbucket/types.ts';
import { SatelliteError } from '../errors.ts';
import { defaultBranchRef, emptyTip, findCommitRange, type TipRange } from './commit-range.ts';
import { crawlRange } from './range-commits.ts';
import { repositoryPath } from './repository-path.ts';
import type { Scan, SliceCrawl } from './scan.ts';
import { windowFromMs } from './window.ts';

interface PlannedBranch {
  /** `HEAD` for the default branch, whichever it is; else `refs/heads/…`. */
  readonly ref: string;
  readonly tip: string;
  readonly base: string | null;
}

/** The plan pins every tip; the next commit is the one `skip` after the page's start, in the branch at `at`. */
export interface BranchesCursor {
  readonly branches: readonly PlannedBranch[];
  readonly at: number;
  readonly start: number;
  readonly skip: number;
  readonly source?: 'git';
}

/** More of them are sent twice rather than remembered: SEI skips a commit that it has. */
const maxRemembered = 100_000;

/**
 * Commits of the default branch and of those that `metadata.branches` names. A branch is read from the tip that was
 * covered before, a new one from where it left the default branch; one whose tip has not moved costs no request. What
 * several branches share is sent once.
 */
export async function* crawlBranches(
  scan: Scan,
  repository: BitbucketRepository,
  cursor: BranchesCursor | undefined,
): SliceCrawl {
  const plan: Plan = cursor ?? (await planBranches(scan, repository));
  const { branches, firstPage } = plan;
  const defaultTip = branches.find(({ ref }) => ref === defaultBranchRef)?.tip;
  const sent = new Set<string>();
  const isNew = ({ id }: { id: string }) => {
    if (sent.has(id)) return false;
    if (sent.size < maxRemembered) sent.add(id);
    return true;
  };
  for (const [index, branch] of branches.entries()) {
    if (index < (cursor?.at ?? 0)) continue;
    const at = cursor !== undefined && cursor.at === index ? cursor : undefined;
    const listed = index === 0 && firstPage !== undefined ? { firstPage } : {};
    const place = { cursor: at, ...listed };
    for await (const { record, cursor: next } of branchCommits(scan, repository, branch, defaultTip, place, isNew)) {
      const { start, skip, source } = next;
      const goesOn = { start, skip, ...(source === undefined ? {} : { source }) };
      yield { record, cursor: { branches, at: index, ...goesOn } satisfies BranchesCursor };
    }
    yield { cursor: { branches, at: index + 1, start: 0, skip: 0 } satisfies BranchesCursor };
  }
  return branches.map(({ ref, tip }) => ({ ref, tip }));
}

/** A covered tip that is gone after a forced push gives way to the tip of the default branch. */
async function* branchCommits(
  scan: Scan,
  repository: BitbucketRepository,
  { ref, tip, base }: PlannedBranch,
  defaultTip: string | undefined,
  { cursor, ...listed }: { readonly cursor: BranchesCursor | undefined } & Pick<TipRange, 'firstPage'>,
  isWanted: (commit: { id: string }) => boolean,
) {
  const rangeFrom = (since: string | null | undefined): TipRange => ({ tip, base: since ?? undefined });
  try {
    yield* crawlRange(scan, repository, { ...rangeFrom(base), ...listed }, cursor, isWanted);
  } catch (error) {
    const isBaseGone = error instanceof SatelliteError && error.code === 'BITBUCKET_NO_SUCH_COMMIT';
    if (!isBaseGone || cursor !== undefined || ref === defaultBranchRef || base === defaultTip) throw error;
    yield* crawlRange(scan, repository, rangeFrom(defaultTip), undefined, isWanted);
  }
}

interface Plan {
  readonly branches: readonly PlannedBranch[];
  /** Of the first branch, where finding its range has brought it. */
  readonly firstPage?: TipRange['firstPage'] | undefined;
}

/**
 * One list of the branches tells which of them have moved, the default one among them. That comes first: the others are
 * read from where they left it.
 */
async function planBranches(scan: Scan, repository: BitbucketRepository): Promise<Plan> {
  const { job, store, bitbucket, branchSelector } = scan;
  const fromMs = windowFromMs(scan, repository, 'commits');
  const coveredTip = (ref: string) => store.coverage.tipsBefore(job.integrationId, repository.id, ref, fromMs)[0];
  const named: PlannedBranch[] = [];
  let defaultTip: string | undefined;
  let isEmpty = true;
  for await (const branch of bitbucket.branches(repositoryPath(repository))) {
    isEmpty = false;
    const isNamed = branchSelector.selects(branch);
    if (branch.isDefault) defaultTip = branch.latestCommit;
    else if (isNamed) named.push({ ref: branch.id, tip: branch.latestCommit, base: coveredTip(branch.id) ?? null });
  }
  if (!isEmpty) branchSelector.passedRepository();
  const main = defaultTip === undefined ? undefined : await findCommitRange(scan, repository, defaultTip);
  // Where the default branch is missing for one scan, what it had is at SEI all the same.
  const left = main?.tip ?? (coveredTip(defaultBranchRef) || null);
  const branches = named.map((branch) => ({ ...branch, base: branch.base ?? left }));
  if (main !== undefined) {
    const { tip, base, firstPage } = main;
    branches.unshift({ ref: defaultBranchRef, tip, base: base ?? null });
    return { branches, firstPage };
  }
  return { branches: isEmpty ? [{ ref: defaultBranchRef, tip: emptyTip, base: emptyTip }] : branches };
}
