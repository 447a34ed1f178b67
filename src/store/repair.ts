import { renameSync, rmSync } from 'node:fs';
import { DatabaseSync, type SQLInputValue } from 'node:sqlite';
import { toSatelliteError } from '../errors.ts';
import { inTransaction, openDatabase } from './database.ts';
import { removeHolder } from './lock-holder.ts';
import { checkedTables, defineChecksum, isDamagedSql } from './row-checksum.ts';
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
  'earliest_windows',
  'accepting',
  'commit_files',
  'failed_diffs',
] as const;

type Row = Readonly<Record<string, SQLInputValue>>;

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
    defineChecksum(database);
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
  const insert = inserter(to, table);
  let copied = 0;
  inTransaction(to, () => {
    for (const row of readable(from, table)) {
      if (table === 'commit_files' && !isSealed(row.files)) continue;
      if (table === 'gaps') {
        for (const gap of gapsOf(row)) if (insert(gap)) copied++;
      } else if (row.is_damaged !== 1n && insert(row)) copied++;
    }
  });
  return copied;
}

/**
 * Why something is missing is for people; that it is missing is not, and where it begins is not to be guessed. Before
 * version 5 of the schema one row could stand for commits and pull requests.
 */
function gapsOf(row: Row): Row[] {
  const isUntold = row.failure != null && !isSealed(row.failure);
  const gap = { ...row, ...(isUntold && { failure: null }), ...(row.is_damaged === 1n && { from_ms: 0 }) };
  return row.data_type === '*' ? ['commits', 'pull_requests'].map((type) => ({ ...gap, data_type: type })) : [gap];
}

function copyJobs(from: DatabaseSync, to: DatabaseSync, nowMs: number): number {
  const message = 'STORE_DAMAGED: the store of the satellite was damaged while the job ran';
  const insert = inserter(to, 'jobs');
  let copied = 0;
  inTransaction(to, () => {
    for (const row of readable(from, 'jobs')) {
      if (!isSealed(row.query)) continue;
      const job = {
        ...row,
        // All of it is missing then.
        ...(row.is_damaged === 1n && { from_ms: 0, is_full: 1, fetch_repositories: 1 }),
        discovered_at_ms: null,
        done_at_ms: nowMs,
        result: null,
        exception: seal({ message, stacktrace: [{ [message]: [] }] }),
      };
      if (insert(job)) copied++;
    }
  });
  return copied;
}

/** SQLite's primary codes for a value that a column does not take: flipped bits have made it something else. */
const refusals = [19, 20];

/** @returns puts a row in; false where it is none that a satellite has written: it is left out */
function inserter(to: DatabaseSync, table: string): (row: Row) => boolean {
  // The checksum is made anew.
  const columns = to.prepare(`SELECT name FROM pragma_table_info(?) WHERE name <> 'checksum'`).all(table);
  return (row) => {
    const names = columns.map(({ name }) => String(name)).filter((name) => row[name] !== undefined);
    if (names.length === 0 || names.some((name) => isOutOfRange(row[name]))) return false;
    const sql = `INSERT OR REPLACE INTO ${table} (${names.join(', ')}) VALUES (${names.map(() => '?').join(', ')})`;
    try {
      to.prepare(sql).run(...names.map((name) => row[name] ?? null));
      return true;
    } catch (thrown) {
      const { errcode } = thrown as { errcode?: unknown };
      if (typeof errcode === 'number' && refusals.includes(errcode & 0xff)) return false;
      throw thrown;
    }
  };
}

/** No number of ours is so large, and none could be read again. */
function isOutOfRange(value: SQLInputValue | undefined): boolean {
  return typeof value === 'bigint' && !Number.isSafeInteger(Number(value));
}

/** A file that was cut short may not even have the table. */
function* readable(database: DatabaseSync, table: string): Generator<Row> {
  try {
    const schema = database.prepare(`SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?`);
    if (schema.get(table) === undefined) return;
    const checked = checkedTables.find((name) => name === table);
    const hasChecksum = database.prepare(`SELECT 1 FROM pragma_table_info(?) WHERE name = 'checksum'`).get(table);
    const isDamaged = checked !== undefined && hasChecksum !== undefined ? isDamagedSql(checked) : '0';
    const rows = database.prepare(`SELECT *, ${isDamaged} AS is_damaged FROM ${table}`);
    // A number that has become too large would end the table otherwise.
    rows.setReadBigInts(true);
    yield* rows.iterate() as Iterable<Row>;
  } catch (thrown) {
    // What comes after a damaged place cannot be reached; the rest of the window is asked for again.
    if ((thrown as { code?: unknown }).code !== 'ERR_SQLITE_ERROR') throw thrown;
  }
}
