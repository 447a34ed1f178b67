import { renameSync, rmSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { toSatelliteError } from '../errors.ts';
import { inTransaction, openDatabase } from './database.ts';
import { removeHolder } from './lock-holder.ts';
import { isSealed, seal } from './sealed-json.ts';
import { setAside } from './set-aside.ts';

/** What SEI has acknowledged, and what saves requests: each row stands for itself. */
const memory = [
  'meta',
  'coverage',
  'gaps',
  'pull_requests',
  'pull_requests_covered',
  'scans',
  'accepting',
  'commit_files',
] as const;

export interface Repair {
  /** Where the damaged file is now. */
  readonly aside: string;
  /** Rows taken over, by table. */
  readonly kept: Readonly<Record<string, number>>;
  /** Jobs that were under way: SEI is told that they failed, so that it asks for them again. */
  readonly failedJobs: number;
}

/**
 * Makes a new store of whatever can be read of a damaged one and sets that aside. Of jobs under way only their names are
 * kept: a cursor whose page is lost would skip what was in it.
 *
 * @throws SatelliteError `STORE_IN_USE`
 */
export function repairStore(path: string, nowMs: number): Repair {
  const newPath = `${path}.new`;
  for (const suffix of ['', '-wal', '-shm']) rmSync(newPath + suffix, { force: true });
  const to = openDatabase(newPath);
  const kept: Record<string, number> = {};
  let failedJobs = 0;
  try {
    const from = openDamaged(path);
    if (from !== undefined) {
      for (const table of memory) kept[table] = copyRows(from, to, table);
      failedJobs = copyJobs(from, to, nowMs);
      from.close();
    }
  } finally {
    to.close();
  }
  const aside = setAside(path, nowMs);
  renameSync(newPath, path);
  removeHolder(newPath);
  return { aside, kept, failedJobs };
}

function openDamaged(path: string): DatabaseSync | undefined {
  let database: DatabaseSync | undefined;
  try {
    database = new DatabaseSync(path);
    database.exec('PRAGMA locking_mode = EXCLUSIVE');
    database.prepare('SELECT count(*) FROM sqlite_schema').get();
    return database;
  } catch (thrown) {
    database?.close();
    const error = toSatelliteError(thrown);
    if (error.code === 'STORE_IN_USE') throw error;
    return undefined;
  }
}

/** As far as it can be read: a damaged page of the file ends the table. */
function copyRows(from: DatabaseSync, to: DatabaseSync, table: (typeof memory)[number]): number {
  let copied = 0;
  inTransaction(to, () => {
    for (const row of readable(from, table)) {
      if (table === 'commit_files' && !isSealed(row.files)) continue;
      const names = Object.keys(row);
      const sql = `INSERT OR REPLACE INTO ${table} (${names.join(', ')}) VALUES (${names.map(() => '?').join(', ')})`;
      to.prepare(sql).run(...Object.values(row));
      copied++;
    }
  });
  return copied;
}

function copyJobs(from: DatabaseSync, to: DatabaseSync, nowMs: number): number {
  const message = 'STORE_DAMAGED: the store of the satellite was damaged while the job ran';
  let copied = 0;
  inTransaction(to, () => {
    for (const row of readable(from, 'jobs')) {
      if (!isSealed(row.query)) continue;
      const job = {
        ...row,
        discovered_at_ms: null,
        done_at_ms: nowMs,
        result: null,
        exception: seal({ message, stacktrace: [{ [message]: [] }] }),
      };
      const names = Object.keys(job);
      const sql = `INSERT OR REPLACE INTO jobs (${names.join(', ')}) VALUES (${names.map(() => '?').join(', ')})`;
      to.prepare(sql).run(...Object.values(job));
      copied++;
    }
  });
  return copied;
}

/** A file that was cut short may not even have the table. */
function* readable(database: DatabaseSync, table: string) {
  try {
    const schema = database.prepare(`SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?`);
    if (schema.get(table) === undefined) return;
    yield* database.prepare(`SELECT * FROM ${table}`).iterate();
  } catch (thrown) {
    // What comes after a damaged place cannot be reached; the rest of the window is asked for again.
    if (toSatelliteError(thrown).kind !== 'storage') throw thrown;
  }
}
