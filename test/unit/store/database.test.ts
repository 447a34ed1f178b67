import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { closeSync, mkdirSync, openSync, readFileSync, renameSync, statSync, writeFileSync, writeSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, describe, expect, test } from '@jest/globals';
import { SatelliteError } from '../../../src/errors.ts';
import { openDatabase } from '../../../src/store/database.ts';
import { migrations } from '../../../src/store/migrations.ts';
import { defineChecksum } from '../../../src/store/row-checksum.ts';
import { Store } from '../../../src/store/store.ts';
import { verifyStore } from '../../../src/store/verify.ts';
import { commitsOf, discovered, newJob, newPath } from './fixtures.ts';

const children: ChildProcess[] = [];

afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
});

/** A process that works on the store, and the lines that it prints. */
function start(mode: 'hold' | 'write' | 'half', path: string) {
  const script = new URL('./store-process.ts', import.meta.url).pathname;
  const child = spawn(process.execPath, [script, mode, path], { stdio: ['ignore', 'pipe', 'inherit'] });
  children.push(child);
  return { child, lines: createInterface({ input: child.stdout })[Symbol.asyncIterator]() };
}

async function kill(child: ChildProcess): Promise<void> {
  const ended = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGKILL');
  await ended;
}

function refusalOf(open: () => unknown): SatelliteError {
  try {
    open();
  } catch (error) {
    if (error instanceof SatelliteError) return error;
    throw error;
  }
  throw new Error('it was opened');
}

function schemaVersion(path: string): number {
  const database = new DatabaseSync(path, { readOnly: true });
  const version = database.prepare('PRAGMA user_version').get()?.user_version;
  database.close();
  return Number(version);
}

describe('opening', () => {
  test('makes folder, file and schema where there is nothing', () => {
    const path = newPath();
    new Store(path).close();
    expect(statSync(dirname(path)).mode & 0o077).toBe(0);
    expect(schemaVersion(path)).toBe(migrations.length);
  });

  test('finds everything again', () => {
    const path = newPath();
    const before = new Store(path);
    const agentId = before.agentId();
    discovered(before, newJob('a'), [1]);
    before.pages.add({ jobId: 'a', dataType: 'commits', number: 0 }, 3, Buffer.from('body'));
    before.pages.add({ jobId: 'a', dataType: 'commits', number: 1 }, 2, Buffer.from('next'));
    before.pages.setPushed({ jobId: 'a', dataType: 'commits', number: 0 }, { records: [{ uri: 'gs://x' }] });
    before.slices.setCursor(commitsOf('a', 1), { tip: 't', start: 100, skip: 7 });
    before.jobs.addFailure('a', { message: 'no', url: 'u' });
    before.commitFiles.add('ab12', { f: [] });
    before.close();

    const after = new Store(path);
    expect(after.agentId()).toBe(agentId);
    expect(after.jobs.list()).toMatchObject([{ id: 'a', discoveredAtMs: 6_000, doneAtMs: null }]);
    expect(after.slices.repository('a', 1)).toEqual({ id: 1, name: 'repository 1' });
    expect(after.slices.get(commitsOf('a', 1))).toMatchObject({
      cursor: { tip: 't', start: 100, skip: 7 },
      state: 'open',
    });
    expect(after.pages.stored('a', 'commits')).toEqual([{ records: [{ uri: 'gs://x' }] }]);
    expect(after.pages.waiting('a', 9)).toEqual([{ jobId: 'a', dataType: 'commits', number: 1 }]);
    expect(Buffer.from(after.pages.body({ jobId: 'a', dataType: 'commits', number: 1 })).toString()).toBe('next');
    expect(after.pages.nextNumber('a', 'commits')).toBe(2);
    expect(after.jobs.failures('a')).toEqual([{ message: 'no', url: 'u' }]);
    expect(after.commitFiles.get('ab12')).toEqual({ f: [] });
    after.close();
  });

  test('a failed job that an older satellite noted in one row is missing in commits and in pull requests', () => {
    const path = newPath();
    mkdirSync(dirname(path), { recursive: true });
    const old = new DatabaseSync(path);
    defineChecksum(old);
    for (const step of migrations.slice(0, 4)) old.exec(step);
    old.exec(`
      INSERT INTO meta (key, value) VALUES ('agent_id', '${randomUUID()}');
      INSERT INTO gaps (integration_id, repository_id, data_type, from_ms) VALUES ('7', 0, '*', 1000), ('7', 0, 'tags', 900);
      PRAGMA user_version = 4`);
    old.close();
    const store = new Store(path);
    const job = { id: 'next', integrationId: '7', fromMs: 2_000 };
    const types = ['commits', 'pull_requests', 'tags', 'repositories'] as const;
    expect(types.map((type) => store.coverage.windowFromMs(job, 1, type))).toEqual([1_000, 1_000, 900, 2_000]);
    store.close();
  });

  test('a store of a newer satellite is refused and left alone', () => {
    const path = newPath();
    new Store(path).close();
    const newer = new DatabaseSync(path);
    newer.exec(`PRAGMA user_version = ${migrations.length + 1}`);
    newer.close();
    expect(refusalOf(() => new Store(path))).toMatchObject({ code: 'STORE_TOO_NEW', kind: 'config' });
    expect(schemaVersion(path)).toBe(migrations.length + 1);
  });

  test('a refused store is let go again', () => {
    const path = newPath();
    new Store(path).close();
    const newer = new DatabaseSync(path);
    newer.exec(`PRAGMA user_version = ${migrations.length + 1}`);
    newer.close();
    refusalOf(() => new Store(path));
    const database = new DatabaseSync(path);
    database.exec(`PRAGMA user_version = ${migrations.length}`);
    database.close();
    new Store(path).close();
  });

  test('a file that is no store is refused and left alone', () => {
    const path = newPath();
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, 'notes of the operator\n'.repeat(100));
    expect(refusalOf(() => new Store(path))).toMatchObject({ code: 'STORE_DAMAGED', kind: 'storage' });
    expect(readFileSync(path, 'utf8')).toContain('notes of the operator');
  });

  test('a folder that cannot be made is refused', () => {
    const path = newPath();
    mkdirSync(dirname(dirname(path)), { recursive: true });
    writeFileSync(dirname(path), 'a file in the way');
    expect(refusalOf(() => new Store(path))).toMatchObject({ code: 'STORE_UNUSABLE', kind: 'storage' });
    expect(refusalOf(() => new Store(join(path, 'deeper', 'satellite.db'))).code).toBe('STORE_UNUSABLE');
  });

  test('a file system that makes no folder, and says that it does not exist, is no endless loop', () => {
    const script = `
      import { openDatabase } from ${JSON.stringify(new URL('../../../src/store/database.ts', import.meta.url).href)};
      try { openDatabase('/proc/satellite/satellite.db'); } catch (error) { console.log(error.code, error.kind); }`;
    const args = ['--disable-warning=ExperimentalWarning', '--input-type=module-typescript', '-e', script];
    const { stdout } = spawnSync(process.execPath, args, { encoding: 'utf8', timeout: 10_000, killSignal: 'SIGKILL' });
    expect(stdout).toBe('STORE_UNUSABLE storage\n');
  });

  test('a schema that is not the one that is made is damaged, and the step that fails on it changes nothing', () => {
    const path = newPath();
    mkdirSync(dirname(path), { recursive: true });
    const database = new DatabaseSync(path);
    // The first step makes this table, too.
    database.exec('CREATE TABLE jobs (id TEXT)');
    database.close();
    expect(refusalOf(() => openDatabase(path)).code).toBe('STORE_DAMAGED');
    expect(schemaVersion(path)).toBe(0);
  });

  test('a flipped bit in the name of a column is damage, and not a defect of the satellite', () => {
    const path = newPath();
    new Store(path).close();
    const file = readFileSync(path);
    const name = 'created_at_ms INTEGER';
    // Pages that are free hold older copies of it.
    for (let at = file.indexOf(name); at >= 0; at = file.indexOf(name)) file[at] = (file[at] ?? 0) ^ 1;
    writeFileSync(path, file);
    expect(refusalOf(() => new Store(path))).toMatchObject({ code: 'STORE_DAMAGED', kind: 'storage' });
  });

  test('a broken page of an index that a start needs is damage, and lets the file go', () => {
    const path = newPath();
    new Store(path).close();
    const database = new DatabaseSync(path);
    const root = database.prepare(`SELECT rootpage FROM sqlite_schema WHERE name = 'sqlite_autoindex_meta_1'`).get();
    // Too large to be read whole at the start.
    database.exec(`INSERT INTO commit_files (sha, files) SELECT randomblob(20), printf('%.*c', 70000000, 'x')`);
    database.close();
    const file = openSync(path, 'r+');
    writeSync(file, Buffer.alloc(4096, 0x5a), 0, 4096, 4096 * (Number(root?.rootpage) - 1));
    closeSync(file);
    expect(refusalOf(() => new Store(path))).toMatchObject({ code: 'STORE_DAMAGED', kind: 'storage' });
    renameSync(path, `${path}.aside`);
    new Store(path).close();
  });

  test('a process that may open no more files is told apart from a folder that may not be written to', () => {
    const path = newPath();
    mkdirSync(dirname(path), { recursive: true });
    const script = `
      import { openSync } from 'node:fs';
      import { openDatabase } from ${JSON.stringify(new URL('../../../src/store/database.ts', import.meta.url).href)};
      try { for (;;) openSync('/dev/null'); } catch {}
      try { openDatabase(${JSON.stringify(path)}); } catch (error) { console.log(error.code, error.kind); }`;
    const args = [
      '--nofile=64:64',
      process.execPath,
      '--disable-warning=ExperimentalWarning',
      '--input-type=module-typescript',
      '-e',
      script,
    ];
    const { stdout } = spawnSync('prlimit', args, { encoding: 'utf8' });
    expect(stdout).toBe('TOO_MANY_OPEN_FILES storage\n');
  });

  test('another process that uses the store keeps this one out, and lets it in once it has ended', async () => {
    const path = newPath();
    const { child, lines } = start('hold', path);
    expect((await lines.next()).value).toBe('open');
    expect(refusalOf(() => new Store(path))).toMatchObject({ code: 'STORE_IN_USE', kind: 'storage' });
    const looked = refusalOf(() => verifyStore(path));
    expect(looked).toMatchObject({ code: 'STORE_IN_USE', hint: expect.stringContaining('Stop it first') });
    expect(looked.message).toContain(`process ${child.pid}`);
    await kill(child);
    const store = new Store(path);
    const second = start('hold', path);
    expect((await second.lines.next()).value).toBe('STORE_IN_USE');
    store.close();
  });
});

describe('a transaction', () => {
  test('that throws has changed nothing, and the store goes on', () => {
    const store = new Store(':memory:');
    const work = () =>
      store.transaction(() => {
        store.jobs.add(newJob('a'));
        throw new Error('in the middle');
      });
    expect(work).toThrow('in the middle');
    expect(store.jobs.list()).toEqual([]);
    expect(store.transaction(() => store.jobs.add(newJob('b')))).toBe(true);
    expect(store.jobs.list()).toHaveLength(1);
  });

  test('within another one is part of it', () => {
    const store = new Store(':memory:');
    const work = () =>
      store.transaction(() => {
        store.transaction(() => store.jobs.add(newJob('a')));
        throw new Error('after the inner one');
      });
    expect(work).toThrow('after the inner one');
    expect(store.jobs.list()).toEqual([]);
  });

  test('that breaks a rule of the schema has changed nothing', () => {
    const store = new Store(':memory:');
    discovered(store, newJob('a'), [1]);
    const work = () =>
      store.transaction(() => {
        store.slices.setCursor(commitsOf('a', 1), { next: 1 });
        store.pages.add({ jobId: 'unknown', dataType: 'commits', number: 0 }, 1, Buffer.from('x'));
      });
    expect(work).toThrow('FOREIGN KEY');
    expect(store.slices.get(commitsOf('a', 1))?.cursor).toBeUndefined();
  });
});

describe('after kill -9', () => {
  /** Page and cursor as the next process finds them. */
  function found(path: string): { pages: number; cursor: unknown; intact: boolean; files: boolean } {
    const store = new Store(path);
    const pages = store.pages.nextNumber('a', 'commits');
    const waiting = store.pages.waiting('a', 100_000);
    const intact = waiting.every((page, number) => {
      const body = Buffer.from(store.pages.body(page));
      return page.number === number && body.equals(Buffer.alloc(20_000, String(number % 10)));
    });
    const files = waiting.every(
      ({ number }) => store.commitFiles.get(number.toString(16).padStart(40, '0')) !== undefined,
    );
    const { cursor } = store.slices.get(commitsOf('a', 1)) ?? {};
    store.close();
    return { pages: waiting.length === pages ? pages : -1, cursor, intact, files };
  }

  test('whenever it comes, every page that was durable is there, whole, with the cursor behind it', async () => {
    const path = newPath();
    let pages = 0;
    for (const wait of [1, 4, 9, 23]) {
      const { child, lines } = start('write', path);
      let last = -1;
      for (let n = 0; n < wait; n++) last = Number((await lines.next()).value);
      await kill(child);
      const state = found(path);
      expect(state).toEqual({ pages: state.pages, cursor: { next: state.pages }, intact: true, files: true });
      expect(state.pages).toBeGreaterThan(last);
      expect(state.pages).toBeGreaterThan(pages);
      pages = state.pages;
    }
  });

  test('in the middle of a transaction, nothing of it is there', async () => {
    const path = newPath();
    const { child, lines } = start('half', path);
    for (const line of ['0', '1', '2', 'half']) expect((await lines.next()).value).toBe(line);
    await kill(child);
    expect(found(path)).toEqual({ pages: 3, cursor: { next: 3 }, intact: true, files: true });
  });
});
