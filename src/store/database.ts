import { randomUUID } from 'node:crypto';
import { closeSync, openSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { isDeepStrictEqual } from 'node:util';
import { fileError, SatelliteError, toSatelliteError } from '../errors.ts';
import { makeFolder } from '../ops/folder.ts';
import { killPoint } from '../ops/kill-point.ts';
import { readHolder, writeHolder } from './lock-holder.ts';
import { migrations } from './migrations.ts';
import { checkedTables, damagedRows, defineChecksum } from './row-checksum.ts';
import { damagedValue } from './sealed-json.ts';

/**
 * Opens the store's file, creates what is missing and brings its schema up to date. The lock is exclusive for as long
 * as the process lives: two satellites on one file would each report half of a job.
 *
 * @param path of the file, or `:memory:`
 * @throws SatelliteError `STORE_IN_USE`, `STORE_TOO_NEW`, `STORE_DAMAGED`, `STORE_UNUSABLE`, and where the disk or the process
 *   takes no more for now (`isPassing`) `STORE_FULL`, `STORE_READ_ONLY`, `STORE_IO_ERROR`, `TOO_MANY_OPEN_FILES`
 */
export function openDatabase(path: string): DatabaseSync {
  let database: DatabaseSync | undefined;
  try {
    if (path !== ':memory:') makeFolder(dirname(path), 0o700);
    database = new DatabaseSync(path);
    database.exec(
      `PRAGMA locking_mode = EXCLUSIVE;
       PRAGMA journal_mode = WAL;
       PRAGMA synchronous = FULL;
       PRAGMA foreign_keys = ON;
       PRAGMA cache_size = -8192;
       PRAGMA wal_autocheckpoint = 1000;`,
    );
    defineChecksum(database);
    killPoint('store:before-migration');
    migrate(database, path);
    killPoint('store:after-migration');
    assertSound(database);
    giveAgentId(database);
    if (path !== ':memory:') writeHolder(path);
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
  const version = versionOf(database);
  if (version > migrations.length) throw tooNew(path, version);
  for (const [index, step] of migrations.entries()) {
    if (index < version) continue;
    inTransaction(database, () => {
      database.exec(`${step}; PRAGMA user_version = ${index + 1};`);
      killPoint('store:in-migration');
    });
  }
}

export function versionOf(database: DatabaseSync): number {
  return Number(database.prepare('PRAGMA user_version').get()?.user_version);
}

export function tooNew(path: string, version: number): SatelliteError {
  return new SatelliteError(`The store ${path} was written by a newer satellite (schema ${version})`, {
    code: 'STORE_TOO_NEW',
    kind: 'config',
    hint: 'Run that version, or move the file away: the satellite then begins with an empty store and loses no data of SEI.',
  });
}

/** A file of this size is read whole in a fraction of a second. */
const wholeCheckBytes = 64 * 2 ** 20;

/** Reads enough to know that the file is whole: all of a small one, of a large one everything but the pages' bodies. */
function assertSound(database: DatabaseSync): void {
  if (!hasOwnSchema(database)) throw damagedValue();
  if (checkedTables.some((table) => damagedRows(database, table) > 0)) throw damagedValue();
  const pragma = (name: string) => Object.values(database.prepare(`PRAGMA ${name}`).get() ?? {})[0];
  if (Number(pragma('page_count')) * Number(pragma('page_size')) <= wholeCheckBytes) {
    if (pragma('integrity_check(1)') !== 'ok') throw damagedValue();
    return;
  }
  const tables = database.prepare(`SELECT name FROM sqlite_schema WHERE type = 'table'`).all();
  for (const { name } of tables) database.prepare(`SELECT count(*) FROM ${String(name)} NOT INDEXED`).get();
}

/** A flipped bit in a name or a condition leaves a schema that is one, and is not that of its version. */
export function hasOwnSchema(database: DatabaseSync): boolean {
  using made = new DatabaseSync(':memory:');
  defineChecksum(made);
  for (const step of migrations.slice(0, versionOf(database))) made.exec(step);
  return isDeepStrictEqual(schemaOf(database), schemaOf(made));
}

function schemaOf(database: DatabaseSync): unknown[] {
  return database.prepare('SELECT type, name, tbl_name, sql FROM sqlite_schema ORDER BY type, name').all();
}

/** Made once: a restarted satellite is the same one for SEI. */
function giveAgentId(database: DatabaseSync): void {
  database.prepare(`INSERT OR IGNORE INTO meta (key, value) VALUES ('agent_id', ?)`).run(randomUUID());
  if (agentIdOf(database) === undefined) throw damagedValue();
}

export function agentIdOf(database: DatabaseSync): string | undefined {
  const value = database.prepare(`SELECT value FROM meta WHERE key = 'agent_id'`).get()?.value;
  return typeof value === 'string' ? value : undefined;
}

/** SQLite's codes for what our own statements cannot meet in a store that is ours: a general error, a broken constraint. */
const impossible = [1, 19, 20];

function openError(path: string, cause: unknown): SatelliteError {
  const { code, kind, message, hint } = reasonOf(path, cause);
  return new SatelliteError(
    code === 'STORE_IN_USE'
      ? `Another satellite uses the store ${path}: ${readHolder(path) ?? 'it does not say which'}`
      : `The store ${path} cannot be opened: ${message}`,
    {
      code: kind === 'storage' ? code : 'STORE_UNUSABLE',
      kind: 'storage',
      hint: hint ?? 'satellite.data_dir must be a folder that the satellite may write to.',
      cause,
    },
  );
}

/** SQLite says of a file that it cannot open no more than that: the system says why. */
function reasonOf(path: string, cause: unknown): SatelliteError {
  const { errcode } = cause as { errcode?: unknown };
  if (typeof errcode === 'number' && impossible.includes(errcode & 0xff)) return damagedValue();
  const error = toSatelliteError(cause);
  if (error.code !== 'STORE_UNUSABLE') return fileError(cause) ?? error;
  try {
    closeSync(openSync(path, 'a'));
    return error;
  } catch (thrown) {
    return fileError(thrown) ?? error;
  }
}
