import picomatch from 'picomatch';
import type { BitbucketRepository } from '../bitbucket/types.ts';
import type { MetadataConfig } from '../config/config.ts';
import { repositoryLabel } from './repository-path.ts';

export interface Selection {
  readonly repositories: readonly BitbucketRepository[];
  /** Entries of `repos` and `projects` that match nothing the user may see: a typing error or a missing permission. */
  readonly unmatched: readonly string[];
}

/** The choice of `repos`, `projects`, `exclude_repos` and `archived`, repository by repository. */
export interface Selector {
  /** True where it is selected; the entries that it matches are matched from then on. */
  selects(repository: BitbucketRepository): boolean;
  unmatched(): readonly string[];
}

/**
 * Selects all repositories where the lists are empty. An entry is a repository's name, slug or `KEY/slug`, a project's name
 * or key, or a glob over those; case does not matter, as in Bitbucket itself.
 */
export function newSelector({
  repos,
  projects,
  excludeRepos,
  archived,
}: Pick<MetadataConfig, 'repos' | 'projects' | 'excludeRepos' | 'archived'>): Selector {
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
  return {
    selects: (repository) => {
      const inProject = projects.length === 0 || matches(projects, projectNames(repository));
      const inRepos = repos.length === 0 || matches(repos, repositoryNames(repository));
      const isShut = archived === 'exclude' && repository.archived === true;
      return inProject && inRepos && !isShut && !matches(excludeRepos, repositoryNames(repository));
    },
    unmatched: () => [...unmatched],
  };
}

export function selectRepositories(
  repositories: Iterable<BitbucketRepository>,
  metadata: Parameters<typeof newSelector>[0],
): Selection {
  const selector = newSelector(metadata);
  const selected = Array.from(repositories).filter((repository) => selector.selects(repository));
  return { repositories: selected, unmatched: selector.unmatched() };
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
