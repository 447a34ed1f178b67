import { DatabaseSync } from 'node:sqlite';
import { crc32 } from 'node:zlib';
import { SatelliteError, toSatelliteError } from '../errors.ts';
import { agentIdOf, hasOwnSchema, tooNew, versionOf } from './database.ts';
import { readHolder } from './lock-holder.ts';
import { migrations } from './migrations.ts';
import { checkedTables, damagedRows, defineChecksum } from './row-checksum.ts';
import { isSealed } from './sealed-json.ts';

/** Every column whose values carry their own checksum. */
const sealedColumns = [
  ['jobs', 'query'],
  ['jobs', 'result'],
  ['jobs', 'exception'],
  ['repositories', 'body'],
  ['slices', 'cursor'],
  ['slices', 'failure'],
  ['pages', 'pointer'],
  ['gaps', 'failure'],
  ['commit_files', 'files'],
] as const;

/**
 * What is wrong with a store that nobody has open; empty: nothing. Reads all of it.
 *
 * @throws SatelliteError `STORE_IN_USE`, `STORE_TOO_NEW`
 */
export function verifyStore(path: string): string[] {
  const findings: string[] = [];
  let database: DatabaseSync | undefined;
  try {
    database = new DatabaseSync(path);
    defineChecksum(database);
    database.exec('PRAGMA locking_mode = EXCLUSIVE');
    for (const row of database.prepare('PRAGMA integrity_check').all()) {
      const text = String(row.integrity_check);
      if (text !== 'ok') findings.push(text);
    }
    const version = versionOf(database);
    if (version > migrations.length) throw tooNew(path, version);
    if (!hasOwnSchema(database)) findings.push(`the schema is not that of version ${version}`);
    if (agentIdOf(database) === undefined) findings.push('meta: the id of this satellite is not there');
    for (const [table, column] of sealedColumns.filter(([of, name]) => hasColumn(database, of, name))) {
      const rows = database.prepare(`SELECT ${column} AS value FROM ${table} WHERE ${column} IS NOT NULL`).iterate();
      const damaged = count(rows, ({ value }) => !isSealed(value));
      if (damaged > 0) findings.push(`${table}.${column}: ${damaged} value(s) are not what was written`);
    }
    for (const table of checkedTables.filter((name) => hasColumn(database, name, 'checksum'))) {
      const damaged = damagedRows(database, table);
      if (damaged > 0) findings.push(`${table}: ${damaged} row(s) are not what was written`);
    }
    const bodies = database.prepare('SELECT crc32, body FROM pages WHERE body IS NOT NULL').iterate();
    const damagedPages = count(bodies, (row) => crc32(row.body as Uint8Array) !== row.crc32);
    if (damagedPages > 0) findings.push(`pages.body: ${damagedPages} page(s) are not what was written`);
  } catch (thrown) {
    const error = toSatelliteError(thrown);
    if (error.code === 'STORE_IN_USE') throw inUse(path, error);
    if (error.code === 'STORE_TOO_NEW') throw error;
    findings.push(error.message);
  } finally {
    database?.close();
  }
  return findings;
}

function inUse(path: string, { code, kind, cause }: SatelliteError): SatelliteError {
  const holder = readHolder(path) ?? 'it does not say which';
  const hint = 'Stop it first: a store is looked at while nobody works on it.';
  return new SatelliteError(`A satellite works on the store ${path}: ${holder}`, { code, kind, hint, cause });
}

/** An earlier version may not have it yet. */
function hasColumn(database: DatabaseSync | undefined, table: string, column: string): boolean {
  return database?.prepare('SELECT 1 FROM pragma_table_info(?) WHERE name = ?').get(table, column) !== undefined;
}

function count<T>(rows: Iterable<T>, isDamaged: (row: T) => boolean): number {
  let damaged = 0;
  for (const row of rows) if (isDamaged(row)) damaged++;
  return damaged;
}
