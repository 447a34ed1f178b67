import type { BitbucketRepository } from '../bitbucket/types.ts';
import { selectRepositories } from '../crawl/repository-filter.ts';
import { repositoryLabel } from '../crawl/repository-path.ts';
import type { Scan } from '../crawl/scan.ts';
import type { DataType } from '../data-type.ts';
import { SatelliteError } from '../errors.ts';
import { killPoint } from '../ops/kill-point.ts';
import { type DurablyOptions, durably } from './durably.ts';

/**
 * Lists the repositories of a job and lays out its slices, all in one transaction: a crash before it lists again, one
 * after it never does, so a job keeps the repositories it began with.
 */
export async function discover(scan: Scan, types: readonly DataType[], options: DurablyOptions): Promise<void> {
  killPoint('scan:before-discovery');
  const visible = new Map<number, BitbucketRepository>();
  for await (const repository of scan.bitbucket.repositories()) visible.set(repository.id, repository);
  if (visible.size === 0) await assertIdentified(scan);
  const { repositories, unmatched } = selectRepositories(visible.values(), scan.integration.metadata);
  if (visible.size > 0 && repositories.length === 0) throw nothingSelected(unmatched, scan.integration.url);
  killPoint('scan:discovered');
  const flaws = [
    ...sharedNames(repositories).map(({ name, labels }) => ({
      code: 'NAMES_SHARED',
      message: `${labels.join(', ')}: SEI tells repositories apart by their name alone, and all are named '${name}'`,
    })),
    ...unmatched.map((entry) => ({
      code: 'NAME_NOT_FOUND',
      message: `metadata: '${entry}' matches nothing that the user of the integration may see`,
    })),
  ];
  const layOut = () => {
    scan.store.slices.addDiscovered(
      scan.job.id,
      scan.clock.now(),
      repositories.map((body) => ({ id: body.id, body })),
      types,
    );
    for (const { message } of flaws) {
      scan.store.jobs.addFailure(scan.job.id, { message, url: scan.integration.url });
    }
  };
  await durably(() => scan.store.transaction(layOut), options);
  const { id: jobId, integrationId } = scan.job;
  for (const { code, message: warning } of flaws) {
    options.logger.warn('The selection of repositories is not as it may be meant', {
      code,
      warning,
      jobId,
      integrationId,
    });
  }
}

/** A filter that selects nothing is a mistake; an empty success would look like a quiet week. */
function nothingSelected(unmatched: readonly string[], url: string): SatelliteError {
  const which = unmatched.length === 0 ? '' : ` (${unmatched.map((entry) => `'${entry}'`).join(', ')})`;
  return new SatelliteError(`repos and projects${which} select none of the repositories that the user may see`, {
    code: 'NOTHING_SELECTED',
    kind: 'config',
    hint: 'Correct repos, projects, exclude_repos and archived of the integration; `satellite check` names near misses.',
    url,
  });
}

/** Their pull requests and commits would overwrite each other at SEI (sei-protocol §4.6). */
function sharedNames(repositories: readonly BitbucketRepository[]) {
  const byName = Map.groupBy(repositories, ({ name }) => name);
  return [...byName]
    .filter(([, same]) => same.length > 1)
    .map(([name, same]) => ({ name, labels: same.map(repositoryLabel) }));
}

/** With public access on, refused credentials look like an empty server: SEI would believe that all is well. */
async function assertIdentified(scan: Scan): Promise<void> {
  if ((await scan.bitbucket.userName()) !== undefined) return;
  throw new SatelliteError('Bitbucket answers as to a stranger: no repository is visible and no user is named', {
    code: 'BITBUCKET_ANONYMOUS',
    kind: 'auth',
    hint: 'Check username and api_key of the integration; a project or repository token needs authentication: bearer.',
    url: scan.integration.url,
  });
}

/** What a job reads, by its query and the flags of the integration (sei-protocol §4.2). */
export function dataTypesOf({ job, integration: { metadata } }: Pick<Scan, 'job' | 'integration'>): DataType[] {
  const types: DataType[] = [];
  if (metadata.fetchCommits) types.push('commits');
  if (metadata.fetchTags && job.isFull) types.push('tags');
  if (metadata.fetchPrs) types.push('pull_requests');
  if (job.fetchRepositories) types.push('repositories');
  return types;
}
