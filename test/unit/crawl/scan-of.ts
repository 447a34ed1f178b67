import { newBranchSelector } from '../../../src/crawl/branch-filter.ts';
import { CommitFilesReader } from '../../../src/crawl/commit-files.ts';
import { PullRequestRoom } from '../../../src/crawl/pull-request-room.ts';
import type { Crawled, Scan, SliceCrawl } from '../../../src/crawl/scan.ts';
import type { NewJob } from '../../../src/store/jobs.ts';
import type { CoveredTip } from '../../../src/store/slices.ts';
import { Store } from '../../../src/store/store.ts';
import { newJob } from '../store/fixtures.ts';
import type { FakeBitbucket } from './fake-bitbucket.ts';
import { FakeClock } from './fake-clock.ts';
import { integration } from './integration.ts';

interface ScanParts {
  readonly bitbucket: FakeBitbucket;
  readonly store?: Store;
  readonly job?: Partial<NewJob>;
  readonly config?: Parameters<typeof integration>[0];
  readonly clock?: FakeClock;
}

/** A scan as the runner makes it, of a job that is in the store; its failures are kept. */
export function scanOf({
  bitbucket,
  store = new Store(':memory:'),
  job = {},
  config = {},
  clock = new FakeClock(),
}: ScanParts) {
  const { id = 'a' } = job;
  store.jobs.add(newJob(id, job));
  const stored = store.jobs.get(id);
  if (stored === undefined) throw new Error('the job was not stored');
  const failures: string[] = [];
  const scan: Scan = {
    job: stored,
    integration: integration(config),
    branchSelector: newBranchSelector(config.metadata?.branches ?? []),
    bitbucket,
    store,
    clock,
    commitFiles: new CommitFilesReader(bitbucket, store, id),
    pullRequestRoom: new PullRequestRoom(4),
    addFailure: ({ message }) => failures.push(message),
  };
  return { scan, failures };
}

/** All steps of a slice, and what it covers in the end. */
export async function drain(crawl: SliceCrawl): Promise<{ steps: Crawled[]; covered: readonly CoveredTip[] }> {
  const steps: Crawled[] = [];
  for (;;) {
    const step = await crawl.next();
    if (step.done) return { steps, covered: step.value };
    steps.push(step.value);
  }
}

/** The ids of what the steps send. */
export function sent<T extends string | number>(steps: readonly Crawled[]): T[] {
  return steps.flatMap(({ record }) => (record === undefined ? [] : [(record as { readonly id: T }).id]));
}
