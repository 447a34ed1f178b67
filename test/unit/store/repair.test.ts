import { readFileSync, writeFileSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { describe, expect, test } from '@jest/globals';
import { repairStore } from '../../../src/store/repair.ts';
import { Store } from '../../../src/store/store.ts';
import { verifyStore } from '../../../src/store/verify.ts';
import { commitsOf, discovered, newJob, newPath } from './fixtures.ts';

/** A store with a gap, a diff that failed, counted files, and a job that is under way. */
function storeInUse(): string {
  const path = newPath();
  const store = new Store(path);
  discovered(store, newJob('a'), [1, 2]);
  const failure = { repository: 'PAY/one', code: 'X', reason: 'closed', atMs: 1 };
  store.slices.finish(commitsOf('a', 1), 'failed', [], failure);
  store.slices.finish(commitsOf('a', 2), 'done', [{ ref: 'main', tip: 'ab' }]);
  store.jobs.setDone('a', 7_000, { result: {} });
  store.acknowledge('a');
  discovered(store, newJob('b'), [1]);
  store.slices.finish(commitsOf('b', 1), 'failed', [], failure);
  store.commitFiles.add('ab12', { f: [] });
  store.commitFiles.countFailure('cd34');
  store.commitFiles.countFailure('cd34');
  store.close();
  return path;
}

/** Changes what is in the file behind the store's back, types included. */
function tamper(path: string, sql: string): void {
  const database = new DatabaseSync(path);
  expect(database.prepare(sql).run().changes).toBeGreaterThan(0);
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
    ['meta', "DELETE FROM meta WHERE key = 'agent_id'"],
  ])('finds what is wrong with %s', (column, sql) => {
    const path = storeInUse();
    tamper(path, sql);
    expect(verifyStore(path)).toEqual([expect.stringContaining(column)]);
  });

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
    expect(kept).toMatchObject({ meta: 1, coverage: 1, gaps: 1, commit_files: 1, failed_diffs: 1, scans: 1 });
    expect(failedJobs).toBe(1);
    expect(verifyStore(path)).toEqual([]);
    expect(agentOf(path)).toBe(agentId);
    const store = new Store(path);
    expect(store.commitFiles.countFailure('cd34')).toBe(3);
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

  test('leaves out a number that has become too large to be read', () => {
    const path = storeInUse();
    tamper(path, 'UPDATE gaps SET from_ms = from_ms + 4611686018427387904');
    expect(repairStore(path, 9_000).kept).toMatchObject({ gaps: 0, coverage: 1 });
    expect(verifyStore(path)).toEqual([]);
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
