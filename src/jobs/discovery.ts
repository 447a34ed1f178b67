import type { BitbucketRepository } from '../bitbucket/types.ts';
import { selectRepositories } from '../crawl/repository-filter.ts';
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
  killPoint('scan:discovered');
  const layOut = () => {
    scan.store.slices.addDiscovered(
      scan.job.id,
      scan.clock.now(),
      repositories.map((body) => ({ id: body.id, body })),
      types,
    );
    for (const entry of unmatched) {
      scan.store.jobs.addFailure(scan.job.id, {
        message: `metadata: '${entry}' matches nothing that the user of the integration may see`,
        url: scan.integration.url,
      });
    }
  };
  await durably(() => scan.store.transaction(layOut), options);
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
