import type { Bitbucket } from '../bitbucket/bitbucket.ts';
import type { BitbucketProject, BitbucketRepository } from '../bitbucket/types.ts';
import { SatelliteError } from '../errors.ts';
import { counted } from './format.ts';
import type { Tell } from './step.ts';

/** A thousand a page: more than that is not listed for a check. */
const maxRepositoryPages = 8;

export interface Repositories {
  readonly all: readonly BitbucketRepository[];
  /** False: there are more that were not listed. */
  readonly isComplete: boolean;
}

export async function listProjects(bitbucket: Bitbucket, tell: Tell): Promise<readonly BitbucketProject[]> {
  const first = await bitbucket.projects().next();
  const { values, nextStart } = first.done ? { values: [], nextStart: undefined } : first.value;
  tell({ detail: `${counted(values.length, 'project', 'projects')}${nextStart === undefined ? '' : ' and more'}` });
  return values;
}

/**
 * @throws SatelliteError `BITBUCKET_ANONYMOUS` or `BITBUCKET_NOTHING_VISIBLE` for an empty list: with public access on,
 *   refused credentials look like an empty server
 */
export async function listRepositories(
  bitbucket: Bitbucket,
  userName: string | undefined,
  tell: Tell,
): Promise<Repositories> {
  const all = new Map<number, BitbucketRepository>();
  let pages = 0;
  let isComplete = false;
  for await (const page of bitbucket.repositoryPages()) {
    for (const repository of page.values) all.set(repository.id, repository);
    pages++;
    isComplete = page.nextStart === undefined;
    if (pages >= maxRepositoryPages) break;
  }
  const repositories = [...all.values()];
  if (repositories.length === 0) throw userName === undefined ? anonymous() : nothingVisible(userName);
  tell({ detail: `${counted(all.size, 'repository', 'repositories')}${isComplete ? '' : ' and more'} visible` });
  if (userName === undefined && repositories.every((repository) => repository.public === true)) tell(onlyPublic);
  return { all: repositories, isComplete };
}

const onlyPublic = {
  warning: true,
  code: 'BITBUCKET_ONLY_PUBLIC',
  hint: 'Only public repositories, and no user: anybody sees these without a login. Check username and api_key.',
} as const;

function anonymous(): SatelliteError {
  return new SatelliteError('Bitbucket answers as to a stranger: no repository is visible and no user is named', {
    code: 'BITBUCKET_ANONYMOUS',
    kind: 'auth',
    hint: 'Check username and api_key of the integration; a project or repository token needs authentication: bearer.',
  });
}

function nothingVisible(userName: string): SatelliteError {
  return new SatelliteError(`${userName} sees no repository`, {
    code: 'BITBUCKET_NOTHING_VISIBLE',
    kind: 'permission',
    hint: 'Give this user read permission on the projects that it is to read.',
  });
}
