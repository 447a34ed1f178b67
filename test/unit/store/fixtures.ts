import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { NewJob } from '../../../src/store/jobs.ts';
import type { SliceKey } from '../../../src/store/slices.ts';
import type { Store } from '../../../src/store/store.ts';

/** The path of a store that does not exist yet. */
export function newPath(): string {
  return join(mkdtempSync(join(tmpdir(), 'satellite-store-')), 'data', 'satellite.db');
}

export function newJob(id: string, overrides: Partial<NewJob> = {}): NewJob {
  return {
    id,
    integrationId: '7',
    origin: 'sei',
    controllerName: 'BitbucketServerIterativeScanController',
    query: { from: 1_000 },
    isFull: false,
    fromMs: 1_000,
    toMs: 2_000,
    fetchRepositories: false,
    createdAtMs: 5_000,
    ...overrides,
  };
}

/** Takes a job on and lays out a slice of commits and one of pull requests for each of the repositories. */
export function discovered(store: Store, job: NewJob, repositoryIds: readonly number[]): void {
  store.jobs.add(job);
  const repositories = repositoryIds.map((id) => ({ id, body: { id, name: `repository ${id}` } }));
  store.transaction(() => {
    store.slices.addFound(job.id, repositories, () => ['commits', 'pull_requests']);
    store.slices.setDiscovered(job.id, 6_000);
  });
}

export function commitsOf(jobId: string, repositoryId: number): SliceKey {
  return { jobId, repositoryId, dataType: 'commits' };
}

export function pullRequestsOf(jobId: string, repositoryId: number): SliceKey {
  return { jobId, repositoryId, dataType: 'pull_requests' };
}
