import type { RepositoryPath } from '../bitbucket/bitbucket.ts';
import type { BitbucketRepository } from '../bitbucket/types.ts';

export function repositoryPath(repository: BitbucketRepository): RepositoryPath {
  return { projectKey: repository.project.key, slug: repository.slug };
}

/** As an operator writes it: `KEY/slug`. */
export function repositoryLabel(repository: BitbucketRepository): string {
  return `${repository.project.key}/${repository.slug}`;
}
