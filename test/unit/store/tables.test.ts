import { randomBytes } from 'node:crypto';
import { statSync, truncateSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { describe, expect, test } from '@jest/globals';
import { toSatelliteError } from '../../../src/errors.ts';
import { Store } from '../../../src/store/store.ts';
import { commitsOf, discovered, newJob, newPath, pullRequestsOf } from './fixtures.ts';

/** A store with a job and two repositories in it. */
function withJob(): Store {
  const store = new Store(':memory:');
  discovered(store, newJob('a'), [1, 2]);
  return store;
}

describe('jobs', () => {
  test('come back as they were taken on', () => {
    const store = new Store(':memory:');
    const job = newJob('a', { isFull: true, fetchRepositories: true, query: { from: null, nested: [1, 'é'] } });
    expect(store.jobs.add(job)).toBe(true);
    expect(store.jobs.get('a')).toEqual({
      ...job,
      discoveredAtMs: null,
      doneAtMs: null,
      result: undefined,
      exception: undefined,
    });
  });

  test('are taken on once: a second time changes nothing', () => {
    const store = new Store(':memory:');
    store.jobs.add(newJob('a', { toMs: 1 }));
    expect(store.jobs.add(newJob('a', { toMs: 2 }))).toBe(false);
    expect(store.jobs.list()).toMatchObject([{ id: 'a', toMs: 1 }]);
  });

  test('are listed oldest first, those of the same moment as they came', () => {
    const store = new Store(':memory:');
    store.jobs.add(newJob('late', { createdAtMs: 9 }));
    store.jobs.add(newJob('b', { createdAtMs: 5 }));
    store.jobs.add(newJob('a', { createdAtMs: 5 }));
    expect(store.jobs.list().map(({ id }) => id)).toEqual(['b', 'a', 'late']);
  });

  test('are never done before they were created, whatever the clock of the machine does', () => {
    const store = withJob();
    store.jobs.setDone('a', 7, {});
    expect(store.jobs.get('a')?.doneAtMs).toBe(store.jobs.get('a')?.createdAtMs);
  });

  test('are done with a result, an exception, or both', () => {
    const store = new Store(':memory:');
    for (const id of ['a', 'b']) store.jobs.add(newJob(id));
    store.jobs.setDone('a', 7_000, { result: { empty: true } });
    store.jobs.setDone('b', 8_000, { result: { count: 0 }, exception: { message: 'no' } });
    expect(store.jobs.get('a')).toMatchObject({ doneAtMs: 7_000, result: { empty: true }, exception: undefined });
    expect(store.jobs.get('b')).toMatchObject({ doneAtMs: 8_000, result: { count: 0 }, exception: { message: 'no' } });
  });

  test('count a failure once, however often it is met', () => {
    const store = withJob();
    for (const url of ['u', 'u', 'v']) store.jobs.addFailure('a', { message: 'no', url });
    expect(store.jobs.failures('a')).toHaveLength(2);
  });

  test('keep the first failures of a kind and count the others, whatever a server does', () => {
    const store = withJob();
    const of = (n: number, part: string) => ({ message: `${part}: ${n}: X`, url: `u/${n}` });
    const add = (n: number, part: string) => store.jobs.addFailure('a', of(n, part), { code: 'X', part });
    store.transaction(() => {
      for (let n = 0; n < 1_000; n++) for (const part of ['p commits', 'q commits']) add(n, part);
      // Met again after a restart.
      for (let n = 0; n < 10; n++) add(n, 'r commits');
      for (let n = 0; n < 10; n++) add(n, 'r commits');
      store.jobs.addFailure('a', { message: 'by itself', url: 'u' });
    });
    const failures = store.jobs.failures('a').map(({ message }) => message);
    expect(failures).toHaveLength(200 + 200 + 10 + 1 + 2);
    expect(failures).toContain('q commits: 199: X');
    expect(failures.slice(-2)).toEqual(['p commits: X: 800 more of the same', 'q commits: X: 800 more of the same']);
  });

  test('keep no more failures where each is of another repository', () => {
    const store = withJob();
    store.transaction(() => {
      for (let n = 0; n < 5_000; n++) {
        const part = `PAY/r${n} commits`;
        store.jobs.addFailure('a', { message: `${part}: X`, url: 'u' }, { code: 'X', part });
      }
    });
    const failures = store.jobs.failures('a');
    expect(failures).toHaveLength(2_001);
    expect(failures.at(-1)).toEqual({ message: 'X: 3000 more of the same', url: 'u' });
    store.jobs.remove('a');
    expect(store.jobs.failures('a')).toEqual([]);
  });

  test('take everything of theirs with them, and nothing of another', () => {
    const store = withJob();
    discovered(store, newJob('b'), [1]);
    for (const jobId of ['a', 'b']) {
      store.pages.add({ jobId, dataType: 'commits', number: 0 }, 1, Buffer.from('x'));
      store.jobs.addFailure(jobId, { message: 'no', url: 'u' });
      store.pullRequests.addFound(jobId, 1, { id: 3, fingerprint: 'f', isOpen: true, readAtMs: 1 });
    }
    store.jobs.remove('a');
    expect(store.jobs.get('a')).toBeUndefined();
    expect(store.slices.repositoryIds('a')).toEqual([]);
    expect(store.slices.get(commitsOf('a', 1))).toBeUndefined();
    expect(store.pages.totals('a')).toEqual([]);
    expect(store.jobs.failures('a')).toEqual([]);
    expect(store.pullRequests.isFound('a', 1, 3)).toBe(false);
    expect(store.slices.repositoryIds('b')).toEqual([1]);
    expect(store.pages.totals('b')).toHaveLength(1);
    expect(store.pullRequests.isFound('b', 1, 3)).toBe(true);
  });
});

describe('jobs that are being accepted', () => {
  test('are remembered until it is known how that ended', () => {
    const store = new Store(':memory:');
    for (const id of ['a', 'b', 'a']) store.jobs.beginAccepting(id);
    expect(store.jobs.accepting().sort()).toEqual(['a', 'b']);
    store.jobs.endAccepting('a');
    expect(store.jobs.accepting()).toEqual(['b']);
    expect(store.jobs.list()).toEqual([]);
  });
});

describe('slices', () => {
  test('are laid out for each repository and data type, in the order of the repositories', () => {
    const store = new Store(':memory:');
    discovered(store, newJob('a'), [30, 4]);
    expect(store.slices.repositoryIds('a')).toEqual([4, 30]);
    expect(store.slices.repository('a', 30)).toEqual({ id: 30, name: 'repository 30' });
    expect(store.slices.counts('a')).toEqual({ open: 4, done: 0, failed: 0 });
    expect(store.slices.get(commitsOf('a', 4))).toMatchObject({ state: 'open', cursor: undefined });
    expect(store.slices.get(commitsOf('a', 5))).toBeUndefined();
    expect(store.jobs.get('a')?.discoveredAtMs).toBe(6_000);
  });

  test('end done or failed, each by itself', () => {
    const store = withJob();
    store.slices.finish(commitsOf('a', 1), 'done', [{ ref: 'HEAD', tip: 't' }]);
    store.slices.finish(pullRequestsOf('a', 2), 'failed');
    expect(store.slices.counts('a')).toEqual({ open: 2, done: 1, failed: 1 });
    expect(store.slices.get(commitsOf('a', 1))?.state).toBe('done');
    expect(store.slices.get(commitsOf('a', 2))?.state).toBe('open');
    expect(store.slices.get(pullRequestsOf('a', 2))?.state).toBe('failed');
  });

  test('keep the cursor they were given last', () => {
    const store = withJob();
    store.slices.setCursor(commitsOf('a', 1), { start: 0 });
    store.slices.setCursor(commitsOf('a', 1), { start: 100, base: undefined });
    expect(store.slices.get(commitsOf('a', 1))?.cursor).toEqual({ start: 100 });
    expect(store.slices.get(pullRequestsOf('a', 1))?.cursor).toBeUndefined();
  });
});

describe('pages', () => {
  const page = (dataType: 'commits' | 'tags', number: number, jobId = 'a') => ({ jobId, dataType, number });

  test('are numbered per job and data type, from 0 on', () => {
    const store = withJob();
    store.jobs.add(newJob('b'));
    expect(store.pages.nextNumber('a', 'commits')).toBe(0);
    store.pages.add(page('commits', 0), 1, Buffer.from('x'));
    store.pages.add(page('commits', 1), 1, Buffer.from('x'));
    store.pages.setPushed(page('commits', 1), { records: [] });
    expect(store.pages.nextNumber('a', 'commits')).toBe(2);
    expect(store.pages.nextNumber('a', 'tags')).toBe(0);
    expect(store.pages.nextNumber('b', 'commits')).toBe(0);
  });

  test('are never overwritten: a number that is taken is an error', () => {
    const store = withJob();
    store.pages.add(page('commits', 0), 1, Buffer.from('first'));
    expect(() => store.pages.add(page('commits', 0), 1, Buffer.from('second'))).toThrow('UNIQUE');
  });

  test('wait in the order in which they came, whatever their data type', () => {
    const store = withJob();
    store.jobs.add(newJob('b'));
    for (const key of [page('tags', 0), page('commits', 0), page('commits', 0, 'b'), page('commits', 1)]) {
      store.pages.add(key, 1, Buffer.from('x'));
    }
    store.pages.setPushed(page('commits', 0), { records: [{ uri: 'u' }] });
    expect(store.pages.waiting('a', 9)).toEqual([page('tags', 0), page('commits', 1)]);
    expect(store.pages.waiting('a', 1)).toEqual([page('tags', 0)]);
  });

  test('let go of their body once they are pushed, and count no longer as waiting', () => {
    const store = withJob();
    store.pages.add(page('commits', 0), 2, Buffer.from('12345'));
    store.pages.add(page('commits', 1), 3, Buffer.from('678'));
    expect(store.pages.spoolSize()).toMatchObject({ pages: 2, bytes: 8 });
    store.pages.setPushed(page('commits', 0), { records: [{ uri: 'u' }] });
    expect(() => store.pages.body(page('commits', 0))).toThrow(expect.objectContaining({ code: 'STORE_DAMAGED' }));
    expect(store.pages.spoolSize()).toMatchObject({ pages: 1, bytes: 3 });
    expect(store.pages.items(page('commits', 1))).toBe(3);
    expect(store.pages.totals('a')).toEqual([{ dataType: 'commits', pages: 2, items: 5 }]);
  });

  test('give back what SEI said of them unchanged, in the order of their numbers', () => {
    const store = withJob();
    const pointer = { uri: 'gs://b/é', blob_id: { generation: 1714550000000000, nothing: null }, unknown: [{}] };
    store.pages.add(page('commits', 0), 1, Buffer.from('x'));
    store.pages.add(page('commits', 1), 1, Buffer.from('x'));
    store.pages.setPushed(page('commits', 1), { destination: 'gcs', records: [{ uri: 'second' }, { uri: 'third' }] });
    store.pages.setPushed(page('commits', 0), { records: [pointer] });
    expect(store.pages.stored('a', 'commits')).toEqual([
      { records: [pointer] },
      { destination: 'gcs', records: [{ uri: 'second' }, { uri: 'third' }] },
    ]);
  });
});

describe('pull requests', () => {
  test('found by a job are known to it at once, and to others once it is acknowledged', () => {
    const store = withJob();
    const found = { id: 3, fingerprint: 'f', isOpen: true, readAtMs: 9 };
    store.pullRequests.addFound('a', 1, found);
    expect(store.pullRequests.isFound('a', 1, 3)).toBe(true);
    expect(store.pullRequests.isFound('a', 2, 3)).toBe(false);
    expect(store.pullRequests.get('7', 1, 3)).toBeUndefined();
    expect(store.pullRequests.openIds('7', 1)).toEqual([]);
    store.acknowledge('a');
    expect(store.pullRequests.get('7', 1, 3)).toEqual(found);
    expect(store.pullRequests.openIds('7', 1)).toEqual([3]);
    expect(store.pullRequests.openIds('7', 2)).toEqual([]);
    expect(store.pullRequests.get('8', 1, 3)).toBeUndefined();
  });

  test('found again replace what was known', () => {
    const store = withJob();
    store.pullRequests.addFound('a', 1, { id: 3, fingerprint: 'f', isOpen: true, readAtMs: 9 });
    store.pullRequests.addFound('a', 1, { id: 4, fingerprint: 'g', isOpen: true, readAtMs: 9 });
    store.acknowledge('a');
    discovered(store, newJob('b'), [1]);
    store.pullRequests.addFound('b', 1, { id: 3, fingerprint: 'x', isOpen: true, readAtMs: 10 });
    store.pullRequests.addFound('b', 1, { id: 3, fingerprint: 'y', isOpen: false, readAtMs: 11 });
    store.acknowledge('b');
    expect(store.pullRequests.get('7', 1, 3)).toEqual({ id: 3, fingerprint: 'y', isOpen: false, readAtMs: 11 });
    expect(store.pullRequests.openIds('7', 1)).toEqual([4]);
  });
});

describe('commit files', () => {
  test('are kept by the commit, the first time for good', () => {
    const store = new Store(':memory:');
    const sha = 'ab'.repeat(20);
    expect(store.commitFiles.get(sha)).toBeUndefined();
    store.commitFiles.add(sha, { f: [['a', 'a', 1, 2]] });
    store.commitFiles.add(sha, { f: [] });
    expect(store.commitFiles.get(sha)).toEqual({ f: [['a', 'a', 1, 2]] });
    expect(store.commitFiles.get('cd'.repeat(20))).toBeUndefined();
  });

  test('give way when the disk is needed, oldest first', () => {
    const store = new Store(':memory:');
    for (const digit of ['c', 'a', 'b']) store.commitFiles.add(digit.repeat(40), { digit });
    expect(store.commitFiles.evict(2)).toBe(2);
    expect(['a', 'b', 'c'].map((digit) => store.commitFiles.get(digit.repeat(40)))).toEqual([
      undefined,
      { digit: 'b' },
      undefined,
    ]);
    expect(store.commitFiles.evict(2)).toBe(1);
    expect(store.commitFiles.evict(2)).toBe(0);
  });
});

test('a file that was cut short in the middle of a page is damaged: no disk mends that', () => {
  const path = newPath();
  const store = new Store(path);
  discovered(store, newJob('a'), [1]);
  const key = { jobId: 'a', dataType: 'commits', number: 0 } as const;
  store.pages.add(key, 1, randomBytes(50_000));
  store.close();
  truncateSync(path, statSync(path).size - 1_500);
  const after = new Store(path);
  let thrown: unknown;
  try {
    after.pages.body(key);
  } catch (error) {
    thrown = error;
  }
  expect(toSatelliteError(thrown)).toMatchObject({ code: 'STORE_DAMAGED', kind: 'storage' });
  after.close();
});

describe('a value that is not what was written', () => {
  /** Changes what is in the file behind the store's back. */
  function tamper(sql: string): Store {
    const path = newPath();
    const store = new Store(path);
    discovered(store, newJob('a'), [1]);
    store.slices.setCursor(commitsOf('a', 1), { start: 100 });
    store.pages.add({ jobId: 'a', dataType: 'commits', number: 0 }, 1, Buffer.from('{"n":100}'));
    store.close();
    const database = new DatabaseSync(path);
    const { changes } = database.prepare(sql).run();
    database.close();
    expect(changes).toBeGreaterThan(0);
    return new Store(path);
  }

  test.each([
    ['a cursor, by a single digit', "UPDATE slices SET cursor = replace(cursor, '100', '101')", 'cursor'],
    ['the body of a page', `UPDATE pages SET body = CAST(replace(body, '100', '101') AS BLOB)`, 'body'],
    ['a repository', "UPDATE repositories SET body = replace(body, 'repository 1', 'repository 2')", 'repository'],
  ])('%s, is an error: it would lose data in silence', (_name, sql, what) => {
    const store = tamper(sql);
    const read = {
      cursor: () => store.slices.get(commitsOf('a', 1)),
      body: () => store.pages.body({ jobId: 'a', dataType: 'commits', number: 0 }),
      repository: () => store.slices.repository('a', 1),
    }[what];
    expect(read).toThrow(expect.objectContaining({ code: 'STORE_DAMAGED', kind: 'storage' }));
    store.close();
  });
});
