import type { Bitbucket } from '../bitbucket/bitbucket.ts';
import type { BitbucketProject, BitbucketRepository } from '../bitbucket/types.ts';
import type { MetadataConfig } from '../config/config.ts';
import { selectRepositories } from '../crawl/repository-filter.ts';
import { repositoryLabel } from '../crawl/repository-path.ts';
import { SatelliteError } from '../errors.ts';
import type { Leg } from './checkup.ts';
import { counted, some } from './format.ts';
import type { Repositories } from './lists.ts';
import { explainMissing, type FilterKey, type Visible } from './missing-name.ts';
import type { Tell } from './step.ts';

/** Entries beyond these that are missing are named together: the first ones show what is wrong. */
const maxExplained = 5;

export interface Listed {
  /** Undefined: the list could not be read. */
  readonly repositories: Repositories | undefined;
  readonly projects: readonly BitbucketProject[] | undefined;
  readonly bitbucket: Bitbucket;
}

/**
 * One line for each of `projects` and `repos` that says what it matches, and one for each entry that matches nothing.
 *
 * @returns what the satellite is going to read; undefined: not known
 */
export async function checkSelection(
  leg: Leg,
  metadata: MetadataConfig,
  { repositories, projects = [], bitbucket }: Listed,
): Promise<readonly BitbucketRepository[] | undefined> {
  const all = repositories?.all ?? [];
  const unless = repositories === undefined ? '“Get repositories” failed' : undefined;
  const { repositories: selected, unmatched } = selectRepositories(all, metadata);
  const visible: Visible = {
    repositories: all,
    projects: [...new Set([...projects, ...all.map(({ project }) => project)].flatMap(namesOf))],
  };
  const explain = async (key: FilterKey, entry: string, tell: Tell) => {
    const error = await explainMissing(key, entry, visible, bitbucket);
    if (error === undefined) tell({ detail: 'is there' });
    else if (repositories?.isComplete === false && error.code === 'NAME_NOT_FOUND') tell(notListed(all.length));
    else throw error;
  };
  for (const key of ['projects', 'repos'] as const) {
    const entries = metadata[key];
    if (entries.length === 0) continue;
    const missing = unless === undefined ? entries.filter((entry) => unmatched.includes(entry)) : [];
    const found = entries.filter((entry) => !missing.includes(entry));
    if (found.length > 0) {
      const detail = `${found.length} of ${entries.length} found: ${some(found)}`;
      await leg.step(key, key, (tell) => tell({ detail }), { unless });
    }
    for (const entry of missing.slice(0, maxExplained)) {
      await leg.step(key, `${key}: ${entry}`, (tell) => explain(key, entry, tell));
    }
    const rest = missing.slice(maxExplained);
    if (rest.length > 0) await leg.step(key, `${key}: ${rest.length} more`, () => refuse(key, rest));
  }
  return leg.step(
    'selection',
    'Selection',
    (tell) => {
      const isFiltered = metadata.repos.length + metadata.projects.length + metadata.excludeRepos.length > 0;
      if (selected.length === 0) throw nothingLeft(unmatched.length > 0);
      const what = counted(selected.length, 'repository', 'repositories');
      tell({ detail: isFiltered ? `${what}: ${some(selected.map(repositoryLabel))}` : `all ${what}` });
      return selected;
    },
    { unless },
  );
}

function refuse(key: FilterKey, entries: readonly string[]): never {
  throw new SatelliteError(`${some(entries, 20)}: they match nothing that this user may see`, {
    code: 'NAME_NOT_FOUND',
    kind: 'config',
    hint: `Check the spelling in ${key}, and that the user may read them.`,
  });
}

function notListed(listed: number) {
  return {
    warning: true,
    code: 'NAME_NOT_CHECKED',
    detail: `is not among the first ${listed} repositories; the others were not looked at`,
    hint: 'Write KEY/slug: then it is asked for by its address.',
  };
}

function nothingLeft(isUnmatched: boolean): SatelliteError {
  return new SatelliteError('no repository is left to be read', {
    code: 'SELECTION_EMPTY',
    kind: 'config',
    hint: isUnmatched
      ? 'Correct the names above.'
      : 'A repository is read when it is in projects and in repos and not in exclude_repos: each key narrows the others.',
  });
}

function namesOf({ key, name }: BitbucketProject): string[] {
  return name ? [key, name] : [key];
}
