import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { BitbucketRepository } from '../../../src/bitbucket/types.ts';
import { CommitFilesReader } from '../../../src/crawl/commit-files.ts';
import type { DataType } from '../../../src/data-type.ts';
import { SatelliteError } from '../../../src/errors.ts';
import { Spool, type SpoolOptions } from '../../../src/jobs/spool.ts';
import { Monitor } from '../../../src/ops/monitor.ts';
import type { SliceKey } from '../../../src/store/slices.ts';
import { Store } from '../../../src/store/store.ts';
import { FakeBitbucket } from '../crawl/fake-bitbucket.ts';
import { FakeClock } from '../crawl/fake-clock.ts';
import { newJob } from '../store/fixtures.ts';
import { RecordingLogger } from './recording-logger.ts';

const listNames: Partial<Record<DataType, string>> = { commits: 'commits', pull_requests: 'pullRequests' };

interface Page {
  readonly dataType: DataType;
  readonly number: number;
  readonly bytes: number;
  readonly items: readonly { readonly repositoryId: number; readonly n: number }[];
}

interface Record_ {
  readonly repository: { readonly id: number };
  readonly [list: string]: unknown;
}

/** A store with a job and slices of commits and of pull requests of so many repositories. */
function newStore(repositories = 3): Store {
  const store = new Store(':memory:');
  store.jobs.add(newJob('a'));
  const bodies = Array.from({ length: repositories }, (_, index) => ({ id: index + 1, body: repository(index + 1) }));
  store.transaction(() => store.slices.addFound('a', bodies, () => ['commits', 'pull_requests']));
  store.slices.setDiscovered('a', 1);
  return store;
}

function repository(id: number): BitbucketRepository {
  return { id, slug: `r${id}`, name: `Größe ${id}`, project: { key: 'PAY' } };
}

function slice(repositoryId: number, dataType: DataType = 'commits'): SliceKey {
  return { jobId: 'a', repositoryId, dataType };
}

function newSpool(store: Store, options: Partial<SpoolOptions> = {}) {
  const job = store.jobs.get('a');
  if (job === undefined) throw new Error('no job');
  const logger = new RecordingLogger();
  const clock = new FakeClock();
  const bitbucket = new FakeBitbucket();
  const commitFiles = new CommitFilesReader(bitbucket, store, 'a');
  const pages: number[] = [];
  const spool = new Spool({
    store,
    job,
    tenantId: 'acme',
    maxPageBytes: 1_000,
    maxStoreBytes: Number.MAX_SAFE_INTEGER,
    commitFiles,
    clock,
    logger,
    signal: new AbortController().signal,
    onPage: () => pages.push(store.pages.waiting('a', 10_000).length),
    ...options,
  });
  return { spool, logger, clock, commitFiles, pages };
}

/** Every page of the job as SEI would read it, in the order of the numbers. */
function pagesOf(store: Store, dataType: DataType): Page[] {
  const keys = store.pages.waiting('a', 10_000).filter((key) => key.dataType === dataType);
  return keys
    .sort((a, b) => a.number - b.number)
    .map((key) => {
      const body = store.pages.body(key);
      const page = JSON.parse(Buffer.from(body).toString()) as {
        _metadata: { page_number: number; data_type: string };
        records: Record_[];
        count: number;
      };
      expect(page).toMatchObject({
        _metadata: { page_number: key.number, data_type: dataType },
        count: page.records.length,
      });
      const items = page.records.flatMap((record) =>
        (record[listNames[dataType] ?? ''] as { n: number }[]).map(({ n }) => ({
          repositoryId: record.repository.id,
          n,
        })),
      );
      return { dataType, number: key.number, bytes: body.length, items };
    });
}

/** What the pages hold of one slice, in order. */
function itemsOf(store: Store, { repositoryId, dataType }: SliceKey): number[] {
  return pagesOf(store, dataType).flatMap(({ items }) =>
    items.filter((item) => item.repositoryId === repositoryId).map(({ n }) => n),
  );
}

function record(n: number, size: number) {
  return { n, text: 'é'.repeat(size) };
}

const full = () => new SatelliteError('The disk is full', { code: 'STORE_FULL', kind: 'storage' });

/** Makes the next writes of the store fail as a full disk does. */
function fillDisk(store: Store, failures: () => boolean): void {
  const { transaction } = store;
  store.transaction = (work) =>
    transaction.call(store, () => {
      const value = work();
      if (failures()) throw full();
      return value;
    }) as ReturnType<typeof work>;
}

test('the cursor behind all that was appended is known before it is durable, and then the store has it', async () => {
  const store = newStore();
  const { spool } = newSpool(store, { maxPageBytes: 100_000 });
  expect(spool.cursorOf(slice(1))).toBeUndefined();
  await spool.append(slice(1), repository(1), { record: record(1, 10), cursor: { at: 1 } });
  await spool.append(slice(1), repository(1), { record: record(2, 10), cursor: { at: 2 } });
  await spool.append(slice(2), repository(2), { record: record(1, 10), cursor: { at: 7 } });
  expect([spool.cursorOf(slice(1)), spool.cursorOf(slice(2))]).toEqual([{ at: 2 }, { at: 7 }]);
  expect(spool.cursorOf(slice(1, 'pull_requests'))).toBeUndefined();
  expect(store.slices.get(slice(1))?.cursor).toBeUndefined();
  await spool.flush();
  expect(store.slices.get(slice(1))?.cursor).toEqual({ at: 2 });
});

describe('cutting', () => {
  test('several small repositories share a page, a large one spans several', async () => {
    const store = newStore();
    const { spool } = newSpool(store);
    await spool.append(slice(1), repository(1), { record: record(0, 10) });
    await spool.append(slice(2), repository(2), { record: record(0, 10) });
    for (let n = 0; n < 6; n++) await spool.append(slice(3), repository(3), { record: record(n, 150) });
    await spool.flush();
    const pages = pagesOf(store, 'commits');
    expect(pages[0]?.items.map(({ repositoryId }) => repositoryId)).toEqual([1, 2, 3]);
    expect(pages.length).toBeGreaterThan(2);
    expect(itemsOf(store, slice(3))).toEqual([0, 1, 2, 3, 4, 5]);
  });

  test('each data type has pages and numbers of its own', async () => {
    const store = newStore();
    const { spool } = newSpool(store);
    await spool.append(slice(1), repository(1), { record: record(0, 10) });
    await spool.append(slice(1, 'pull_requests'), repository(1), { record: record(0, 10) });
    await spool.flush();
    expect(store.pages.totals('a')).toEqual([
      { dataType: 'commits', pages: 1, items: 1 },
      { dataType: 'pull_requests', pages: 1, items: 1 },
    ]);
  });

  test('after a page that SEI refused for its size, pages are half as large, and not larger again', async () => {
    const store = newStore();
    const { spool } = newSpool(store, { maxPageBytes: 4_000 });
    const fill = async () => {
      for (let n = 0; n < 60; n++) await spool.append(slice(1), repository(1), { record: record(n, 40) });
    };
    await fill();
    await spool.flush();
    spool.refused(4_000);
    spool.refused(6_000);
    const before = pagesOf(store, 'commits').length;
    await fill();
    await spool.flush();
    const sizes = pagesOf(store, 'commits').map(({ bytes }) => bytes);
    expect(Math.max(...sizes.slice(0, before))).toBeGreaterThan(3_500);
    // The one that was filling at that moment is cut in two once it is refused itself.
    expect(Math.max(...sizes.slice(before + 1))).toBeLessThanOrEqual(2_000);
    expect(sizes.length).toBeGreaterThan(before + 2);
  });

  test('the empty page of repositories is one', async () => {
    const store = newStore();
    await newSpool(store).spool.addEmptyPage('repositories');
    const body = store.pages.body({ jobId: 'a', dataType: 'repositories', number: 0 });
    expect(JSON.parse(Buffer.from(body).toString())).toMatchObject({
      _metadata: { page_number: 0 },
      records: [],
      count: 0,
    });
    expect(store.pages.totals('a')).toEqual([{ dataType: 'repositories', pages: 1, items: 0 }]);
  });
});

describe('what becomes durable with a page', () => {
  test('are the cursors of what is in it, and not of what is not', async () => {
    const store = newStore();
    const { spool } = newSpool(store);
    const [one, two] = [slice(1), slice(2)];
    await spool.append(one, repository(1), { record: record(0, 150), cursor: { next: 1 } });
    await spool.append(two, repository(2), { record: record(0, 150), cursor: { next: 1 } });
    await spool.append(one, repository(1), { record: record(1, 150), cursor: { next: 2 } });
    expect(store.slices.get(one)?.cursor).toEqual({ next: 1 });
    expect(store.slices.get(two)?.cursor).toEqual({ next: 1 });
    expect(itemsOf(store, one)).toEqual([0]);
  });

  test('is the end of a slice, once the last of its items is', async () => {
    const store = newStore();
    const { spool } = newSpool(store);
    await spool.append(slice(1), repository(1), { record: record(0, 10) });
    await spool.finish(slice(1), [{ ref: 'HEAD', tip: 't' }]);
    expect(store.slices.counts('a')).toMatchObject({ done: 0 });
    await spool.flush();
    expect(store.slices.counts('a')).toMatchObject({ done: 1 });
    store.jobs.setDone('a', 1, { result: {} });
    store.acknowledge('a');
    expect(store.coverage.tipsBefore('7', 1, 'HEAD', 9_000)).toEqual(['t']);
  });

  test('a slice without items ends at once, where no page is filling', async () => {
    const store = newStore();
    const { spool, pages } = newSpool(store);
    await spool.finish(slice(1), []);
    expect(store.slices.get(slice(1))?.state).toBe('done');
    expect(pages).toEqual([]);
    expect(store.pages.totals('a')).toEqual([]);
  });

  test('a slice that fails keeps what it has yielded, with the failure', async () => {
    const store = newStore();
    const { spool } = newSpool(store);
    await spool.append(slice(1), repository(1), { record: record(0, 10) });
    const failure = { repository: 'PAY/ledger', code: 'NO', reason: 'no', atMs: 5 };
    await spool.fail(slice(1), { message: 'no', url: 'u' }, failure);
    expect(store.slices.get(slice(1))?.state).toBe('open');
    await spool.flush();
    expect(store.slices.get(slice(1))?.state).toBe('failed');
    expect(itemsOf(store, slice(1))).toEqual([0]);
    expect(store.jobs.failures('a')).toEqual([{ message: 'no', url: 'u' }]);
    expect(store.overview.failing(['7', '1'], 10)).toMatchObject({ repositories: 1, listed: [{ failure }] });
  });

  test('are the pull requests found, with or without something to send', async () => {
    const store = newStore();
    const { spool } = newSpool(store);
    const found = (id: number) => ({ id, fingerprint: 'f', isOpen: true, readAtMs: 1 });
    await spool.append(slice(1, 'pull_requests'), repository(1), { found: found(1) });
    await spool.append(slice(1, 'pull_requests'), repository(1), { record: record(2, 10), found: found(2) });
    expect(store.pullRequests.isFound('a', 1, 1)).toBe(false);
    await spool.flush();
    expect([1, 2, 3].map((id) => store.pullRequests.isFound('a', 1, id))).toEqual([true, true, false]);
  });

  test('are the commit files counted meanwhile', async () => {
    const store = newStore();
    const { spool, commitFiles } = newSpool(store);
    await commitFiles.read({ projectKey: 'PAY', slug: 'r1' }, { id: 'ab'.repeat(20) });
    await spool.append(slice(1), repository(1), { record: record(0, 10) });
    expect(store.commitFiles.get('ab'.repeat(20))).toBeUndefined();
    await spool.flush();
    expect(store.commitFiles.get('ab'.repeat(20))).toBeDefined();
  });

  test('are the failures, also one that is met while the page is written', async () => {
    const store = newStore();
    const { spool } = newSpool(store);
    const { transaction } = store;
    store.transaction = (work) => {
      // As a diff that comes back at that moment does.
      queueMicrotask(() => spool.addFailure({ message: 'meanwhile', url: 'u' }));
      store.transaction = transaction;
      return transaction.call(store, work) as ReturnType<typeof work>;
    };
    spool.addFailure({ message: 'before', url: 'u' });
    await spool.append(slice(1), repository(1), { record: record(0, 10) });
    await spool.flush();
    await spool.flush();
    expect(store.jobs.failures('a').map(({ message }) => message)).toEqual(['before', 'meanwhile']);
  });

  test('whoever pushes is told, once for each page', async () => {
    const store = newStore();
    const { spool, pages } = newSpool(store);
    for (let n = 0; n < 5; n++) await spool.append(slice(1), repository(1), { record: record(n, 300) });
    await spool.flush();
    await spool.flush();
    expect(pages).toEqual([1, 2, 3, 4, 5]);
  });
});

describe('a disk that takes nothing', () => {
  test('is waited for: nothing is lost, nothing comes twice, and whoever brings more waits', async () => {
    const store = newStore();
    let failures = 3;
    fillDisk(store, () => failures-- > 0);
    const { spool, clock, logger } = newSpool(store);
    const work = [1, 2, 3].map(async (id) => {
      const key = slice(id);
      for (let n = 0; n < 6; n++)
        await spool.append(key, repository(id), { record: record(n, 200), cursor: { next: n + 1 } });
      await spool.finish(key, []);
    });
    await Promise.all(work);
    await spool.flush();
    for (const id of [1, 2, 3]) {
      expect(itemsOf(store, slice(id))).toEqual([0, 1, 2, 3, 4, 5]);
      expect(store.slices.get(slice(id))).toMatchObject({ state: 'done', cursor: { next: 6 } });
    }
    expect(clock.sleeps.length).toBeGreaterThanOrEqual(3);
    expect(logger.entries.filter(({ level }) => level === 'error')).toMatchObject([{ fields: { code: 'STORE_FULL' } }]);
  });

  test('a stop ends the wait, and what was not durable is not there', async () => {
    const store = newStore();
    fillDisk(store, () => true);
    const abort = new AbortController();
    const sleep = async () => {
      abort.abort(new Error('stopping'));
      abort.signal.throwIfAborted();
    };
    const { spool } = newSpool(store, { signal: abort.signal, clock: Object.assign(new FakeClock(), { sleep }) });
    await spool.append(slice(1), repository(1), { record: record(0, 10), cursor: { next: 1 } });
    await expect(spool.flush()).rejects.toThrow('stopping');
    expect(store.pages.totals('a')).toEqual([]);
    expect(store.slices.get(slice(1))?.cursor).toBeUndefined();
  });
});

test('what is only remembered of pull requests is not kept in memory until a page is full', async () => {
  const store = newStore();
  const { spool } = newSpool(store, {});
  const key = slice(1, 'pull_requests');
  const found = (id: number) => ({ id, fingerprint: 'f', isOpen: false, readAtMs: 1 });
  await spool.append(key, repository(1), { record: record(0, 10), found: found(1) });
  for (let id = 2; id <= 999; id++) await spool.append(key, repository(1), { found: found(id) });
  expect([store.pages.waiting('a', 9).length, store.pullRequests.isFound('a', 1, 1)]).toEqual([0, false]);
  await spool.append(key, repository(1), { found: found(1_000) });
  // Never without the page that what it names is in.
  expect([store.pages.waiting('a', 9).length, store.pullRequests.isFound('a', 1, 1)]).toEqual([1, true]);
});

test('what is noted of a job that ends for good is there, whatever else is given up', async () => {
  const store = newStore();
  const { spool } = newSpool(store, {});
  await spool.append(slice(1), repository(1), { record: record(0, 10) });
  await spool.fail(slice(1), { message: 'closed', url: 'u' }, { repository: 'r', code: 'C', reason: 'no', atMs: 1 });
  store.transaction(() => spool.persistFailures());
  expect(store.jobs.failures('a')).toEqual([{ message: 'closed', url: 'u' }]);
});

describe('a store at its cap', () => {
  test('makes the crawl wait until SEI has taken pages', async () => {
    const store = newStore();
    let waits = 0;
    const sleep = async () => {
      if (++waits < 3) return;
      for (const key of store.pages.waiting('a', 9)) store.pages.setPushed(key, { records: [{ uri: 'u' }] });
    };
    const clock = Object.assign(new FakeClock(), { sleep });
    const { spool, logger } = newSpool(store, { maxStoreBytes: 1, clock });
    await spool.append(slice(1), repository(1), { record: record(0, 10) });
    await spool.flush();
    expect(waits).toBe(3);
    expect(logger.entries).toMatchObject([{ level: 'warn', fields: { code: 'STORE_AT_CAP', pages: 1 } }]);
  });

  test('is told before the first wait, where something gave way first as well', async () => {
    const store = newStore();
    for (let n = 0; n < 2_500; n++) store.commitFiles.add(n.toString(16).padStart(40, '0'), { f: [] });
    const told: number[] = [];
    const sleep = async () => {
      told.push(logger.entries.length);
      for (const key of store.pages.waiting('a', 9)) store.pages.setPushed(key, { records: [{ uri: 'u' }] });
    };
    const clock = Object.assign(new FakeClock(), { sleep });
    const { spool, logger } = newSpool(store, { maxStoreBytes: 1, clock });
    await spool.append(slice(1), repository(1), { record: record(0, 10) });
    await spool.flush();
    expect(told).toEqual([1]);
  });

  test('is no failing part while SEI takes pages, is one when it has taken none for ten seconds, and then no more', async () => {
    const store = newStore();
    store.pages.add({ jobId: 'a', dataType: 'tags', number: 0 }, 1, Buffer.from('x'));
    const clock = new FakeClock();
    const monitor = new Monitor({ clock, version: '1' });
    const stateOfCap = () => monitor.health.report().parts.find(({ part }) => part === 'store_cap')?.state;
    const states: unknown[] = [];
    const push = (dataType: 'tags' | 'commits') =>
      store.pages.setPushed({ jobId: 'a', dataType, number: 0 }, { records: [{}] });
    const waiting = Object.assign(new FakeClock(), {
      sleep: async () => {
        states.push(stateOfCap());
        // One page is taken in the 15th half second, the last one in the 45th.
        if (states.length === 15) push('tags');
        if (states.length === 45) push('commits');
      },
    });
    const { spool } = newSpool(store, { maxStoreBytes: 1, clock: waiting, monitor });
    await spool.append(slice(1), repository(1), { record: record(0, 10) });
    await spool.flush();
    expect(states.indexOf('failing')).toBe(15 + 20);
    expect(states.slice(35)).toEqual(Array.from({ length: 10 }, () => 'failing'));
    expect(stateOfCap()).toBe('ok');
  });

  test('gives up commit files first', async () => {
    const store = newStore();
    for (let n = 0; n < 2_500; n++) store.commitFiles.add(n.toString(16).padStart(40, '0'), { f: [] });
    const before = store.usedBytes();
    const { spool, clock } = newSpool(store, { maxStoreBytes: before - 60_000 });
    await spool.append(slice(1), repository(1), { record: record(0, 10) });
    await spool.flush();
    expect(clock.sleeps).toEqual([]);
    expect(store.usedBytes()).toBeLessThanOrEqual(before - 60_000);
    expect(store.commitFiles.get((2_499).toString(16).padStart(40, '0'))).toBeDefined();
    expect(store.commitFiles.get((0).toString(16).padStart(40, '0'))).toBeUndefined();
  });
});

describe('whatever is crawled side by side', () => {
  /** Of each slice the sizes of its items; when the disk is full; after how many items the process ends. */
  const plan = fc.record({
    slices: fc.array(fc.array(fc.nat(400), { maxLength: 15 }), { minLength: 1, maxLength: 6 }),
    disk: fc.array(fc.nat(4), { maxLength: 8 }),
    crashes: fc.array(fc.integer({ min: 1, max: 30 }), { maxLength: 4 }),
    maxPageBytes: fc.integer({ min: 400, max: 3_000 }),
  });

  test('the pages hold every item once and in order, are numbered without a hole, and end in the cursors', async () => {
    await fc.assert(
      fc.asyncProperty(plan, async ({ slices, disk, crashes, maxPageBytes }) => {
        const store = newStore(slices.length);
        const failures = [...disk];
        fillDisk(store, () => failures.shift() === 0);
        const keys = slices.map((_, index) => slice(index + 1, index % 2 === 0 ? 'commits' : 'pull_requests'));

        /** From the durable cursors on, until everything is done or so many items were appended. */
        const crawl = async (items: number) => {
          const { spool } = newSpool(store, { maxPageBytes });
          let left = items;
          const work = keys.map(async ({ repositoryId, dataType }, index) => {
            const stored = store.slices.get(slice(repositoryId, dataType));
            if (stored?.state !== 'open') return;
            const key = slice(repositoryId, dataType);
            const sizes = slices[index] ?? [];
            const { next } = (stored.cursor ?? { next: 0 }) as { next: number };
            for (let n = next; n < sizes.length; n++) {
              if (--left < 0) return;
              await spool.append(key, repository(repositoryId), {
                record: record(n, sizes[n] ?? 0),
                cursor: { next: n + 1 },
              });
            }
            await spool.finish(key, []);
          });
          await Promise.all(work);
          if (left >= 0) await spool.flush();
          // At any end, a crash too: the cursor of a slice stands behind the last of its items that is in a page.
          for (const key of keys) {
            const { next } = (store.slices.get(key)?.cursor ?? { next: 0 }) as { next: number };
            expect(itemsOf(store, key)).toEqual(Array.from({ length: next }, (_, n) => n));
          }
        };
        for (const items of crashes) await crawl(items);
        await crawl(Number.POSITIVE_INFINITY);

        for (const [index, key] of keys.entries()) {
          expect(itemsOf(store, key)).toEqual(slices[index]?.map((_, n) => n));
          expect(store.slices.get(key)?.state).toBe('done');
        }
        for (const dataType of ['commits', 'pull_requests'] as const) {
          const pages = pagesOf(store, dataType);
          expect(pages.map(({ number }) => number)).toEqual(pages.map((_, n) => n));
          for (const { items, bytes } of pages) {
            expect(items.length).toBeGreaterThan(0);
            if (items.length > 1) expect(bytes).toBeLessThanOrEqual(maxPageBytes);
          }
        }
      }),
      { numRuns: 80 },
    );
  });
});
