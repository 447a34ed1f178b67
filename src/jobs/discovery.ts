import { newSelector } from '../crawl/repository-filter.ts';
import { repositoryLabel } from '../crawl/repository-path.ts';
import type { Scan } from '../crawl/scan.ts';
import type { DataType } from '../data-type.ts';
import { SatelliteError } from '../errors.ts';
import { killPoint } from '../ops/kill-point.ts';
import { type DurablyOptions, durably } from './durably.ts';

/**
 * Lists the repositories of a job and lays out its slices, a page of the list in a transaction, so that none of it has to
 * be kept in memory. The last transaction says that they are complete: a crash before it lists again from the start, one
 * after it never does, so a job keeps the repositories it began with.
 */
export async function discover(scan: Scan, types: readonly DataType[], options: DurablyOptions): Promise<void> {
  killPoint('scan:before-discovery');
  const { job, store, integration } = scan;
  const selector = newSelector(integration.metadata);
  const typesOf = (id: number) => [...types, ...owedTypes(scan, types, id)];
  const selected = new Map<number, Named>();
  await durably(() => store.transaction(() => store.slices.removeFound(job.id)), options);
  let isAnyVisible = false;
  for await (const { values } of scan.bitbucket.repositoryPages()) {
    isAnyVisible ||= values.length > 0;
    const found = values.filter((repository) => selector.selects(repository)).map((body) => ({ id: body.id, body }));
    // Renamed since an earlier page showed it, one may be another choice now.
    const dropped = values.filter(({ id }) => selected.delete(id));
    for (const { id, body } of found) selected.set(id, { name: body.name, label: repositoryLabel(body) });
    const layOut = () => {
      for (const { id } of dropped) store.slices.removeFound(job.id, id);
      store.slices.addFound(job.id, found, typesOf);
    };
    await durably(() => store.transaction(layOut), options);
  }
  const unmatched = selector.unmatched();
  if (!isAnyVisible) await assertIdentified(scan);
  if (isAnyVisible && selected.size === 0) throw nothingSelected(unmatched, integration.url);
  killPoint('scan:discovered');
  const flaws = [
    ...sharedNames(selected.values()).map(({ name, labels }) => ({
      code: 'NAMES_SHARED',
      message: `${labels.join(', ')}: SEI tells repositories apart by their name alone, and all are named '${name}'`,
    })),
    ...unmatched.map((entry) => ({
      code: 'NAME_NOT_FOUND',
      message: `metadata: '${entry}' matches nothing that the user of the integration may see`,
    })),
  ];
  const complete = () => {
    store.slices.setDiscovered(job.id, scan.clock.now());
    for (const { message } of flaws) store.jobs.addFailure(job.id, { message, url: integration.url });
  };
  await durably(() => store.transaction(complete), options);
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

interface Named {
  readonly name: string;
  readonly label: string;
}

/** Their pull requests and commits would overwrite each other at SEI (sei-protocol §4.6). */
function sharedNames(repositories: Iterable<Named>) {
  const byName = Map.groupBy(repositories, ({ name }) => name);
  return [...byName]
    .filter(([, same]) => same.length > 1)
    .map(([name, same]) => ({ name, labels: same.map(({ label }) => label) }));
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

/**
 * SEI asks for tags in full scans only, and for repositories seldom: what an earlier job could not bring of them, and those
 * of a new repository, are brought by the next that can, whichever it is.
 */
function owedTypes({ job, store, integration }: Scan, types: readonly DataType[], repositoryId: number): DataType[] {
  const owed: DataType[] = integration.metadata.fetchTags ? ['tags', 'repositories'] : ['repositories'];
  // Where neither commits nor pull requests are read, nothing tells which repository is new.
  const isNew = types.some(isCovered) && store.coverage.isNew(job, repositoryId);
  return owed.filter((type) => !types.includes(type) && (isNew || store.coverage.hasGap(job, repositoryId, type)));
}

function isCovered(type: DataType): boolean {
  return type === 'commits' || type === 'pull_requests';
}
