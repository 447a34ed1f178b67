import type { BitbucketRefRepository } from '../bitbucket/types.ts';
import { fields, flag, text } from './fields.ts';
import { linksRecord } from './links.ts';
import { projectRecord } from './project.ts';
import type { RepositoryRecord } from './types.ts';

/** `defaultBranch` is the display id (`main`, not `refs/heads/main`); SEI wants it in the data type `repositories` only. */
export function repositoryRecord(repository: BitbucketRefRepository, defaultBranch?: string): RepositoryRecord {
  return fields<RepositoryRecord>({
    slug: repository.slug.toWellFormed(),
    id: repository.id,
    name: repository.name.toWellFormed(),
    description: text(repository.description),
    hierarchyId: text(repository.hierarchyId),
    scmId: text(repository.scmId),
    state: text(repository.state),
    statusMessage: text(repository.statusMessage),
    forkable: flag(repository.forkable),
    project: repository.project ? projectRecord(repository.project) : undefined,
    public: flag(repository.public),
    links: linksRecord(repository.links),
    defaultBranch: text(defaultBranch),
  });
}
