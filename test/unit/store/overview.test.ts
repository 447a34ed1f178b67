import { mkdirSync, readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, expect, test } from '@jest/globals';
import { migrations } from '../../../src/store/migrations.ts';
import { Store } from '../../../src/store/store.ts';
import { commitsOf, discovered, newJob, newPath, pullRequestsOf } from './fixtures.ts';

const failure = (atMs: number, code = 'BITBUCKET_SERVER_ERROR') => ({
  repository: 'PAY/ledger',
  code,
  reason: 'It fails',
  atMs,
});

function acknowledged(store: Store, id: string, doneAtMs: number): void {
  store.jobs.setDone(id, doneAtMs, { result: { empty: true } });
  store.acknowledge(id);
}

/** A job of two repositories; the commits of the first end as told. */
function scanned(
  store: Store,
  id: string,
  state: 'done' | 'failed',
  atMs: number,
  ids: readonly number[] = [1, 2],
): void {
  discovered(store, newJob(id, { createdAtMs: atMs - 10 }), ids);
  for (const repositoryId of ids) {
    store.slices.finish(pullRequestsOf(id, repositoryId), 'done');
    if (repositoryId !== 1) store.slices.finish(commitsOf(id, repositoryId), 'done');
    else if (state === 'done') store.slices.finish(commitsOf(id, 1), 'done', [{ ref: 'HEAD', tip: id }]);
    else store.slices.finish(commitsOf(id, 1), 'failed', [], failure(atMs));
  }
}

describe('what fails', () => {
  test('fails before and after SEI knows of it, once, since it first did', () => {
    const store = new Store(':memory:');
    scanned(store, 'a', 'failed', 10_000);
    const seen = () => store.overview.failing(['7'], 10);
    expect(seen()).toMatchObject({ repositories: 1, listed: [{ repositoryId: 1, dataType: 'commits' }] });
    acknowledged(store, 'a', 20_000);
    expect(seen()).toEqual({
      repositories: 1,
      listed: [{ integrationId: '7', repositoryId: 1, dataType: 'commits', failure: failure(10_000), sinceMs: 20_000 }],
    });
    scanned(store, 'b', 'failed', 30_000);
    expect(seen()).toMatchObject({ repositories: 1, listed: [{ failure: { atMs: 30_000 }, sinceMs: 20_000 }] });
    expect(seen().listed).toHaveLength(1);
    acknowledged(store, 'b', 40_000);
    expect(seen()).toMatchObject({ listed: [{ failure: { atMs: 30_000 }, sinceMs: 20_000 }] });
  });

  test('fails no more once it is read, and since later when it fails anew', () => {
    const store = new Store(':memory:');
    scanned(store, 'a', 'failed', 10_000);
    acknowledged(store, 'a', 20_000);
    scanned(store, 'b', 'done', 30_000);
    expect(store.overview.failing(['7'], 10)).toEqual({ repositories: 0, listed: [] });
    acknowledged(store, 'b', 40_000);
    expect(store.overview.failing(['7'], 10)).toEqual({ repositories: 0, listed: [] });
    scanned(store, 'c', 'failed', 50_000);
    acknowledged(store, 'c', 60_000);
    expect(store.overview.failing(['7'], 10)).toMatchObject({ listed: [{ sinceMs: 60_000 }] });
  });

  test('does not fail for ever when it was deleted or is not selected any more, but its gap stays', () => {
    const store = new Store(':memory:');
    scanned(store, 'a', 'failed', 10_000);
    acknowledged(store, 'a', 20_000);
    scanned(store, 'b', 'done', 30_000, [2]);
    acknowledged(store, 'b', 40_000);
    expect(store.overview.failing(['7'], 10).repositories).toBe(0);
    expect(store.coverage.hasGap({ id: 'c', integrationId: '7', fromMs: 5_000 }, 1, 'commits')).toBe(true);
    scanned(store, 'c', 'failed', 50_000);
    acknowledged(store, 'c', 60_000);
    expect(store.overview.failing(['7'], 10)).toMatchObject({ repositories: 1, listed: [{ sinceMs: 60_000 }] });
  });

  test('fails still where the job failed as a whole, until it is read', () => {
    const store = new Store(':memory:');
    scanned(store, 'a', 'failed', 10_000);
    store.jobs.setDone('a', 20_000, { exception: { message: 'nothing readable' } });
    store.acknowledge('a');
    expect(store.overview.failing(['7'], 10)).toMatchObject({
      repositories: 1,
      listed: [{ repositoryId: 1, dataType: 'commits', failure: failure(10_000), sinceMs: 20_000 }],
    });
    scanned(store, 'b', 'done', 30_000);
    acknowledged(store, 'b', 40_000);
    expect(store.overview.failing(['7'], 10).repositories).toBe(0);
    expect(store.coverage.hasGap({ id: 'c', integrationId: '7', fromMs: 5_000 }, 1, 'commits')).toBe(false);
  });

  test('is counted in full where it is listed in part', () => {
    const store = new Store(':memory:');
    const ids = Array.from({ length: 30 }, (_, index) => index + 1);
    discovered(store, newJob('a'), ids);
    for (const id of ids) {
      store.slices.finish(commitsOf('a', id), 'failed', [], failure(1));
      store.slices.finish(pullRequestsOf('a', id), 'failed', [], failure(1));
    }
    expect(store.overview.failing(['8'], 10)).toEqual({ repositories: 0, listed: [] });
    const { repositories, listed } = store.overview.failing(['7'], 10);
    expect([repositories, listed.length]).toEqual([30, 10]);
  });
});

test('what waits is counted without its bodies being read, of which there may be gigabytes', () => {
  const store = new Store(newPath());
  store.jobs.add(newJob('a'));
  for (let number = 0; number < 40; number++) {
    store.pages.add({ jobId: 'a', dataType: 'commits', number }, 1, Buffer.alloc(2 ** 20));
  }
  const readBytes = () => Number(/^rchar: (\d+)/m.exec(readFileSync('/proc/self/io', 'utf8'))?.[1]);
  const before = readBytes();
  expect(store.pages.spoolSize()).toMatchObject({ pages: 40, bytes: 40 * 2 ** 20 });
  // Of the oldest alone, which is a mebibyte.
  expect(readBytes() - before).toBeLessThan(5 * 2 ** 20);
  store.close();
});

test('repositories are counted once, whatever SEI has of them', () => {
  const store = new Store(':memory:');
  expect(store.overview.coveredRepositories('7')).toBe(0);
  for (const id of ['a', 'b', 'c']) {
    scanned(store, id, 'done', 1_000, [1, 2, 3]);
    acknowledged(store, id, 2_000);
  }
  expect(store.overview.coveredRepositories('7')).toBe(3);
  expect(store.overview.coveredRepositories('8')).toBe(0);
});

test('jobs are open or done until SEI has taken note', () => {
  const store = new Store(':memory:');
  store.jobs.add(newJob('a'));
  store.jobs.add(newJob('b'));
  store.jobs.setDone('a', 1, { result: {} });
  expect(store.overview.jobs('7')).toEqual({ open: 1, done: 1 });
});

test('a store of the version before opens with its pages, whose age nobody noted', () => {
  const path = newPath();
  mkdirSync(dirname(path), { recursive: true });
  const old = new DatabaseSync(path);
  old.exec(`${migrations[0]}; PRAGMA user_version = 1;`);
  old.exec(`INSERT INTO jobs (id, integration_id, origin, controller_name, query, is_full, from_ms, to_ms,
      fetch_repositories, created_at_ms) VALUES ('a', '7', 'sei', 'c', '0:{}', 0, 1, 2, 0, 3);
    INSERT INTO gaps VALUES ('7', 1, 'commits', 5);
    INSERT INTO pages (job_id, data_type, number, items, bytes, crc32, body) VALUES ('a', 'commits', 0, 3, 4, 0, x'00');`);
  old.close();
  const store = new Store(path);
  expect(store.pages.spoolSize()).toEqual({ pages: 1, bytes: 4, oldestAddedAtMs: undefined });
  expect(store.overview.failing(['7'], 10)).toEqual({ repositories: 0, listed: [] });
  store.pages.add({ jobId: 'a', dataType: 'commits', number: 1 }, 1, Buffer.from('x'));
  expect(store.pages.spoolSize().oldestAddedAtMs).toBeUndefined();
  store.pages.setPushed({ jobId: 'a', dataType: 'commits', number: 0 }, { records: [{}] });
  expect(Math.abs(Date.now() - (store.pages.spoolSize().oldestAddedAtMs ?? 0))).toBeLessThan(5_000);
  store.close();
});
