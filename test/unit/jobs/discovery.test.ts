import { describe, expect, test } from '@jest/globals';
import type { Page } from '../../../src/bitbucket/paging.ts';
import type { BitbucketRepository } from '../../../src/bitbucket/types.ts';
import type { Scan } from '../../../src/crawl/scan.ts';
import { type DataType, dataTypes } from '../../../src/data-type.ts';
import { dataTypesOf, discover } from '../../../src/jobs/discovery.ts';
import { Store } from '../../../src/store/store.ts';
import { FakeBitbucket } from '../crawl/fake-bitbucket.ts';
import { integration } from '../crawl/integration.ts';
import { scanOf } from '../crawl/scan-of.ts';
import { newJob } from '../store/fixtures.ts';
import { RecordingLogger } from './recording-logger.ts';

/** A server that shows these repositories to this user. */
class Server extends FakeBitbucket {
  readonly visible: readonly BitbucketRepository[];
  readonly user: string | undefined;

  constructor(visible: readonly BitbucketRepository[], user?: string) {
    super();
    this.visible = visible;
    this.user = user;
  }

  /** Two on a page. */
  override async *repositoryPages(): AsyncGenerator<Page<BitbucketRepository>, void, undefined> {
    this.calls.push('repositories');
    for (let start = 0; start < this.visible.length; start += 2) {
      yield { values: this.visible.slice(start, start + 2), start, nextStart: undefined };
    }
  }

  override async userName(): Promise<string | undefined> {
    this.calls.push('user name');
    return this.user;
  }
}

const [ledger, api] = ['ledger', 'api'].map((slug, index) => ({
  id: index + 1,
  slug,
  name: slug,
  project: { key: 'PAY' },
})) as [BitbucketRepository, BitbucketRepository];

async function discoverNow(scan: Scan, types: readonly DataType[]): Promise<void> {
  const signal = new AbortController().signal;
  await discover(scan, types, { clock: scan.clock, logger: new RecordingLogger(), signal });
}

describe('discovery', () => {
  test('lays out a slice for each repository and data type', async () => {
    const { scan } = scanOf({ bitbucket: new Server([ledger, api]) });
    await discoverNow(scan, ['commits', 'tags']);
    expect(scan.store.slices.repositoryIds('a')).toEqual([1, 2]);
    expect(scan.store.slices.repository('a', 2)).toEqual(api);
    expect(scan.store.slices.counts('a')).toEqual({ open: 4, done: 0, failed: 0 });
    expect(scan.store.jobs.get('a')?.discoveredAtMs).toBe(scan.clock.now());
  });

  test('takes a repository once that a moving list shows twice, as it was seen last', async () => {
    const renamed = { ...ledger, slug: 'ledger-2' };
    const { scan } = scanOf({ bitbucket: new Server([ledger, api, renamed]) });
    await discoverNow(scan, ['commits']);
    expect(scan.store.slices.repositoryIds('a')).toEqual([1, 2]);
    expect(scan.store.slices.repository('a', 1)).toEqual(renamed);
  });

  test('leaves out one that a moving list shows again under a name that is not selected', async () => {
    const renamed = { ...ledger, slug: 'books', name: 'books' };
    const { scan } = scanOf({
      bitbucket: new Server([ledger, api, renamed]),
      config: { metadata: { repos: ['ledger', 'api'] } },
    });
    await discoverNow(scan, ['commits']);
    expect(scan.store.slices.repositoryIds('a')).toEqual([2]);
    expect(scan.store.slices.counts('a')).toEqual({ open: 1, done: 0, failed: 0 });
  });

  test('that breaks off begins again: what it had found is not what the job has', async () => {
    const bitbucket = new Server([ledger, api]);
    const { scan } = scanOf({ bitbucket });
    const { repositoryPages } = bitbucket;
    bitbucket.repositoryPages = async function* () {
      yield* repositoryPages.call(bitbucket);
      throw new Error('the list broke off');
    };
    await expect(discoverNow(scan, ['commits'])).rejects.toThrow('the list broke off');
    expect(scan.store.jobs.get('a')?.discoveredAtMs).toBeNull();
    await discoverNow({ ...scan, bitbucket: new Server([api]) }, ['commits']);
    expect(scan.store.slices.repositoryIds('a')).toEqual([2]);
    expect(scan.store.slices.counts('a')).toEqual({ open: 1, done: 0, failed: 0 });
  });

  test.each(['tags', 'repositories'] as const)(
    'of an incremental scan reads the %s that a full one could not',
    async (dataType) => {
      const store = new Store(':memory:');
      store.jobs.add(newJob('full', { isFull: true }));
      const repositories = [ledger, api].map((body) => ({ id: body.id, body }));
      store.slices.addFound('full', repositories, () => ['commits', dataType]);
      for (const repositoryId of [1, 2]) {
        const tips = [{ ref: 'HEAD', tip: 'ab' }];
        store.slices.finish({ jobId: 'full', repositoryId, dataType: 'commits' }, 'done', tips);
        const end = repositoryId === 1 ? 'failed' : 'done';
        store.slices.finish({ jobId: 'full', repositoryId, dataType }, end);
      }
      store.jobs.setDone('full', 1, { result: {} });
      store.acknowledge('full');
      const { scan } = scanOf({ bitbucket: new Server([ledger, api]), store });
      await discoverNow(scan, ['commits']);
      const isThere = (repositoryId: number) => store.slices.get({ jobId: 'a', repositoryId, dataType }) !== undefined;
      expect([1, 2].map(isThere)).toEqual([true, false]);
    },
  );

  test.each([
    ['reads tags and record of a new repository', ['commits'], {}, ['commits', 'repositories', 'tags']],
    ['but no tags where they are not wanted', ['commits'], { fetchTags: false }, ['commits', 'repositories']],
    ['and neither where nothing tells which one is new', [], {}, []],
  ] as const)('of an incremental scan %s', async (_name, types, metadata, expected) => {
    const store = new Store(':memory:');
    const isRead = types.length > 0;
    store.jobs.add(newJob('before'));
    store.slices.addFound('before', [{ id: ledger.id, body: ledger }], () => ['commits']);
    const tips = isRead ? [{ ref: 'HEAD', tip: 'ab' }] : [];
    store.slices.finish({ jobId: 'before', repositoryId: 1, dataType: 'commits' }, 'done', tips);
    store.jobs.setDone('before', 1, { result: {} });
    store.acknowledge('before');
    const { scan } = scanOf({ bitbucket: new Server([ledger, api]), store, config: { metadata } });
    await discoverNow(scan, [...types]);
    const read = (repositoryId: number) =>
      dataTypes.filter((dataType) => store.slices.get({ jobId: 'a', repositoryId, dataType }) !== undefined).sort();
    expect([read(1), read(2)]).toEqual([types, expected]);
  });

  test('of an incremental scan does not read what is with SEI of a repository whose other parts never could be read', async () => {
    const store = new Store(':memory:');
    store.jobs.add(newJob('full', { isFull: true, fetchRepositories: true }));
    const types = ['commits', 'tags', 'pull_requests', 'repositories'] as const;
    store.slices.addFound('full', [{ id: ledger.id, body: ledger }], () => [...types]);
    for (const dataType of types) {
      const end = dataType === 'tags' || dataType === 'repositories' ? 'done' : 'failed';
      store.slices.finish({ jobId: 'full', repositoryId: 1, dataType }, end);
    }
    store.jobs.setDone('full', 1, { result: {} });
    store.acknowledge('full');
    const { scan } = scanOf({ bitbucket: new Server([ledger]), store });
    await discoverNow(scan, ['commits', 'pull_requests']);
    const isThere = (dataType: DataType) => store.slices.get({ jobId: 'a', repositoryId: 1, dataType }) !== undefined;
    expect(dataTypes.filter(isThere).sort()).toEqual(['commits', 'pull_requests']);
  });

  test('reports what the filter names and nobody sees', async () => {
    const { scan } = scanOf({
      bitbucket: new Server([ledger, api]),
      config: { metadata: { repos: ['ledger', 'legder'] } },
    });
    await discoverNow(scan, ['commits']);
    expect(scan.store.slices.repositoryIds('a')).toEqual([1]);
    expect(scan.store.jobs.failures('a')).toEqual([
      { message: expect.stringContaining("'legder'"), url: 'https://bitbucket.example.org' },
    ]);
  });

  test('of a server that shows nothing to a user who is known is an empty job', async () => {
    const { scan } = scanOf({ bitbucket: new Server([], 'reader') });
    await discoverNow(scan, ['commits']);
    expect(scan.store.jobs.get('a')?.discoveredAtMs).not.toBeNull();
  });

  test('of a server that shows nothing to a stranger is not: refused credentials look like that', async () => {
    const bitbucket = new Server([]);
    const { scan } = scanOf({ bitbucket });
    await expect(discoverNow(scan, ['commits'])).rejects.toMatchObject({ code: 'BITBUCKET_ANONYMOUS', kind: 'auth' });
    expect(scan.store.jobs.get('a')?.discoveredAtMs).toBeNull();
  });

  test('does not ask who we are where there is something to see: a project token has no name', async () => {
    const bitbucket = new Server([ledger]);
    const { scan } = scanOf({ bitbucket });
    await discoverNow(scan, ['commits']);
    expect(bitbucket.calls).toEqual(['repositories']);
  });
});

describe('what a job reads', () => {
  test.each([
    ['an incremental scan', {}, {}, ['commits', 'pull_requests']],
    ['a full scan', { isFull: true }, {}, ['commits', 'tags', 'pull_requests']],
    ['a scan with repositories', { fetchRepositories: true }, {}, ['commits', 'pull_requests', 'repositories']],
    ['without commits', {}, { fetchCommits: false }, ['pull_requests']],
    ['without pull requests', {}, { fetchPrs: false }, ['commits']],
    ['a full scan without tags', { isFull: true }, { fetchTags: false }, ['commits', 'pull_requests']],
    ['with everything switched off', { isFull: true }, { fetchCommits: false, fetchPrs: false, fetchTags: false }, []],
  ])('%s', (_name, job, metadata, expected) => {
    const unused = { discoveredAtMs: null, doneAtMs: null, result: undefined, exception: undefined };
    expect(dataTypesOf({ job: { ...newJob('a', job), ...unused }, integration: integration({ metadata }) })).toEqual(
      expected,
    );
  });
});
