import picomatch from 'picomatch';
import type { BitbucketRepository } from '../bitbucket/types.ts';
import type { MetadataConfig } from '../config/config.ts';
import { repositoryLabel } from './repository-path.ts';

export interface Selection {
  readonly repositories: readonly BitbucketRepository[];
  /** Entries of `repos` and `projects` that match nothing the user may see: a typing error or a missing permission. */
  readonly unmatched: readonly string[];
}

/**
 * The repositories that `repos`, `projects`, `exclude_repos` and `archived` select, all of them where the lists are empty. An entry
 * is a repository's name, slug or `KEY/slug`, a project's name or key, or a glob over those; case does not matter, as in
 * Bitbucket itself.
 */
export function selectRepositories(
  repositories: Iterable<BitbucketRepository>,
  { repos, projects, excludeRepos, archived }: Pick<MetadataConfig, 'repos' | 'projects' | 'excludeRepos' | 'archived'>,
): Selection {
  const unmatched = new Set([...projects, ...repos]);
  const matches = (entries: readonly string[], names: readonly string[]) => {
    let matched = false;
    for (const entry of entries) {
      if (!names.some((name) => matchesEntry(entry, name))) continue;
      unmatched.delete(entry);
      matched = true;
    }
    return matched;
  };
  const selected: BitbucketRepository[] = [];
  for (const repository of repositories) {
    const inProject = projects.length === 0 || matches(projects, projectNames(repository));
    const inRepos = repos.length === 0 || matches(repos, repositoryNames(repository));
    const isShut = archived === 'exclude' && repository.archived === true;
    if (inProject && inRepos && !isShut && !matches(excludeRepos, repositoryNames(repository)))
      selected.push(repository);
  }
  return { repositories: selected, unmatched: [...unmatched] };
}

function repositoryNames(repository: BitbucketRepository): string[] {
  return [repository.name, repository.slug, repositoryLabel(repository)];
}

function projectNames({ project }: BitbucketRepository): string[] {
  return [project.key, ...(project.name ? [project.name] : [])];
}

/** Literally, or as a glob: names may hold brackets and begin with a dot. */
function matchesEntry(entry: string, name: string): boolean {
  return (
    entry.toLowerCase() === name.toLowerCase() ||
    picomatch.isMatch(name, entry, { dot: true, nocase: true, nonegate: true })
  );
}
