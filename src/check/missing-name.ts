import type { Bitbucket } from '../bitbucket/bitbucket.ts';
import type { BitbucketRepository } from '../bitbucket/types.ts';
import { nearest } from '../config/nearest.ts';
import { repositoryLabel } from '../crawl/repository-path.ts';
import { SatelliteError } from '../errors.ts';
import { some } from './format.ts';

export type FilterKey = 'repos' | 'projects';

/** What Bitbucket has, as far as it was read. */
export interface Visible {
  readonly repositories: readonly BitbucketRepository[];
  /** Keys and names, those without a visible repository too. */
  readonly projects: readonly string[];
}

/**
 * Why an entry of `repos` or `projects` matches nothing, as far as it can be found out.
 *
 * @returns undefined where the entry is right after all, because the list that it is missing from was cut
 * @throws SatelliteError where Bitbucket does not answer
 */
export async function explainMissing(
  key: FilterKey,
  entry: string,
  visible: Visible,
  bitbucket: Bitbucket,
): Promise<SatelliteError | undefined> {
  if (/[*?{[!(]/.test(entry)) return unknown('A pattern with * has to match the whole name, slug or KEY/slug.');
  const [, projectKey, slug] = /^([^/]+)\/([^/]+)$/.exec(entry) ?? [];
  if (key === 'repos' && projectKey !== undefined && slug !== undefined) {
    const found = await lookUp(bitbucket, entry, projectKey, slug);
    if (found !== 'missing') return found;
  }
  return unknown(hintFor(key, entry, visible));
}

/** A repository that is asked for by its address is told apart: closed to us, renamed, or not there. */
async function lookUp(
  bitbucket: Bitbucket,
  entry: string,
  projectKey: string,
  slug: string,
): Promise<SatelliteError | undefined | 'missing'> {
  try {
    const present = repositoryLabel(await bitbucket.repository({ projectKey, slug }));
    if (present.toLowerCase() === entry.toLowerCase()) return undefined;
    return new SatelliteError(`is called ${present} now`, {
      code: 'REPOSITORY_RENAMED',
      kind: 'config',
      hint: `Write ${present} instead.`,
    });
  } catch (error) {
    if (!(error instanceof SatelliteError)) throw error;
    if (error.kind === 'gone') return 'missing';
    if (error.kind !== 'permission') throw error;
    return new SatelliteError('is there, but not for this user', {
      code: error.code,
      kind: 'permission',
      hint: `Give the user read permission on the repository or on its project ${projectKey}.`,
      cause: error,
    });
  }
}

function hintFor(key: FilterKey, entry: string, { repositories, projects }: Visible): string {
  if (key === 'projects') {
    const repository = repositories.find((one) => namesOf(one).some((name) => isSame(name, entry)));
    if (repository !== undefined) return `${repositoryLabel(repository)} is a repository: write it under repos.`;
    const near = nearest(entry, projects);
    return near === undefined ? notHere('project') : `Did you mean ${near}?`;
  }
  if (projects.some((name) => isSame(name, entry))) return `${entry} is a project: write it under projects.`;
  const near = nearestRepositories(entry, repositories);
  return near.length === 0 ? notHere('repository') : `Did you mean ${some(near, 3)}?`;
}

/** With their project, as several may have the same name. */
function nearestRepositories(entry: string, repositories: readonly BitbucketRepository[]): string[] {
  const near = nearest(entry, [...new Set(repositories.flatMap(namesOf))]);
  if (near === undefined) return [];
  return repositories.filter((repository) => namesOf(repository).includes(near)).map(repositoryLabel);
}

function namesOf(repository: BitbucketRepository): string[] {
  return [repository.name, repository.slug, repositoryLabel(repository)];
}

function isSame(one: string, other: string): boolean {
  return one.toLowerCase() === other.toLowerCase();
}

function notHere(what: string): string {
  return `Nothing of a similar name is visible either: check the spelling, and that the user may read that ${what}.`;
}

function unknown(hint: string): SatelliteError {
  return new SatelliteError('matches nothing that this user may see', {
    code: 'NAME_NOT_FOUND',
    kind: 'config',
    hint,
  });
}
