import { mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { program } from './satellite.ts';

/** What a satellite is to find in its store. */
export interface Content {
  readonly path: string;
  readonly commitFilesBytes: number;
  /** A job that is crawled, its pages, and what it will remember of pull requests. */
  readonly job?: CrawledJob;
}

export interface CrawledJob {
  readonly id: string;
  readonly tenant: string;
  readonly integrationId: string;
  readonly pages: number;
  readonly pageBytes: number;
  readonly pullRequests: number;
}

type StoreModule = typeof import('../../src/store/store.ts');
type Store = InstanceType<StoreModule['Store']>;

const mostInOneTransaction = 10_000;

/**
 * A program of its own, `node fill-store.ts <Content as JSON>`: it writes for minutes without a pause, and whoever calls it
 * has servers to keep. By the satellite's own store, as it is built.
 */
const content = JSON.parse(process.argv[2] ?? '') as Content;
const { Store } = (await import(join(dirname(program), 'store/store.js'))) as StoreModule;
await mkdir(dirname(content.path), { recursive: true, mode: 0o700 });
const store = new Store(content.path);
addCommitFiles(store, content.commitFilesBytes);
if (content.job !== undefined) addJob(store, content.job);
store.close();

function addCommitFiles(to: Store, bytes: number): void {
  const files = { f: [[null, 'f'.repeat(3_500), 1, 0]] };
  inTurns(to, bytes / 4_096, (number) => to.commitFiles.add(number.toString(16).padStart(40, '0'), files));
}

function addJob(to: Store, { id, tenant, integrationId, pages, pageBytes, pullRequests }: CrawledJob): void {
  const key = { tenant_id: tenant, integration_id: integrationId };
  to.jobs.add({
    id,
    integrationId,
    origin: 'schedule',
    controllerName: 'BitbucketServerIterativeScanController',
    query: { integration_key: key, from: 1, to: 2, should_fetch_repos: false },
    isFull: false,
    fromMs: 1,
    toMs: 2,
    fetchRepositories: false,
    createdAtMs: Date.now(),
  });
  to.slices.setDiscovered(id, Date.now());
  for (let number = 0; number < pages; number++) {
    to.pages.add({ jobId: id, dataType: 'commits', number }, 1, pageOf(key, number, pageBytes));
  }
  const found = { fingerprint: 'f'.repeat(43), isOpen: false, readAtMs: 1, sentMs: 1 };
  inTurns(to, pullRequests, (number) =>
    to.pullRequests.addFound(id, 1 + (number % 1_000), { ...found, id: 1 + number }),
  );
}

function inTurns(to: Store, count: number, add: (number: number) => void): void {
  for (let start = 0; start < count; start += mostInOneTransaction) {
    to.transaction(() => {
      for (let number = start; number < Math.min(count, start + mostInOneTransaction); number++) add(number);
    });
  }
}

/** One commit with a very long message. */
function pageOf(key: object, number: number, bytes: number): Buffer {
  const metadata = {
    integration_key: key,
    integration_type: 'bitbucket_server',
    data_type: 'commits',
    page_number: number,
  };
  const person = { name: 'Ada', emailAddress: 'ada@example.com' };
  const sha = number.toString(16).padStart(40, '0');
  const commit = {
    ...{ id: sha, displayId: sha.slice(0, 11), author: person, committer: person },
    ...{ authorTimestamp: 1_700_000_000_000, committerTimestamp: 1_700_000_000_000, parents: [] },
    ...{ projectName: 'Bulk', repoName: 'bulk', commitUrl: 'http://127.0.0.1/', message: 'm'.repeat(bytes - 900) },
  };
  const project = { key: 'BULK', name: 'Bulk' };
  const record = { project, repository: { slug: 'bulk', id: 1, name: 'bulk', project }, commits: [commit] };
  return Buffer.from(JSON.stringify({ _metadata: metadata, records: [record], count: 1 }));
}
