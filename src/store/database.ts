import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { SatelliteError } from '../errors.ts';
import { killPoint } from '../ops/kill-point.ts';
import { migrations } from './migrations.ts';

/** SQLite's result codes that decide something here. */
const sqliteBusy = 5;

/**
 * Opens the store's file, creates what is missing and brings its schema up to date. The lock is exclusive for as long
 * as the process lives: two satellites on one file would each report half of a job.
 *
 * @param path of the file, or `:memory:`
 * @throws SatelliteError `STORE_IN_USE`, `STORE_TOO_NEW`, `STORE_UNUSABLE`
 */
export function openDatabase(path: string): DatabaseSync {
  let database: DatabaseSync | undefined;
  try {
    if (path !== ':memory:') mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    database = new DatabaseSync(path);
    database.exec(
      `PRAGMA locking_mode = EXCLUSIVE;
       PRAGMA journal_mode = WAL;
       PRAGMA synchronous = FULL;
       PRAGMA foreign_keys = ON;
       PRAGMA cache_size = -8192;
       PRAGMA wal_autocheckpoint = 1000;`,
    );
    killPoint('store:before-migration');
    migrate(database, path);
    killPoint('store:after-migration');
    return database;
  } catch (cause) {
    database?.close();
    if (cause instanceof SatelliteError) throw cause;
    throw openError(path, cause);
  }
}

/** Runs `work` in one transaction: all of it lands or none. */
export function inTransaction<T>(database: DatabaseSync, work: () => T): T {
  if (database.isTransaction) return work();
  database.exec('BEGIN IMMEDIATE');
  try {
    const value = work();
    database.exec('COMMIT');
    return value;
  } catch (error) {
    if (database.isTransaction) database.exec('ROLLBACK');
    throw error;
  }
}

function migrate(database: DatabaseSync, path: string): void {
  const version = Number(database.prepare('PRAGMA user_version').get()?.user_version);
  if (version > migrations.length) {
    throw new SatelliteError(`The store ${path} was written by a newer satellite (schema ${version})`, {
      code: 'STORE_TOO_NEW',
      kind: 'config',
      hint: 'Run that version, or move the file away: the satellite then begins with an empty store and loses no data of SEI.',
    });
  }
  for (const [index, step] of migrations.entries()) {
    if (index < version) continue;
    inTransaction(database, () => {
      database.exec(`${step}; PRAGMA user_version = ${index + 1};`);
      killPoint('store:in-migration');
    });
  }
}

function openError(path: string, cause: unknown): SatelliteError {
  if ((cause as { errcode?: number }).errcode === sqliteBusy) {
    return new SatelliteError(`Another satellite uses the store ${path}`, {
      code: 'STORE_IN_USE',
      kind: 'storage',
      hint: 'Stop the other one, or give this one its own satellite.data_dir.',
      cause,
    });
  }
  return new SatelliteError(`The store ${path} cannot be opened: ${(cause as Error).message}`, {
    code: 'STORE_UNUSABLE',
    kind: 'storage',
    hint: 'satellite.data_dir must be a folder that the satellite may write to.',
    cause,
  });
}
