import { readFileSync, writeFileSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { describe, expect, test } from '@jest/globals';
import { repairStore } from '../../../src/store/repair.ts';
import { Store } from '../../../src/store/store.ts';
import { verifyStore } from '../../../src/store/verify.ts';
import { commitsOf, discovered, newJob, newPath, pullRequestsOf } from './fixtures.ts';

/** A store with a gap, a diff that failed, counted files, and a job that is under way. */
function storeInUse(): string {
  const path = newPath();
  const store = new Store(path);
  discovered(store, newJob('a'), [1, 2]);
  const failure = { repository: 'PAY/one', code: 'X', reason: 'closed', atMs: 1 };
  store.slices.finish(commitsOf('a', 1), 'failed', [], failure);
  store.slices.finish(commitsOf('a', 2), 'done', [{ ref: 'main', tip: 'ab' }]);
  store.pullRequests.addFound('a', 2, { id: 3, fingerprint: 'f', isOpen: true, readAtMs: 9, sentMs: 4 });
  store.slices.finish(pullRequestsOf('a', 2), 'done');
  store.jobs.setDone('a', 7_000, { result: {} });
  store.acknowledge('a');
  discovered(store, newJob('b'), [1]);
  store.pullRequests.addFound('b', 1, { id: 5, fingerprint: 'f', isOpen: false, readAtMs: 9 });
  store.slices.finish(commitsOf('b', 1), 'failed', [], failure);
  store.commitFiles.add('ab12', { f: [] });
  for (const jobId of ['a', 'b']) store.commitFiles.addFailure(jobId, 'cd34');
  store.close();
  return path;
}

/** Changes what is in the file behind the store's back, types included, and sets off no trigger. */
function tamper(path: string, sql: string): void {
  const database = new DatabaseSync(path);
  const triggers = database.prepare(`SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'`).all();
  for (const { name } of triggers) database.exec(`DROP TRIGGER ${name}`);
  expect(database.prepare(sql).run().changes).toBeGreaterThan(0);
  for (const trigger of triggers) database.exec(String(trigger.sql));
  database.close();
}

/** As a flipped bit in the header of a record does it: a text becomes a blob of the same length. */
function makeBlobOf(path: string, text: string): void {
  const file = readFileSync(path);
  const at = file.indexOf(text);
  const type = 2 * text.length + 13;
  const header = file.subarray(at - 8, at).lastIndexOf(type);
  expect(header).toBeGreaterThanOrEqual(0);
  file[at - 8 + header] = type ^ 1;
  writeFileSync(path, file);
}

describe('verify', () => {
  test('finds nothing wrong with a store that was in use', () => {
    expect(verifyStore(storeInUse())).toEqual([]);
  });

  test.each([
    ['slices.failure', "UPDATE slices SET failure = replace(failure, 'closed', 'cloned')"],
    ['gaps.failure', "UPDATE gaps SET failure = replace(failure, 'closed', 'cloned')"],
    ['slices.cursor', "UPDATE slices SET cursor = '1:2'"],
    ['jobs', 'UPDATE jobs SET from_ms = from_ms + 1024'],
    ['jobs', 'UPDATE jobs SET fetch_repositories = 1'],
    ['gaps', 'UPDATE gaps SET from_ms = from_ms + 1'],
    ['scans', 'UPDATE scans SET to_ms = to_ms + 1'],
    ['pull_requests_covered', 'UPDATE pull_requests_covered SET repository_id = 3'],
    ['pull_requests', 'UPDATE pull_requests SET sent_ms = 5'],
    ['pull_requests_found', "UPDATE pull_requests_found SET fingerprint = 'g'"],
    ['meta', "DELETE FROM meta WHERE key = 'agent_id'"],
  ])('finds what is wrong with %s', (column, sql) => {
    const path = storeInUse();
    tamper(path, sql);
    expect(verifyStore(path)).toEqual([expect.stringContaining(column)]);
  });

  test.each(['jobs', 'gaps', 'scans', 'pull_requests_covered', 'pull_requests', 'pull_requests_found'])(
    'and a start do not take a row of %s whose checksum is another',
    (table) => {
      const path = storeInUse();
      tamper(path, `UPDATE ${table} SET checksum = checksum + 1`);
      expect(verifyStore(path)).toEqual([expect.stringContaining(table)]);
      expect(() => new Store(path)).toThrow(expect.objectContaining({ code: 'STORE_DAMAGED' }));
    },
  );

  test('finds a schema that is not ours', () => {
    const path = storeInUse();
    tamper(path, 'UPDATE meta SET key = key');
    const database = new DatabaseSync(path);
    database.exec('CREATE TABLE more (x)');
    database.close();
    expect(verifyStore(path)).toEqual([expect.stringContaining('schema')]);
  });
});

describe('repair', () => {
  test('takes over what was acknowledged and what saves requests; a job under way has failed', () => {
    const path = storeInUse();
    const agentId = agentOf(path);
    const { kept, failedJobs } = repairStore(path, 9_000);
    expect(kept).toMatchObject({
      meta: 1,
      coverage: 1,
      gaps: 1,
      commit_files: 1,
      failed_diffs: 1,
      scans: 1,
      earliest_windows: 1,
    });
    expect(failedJobs).toBe(1);
    expect(verifyStore(path)).toEqual([]);
    expect(agentOf(path)).toBe(agentId);
    const store = new Store(path);
    expect([store.commitFiles.failuresBefore('c', 'cd34'), store.commitFiles.failuresBefore('b', 'cd34')]).toEqual([
      2, 1,
    ]);
    expect(store.jobs.list()).toMatchObject([{ id: 'b', doneAtMs: 9_000, exception: expect.anything() }]);
    store.close();
  });

  test('leaves out a row that flipped bits have made into none, and takes over the others', () => {
    const path = storeInUse();
    makeBlobOf(path, 'agent_id');
    const { kept } = repairStore(path, 9_000);
    expect(kept).toMatchObject({ meta: 0, coverage: 1, gaps: 1 });
    expect(verifyStore(path)).toEqual([]);
  });

  test('makes two rows of the one in which an older satellite noted a failed job', () => {
    const path = storeInUse();
    tamper(path, "INSERT INTO gaps (integration_id, repository_id, data_type, from_ms) VALUES ('9', 0, '*', 5)");
    repairStore(path, 9_000);
    const store = new Store(path);
    const job = { id: 'next', integrationId: '9', fromMs: 2_000 };
    const types = ['commits', 'pull_requests', 'tags'] as const;
    // Without a checksum, from the beginning on.
    expect(types.map((type) => store.coverage.windowFromMs(job, 4, type))).toEqual([0, 0, 2_000]);
    store.close();
  });

  test('leaves out a number that has become too large to be read', () => {
    const path = storeInUse();
    tamper(path, 'UPDATE coverage SET to_ms = to_ms + 4611686018427387904');
    expect(repairStore(path, 9_000).kept).toMatchObject({ gaps: 1, coverage: 0 });
    expect(verifyStore(path)).toEqual([]);
  });

  test.each(['from_ms + 1', 'from_ms + 4611686018427387904'])('fills a gap from the beginning on: %s', (value) => {
    const path = storeInUse();
    tamper(path, `UPDATE gaps SET from_ms = ${value}`);
    expect(repairStore(path, 9_000).kept).toMatchObject({ gaps: 1 });
    expect(verifyStore(path)).toEqual([]);
    const store = new Store(path);
    expect(store.coverage.windowFromMs({ id: 'c', integrationId: '7', fromMs: 5_000 }, 1, 'commits')).toBe(0);
    store.close();
  });

  test('does not believe the window of a job, nor what was sent of a pull request', () => {
    const path = storeInUse();
    tamper(path, 'UPDATE jobs SET from_ms = from_ms + 1');
    tamper(path, 'UPDATE pull_requests SET sent_ms = 9');
    expect(repairStore(path, 9_000)).toMatchObject({ failedJobs: 1, kept: { pull_requests: 0 } });
    const store = new Store(path);
    expect(store.jobs.list()).toMatchObject([{ id: 'b', fromMs: 0, isFull: true, fetchRepositories: true }]);
    store.close();
  });

  test('keeps a gap whose reason cannot be read', () => {
    const path = storeInUse();
    tamper(path, "UPDATE gaps SET failure = replace(failure, 'closed', 'cloned')");
    expect(repairStore(path, 9_000).kept).toMatchObject({ gaps: 1 });
    expect(verifyStore(path)).toEqual([]);
  });
});

function agentOf(path: string): string {
  const store = new Store(path);
  const id = store.agentId();
  store.close();
  return id;
}
