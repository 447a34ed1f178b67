import type { Bitbucket } from '../bitbucket/bitbucket.ts';
import type { BitbucketRepository } from '../bitbucket/types.ts';
import type { MetadataConfig } from '../config/config.ts';
import { nearest } from '../config/nearest.ts';
import { newBranchSelector } from '../crawl/branch-filter.ts';
import { repositoryLabel, repositoryPath } from '../crawl/repository-path.ts';
import { type SatelliteError, toSatelliteError } from '../errors.ts';
import { counted, some } from './format.ts';
import type { Tell } from './step.ts';

export function namesBranches({ branches, fetchCommits }: Pick<MetadataConfig, 'branches' | 'fetchCommits'>): boolean {
  return fetchCommits && branches.length > 0 && !branches.includes('all');
}

/**
 * Which of `metadata.branches` match a branch, in the first repositories that show it: a request for each. One that
 * matches none is a warning only, as another repository may have it, or this one tomorrow.
 *
 * @throws SatelliteError where none of the repositories can be read, or the credentials are refused
 */
export async function checkBranches(
  bitbucket: Bitbucket,
  branches: readonly string[],
  { chosen, selected }: { readonly chosen: readonly BitbucketRepository[]; readonly selected: number },
  tell: Tell,
): Promise<void> {
  const entries = [...new Set(branches)];
  const selector = newBranchSelector(entries);
  const names = new Set<string>();
  const cut: string[] = [];
  let failure: SatelliteError | undefined;
  let read = 0;
  for (const repository of chosen) {
    try {
      const { values, nextStart } = await firstPage(bitbucket, repository);
      read++;
      if (values.length > 0) selector.passedRepository();
      for (const branch of values) {
        selector.selects(branch);
        names.add(branch.displayId);
      }
      if (nextStart !== undefined) cut.push(repositoryLabel(repository));
    } catch (thrown) {
      // That it cannot be read is said by the steps before.
      failure = toSatelliteError(thrown);
      if (failure.kind === 'auth') throw failure;
    }
    const { unmatched, repositories } = selector.seen();
    if (repositories > 0 && unmatched.length === 0) break;
  }
  if (read === 0 && failure !== undefined) throw failure;
  const { unmatched, repositories } = selector.seen();
  if (repositories === 0) {
    tell({ detail: 'not known: no repository looked at has a branch' });
    return;
  }
  if (unmatched.length === 0) {
    tell({ detail: `${entries.length} of ${entries.length} found: ${some(entries)}` });
    return;
  }
  const where = counted(repositories, 'repository', 'repositories');
  const of = repositories < selected ? ` looked at, of ${selected}` : '';
  const partly = cut.length > 0 ? `; of ${some(cut)} only the branches that moved last were looked at` : '';
  const near = [...new Set(unmatched.flatMap((entry) => nearestBranch(entry, [...names]) ?? []))];
  tell({
    warning: true,
    code: 'NAME_NOT_FOUND',
    detail: `${some(unmatched)}: ${unmatched.length === 1 ? 'matches' : 'match'} no branch in the ${where}${of}${partly}`,
    hint: near.length > 0 ? `Did you mean ${some(near)}?` : 'Check the spelling in branches.',
  });
}

async function firstPage(bitbucket: Bitbucket, repository: BitbucketRepository) {
  for await (const page of bitbucket.branchPages(repositoryPath(repository))) return page;
  return { values: [], nextStart: undefined };
}

/** Of a pattern, what comes before its first `/*` is held against as much of each name. */
function nearestBranch(entry: string, names: readonly string[]): string | undefined {
  const [, head, rest] = /^([^*?]+)(\/[^/]*[*?].*)$/.exec(entry) ?? [];
  if (head === undefined || rest === undefined) return nearest(entry, names);
  const depth = head.split('/').length;
  const heads = names.map((name) => name.split('/')).filter((parts) => parts.length > depth);
  const near = nearest(head, [...new Set(heads.map((parts) => parts.slice(0, depth).join('/')))]);
  return near === undefined || near === head ? undefined : near + rest;
}
