import type { DatabaseSync } from 'node:sqlite';
import { crc32 } from 'node:zlib';

/**
 * Rows by whose numbers it is decided what is read next, with the columns under the checksum: from a bit that flips in
 * one of them, commits would be missing in silence. Triggers keep the checksums.
 *
 * A step of the schema is made of this: what has shipped is never edited, a change is a new step.
 */
const checkedColumns = {
  jobs: ['id', 'integration_id', 'origin', 'is_full', 'from_ms', 'to_ms', 'fetch_repositories', 'created_at_ms'],
  gaps: ['integration_id', 'repository_id', 'data_type', 'from_ms'],
  scans: ['integration_id', 'to_ms', 'full_to_ms'],
  earliest_windows: ['integration_id', 'from_ms'],
  pull_requests: ['integration_id', 'repository_id', 'id', 'fingerprint', 'is_open', 'read_at_ms', 'sent_ms'],
  pull_requests_found: ['job_id', 'repository_id', 'id', 'fingerprint', 'is_open', 'read_at_ms', 'sent_ms'],
  pull_requests_covered: ['integration_id', 'repository_id', 'to_ms'],
} as const satisfies Record<string, readonly string[]>;

export type CheckedTable = keyof typeof checkedColumns;

export const checkedTables = Object.keys(checkedColumns) as CheckedTable[];

/** The function that the triggers of the schema call: whoever writes to the store has to define it first. */
export function defineChecksum(database: DatabaseSync): void {
  const options = { deterministic: true, varargs: true, useBigIntArguments: true };
  database.function('row_checksum', options, (...values) => checksumOf(values));
}

function checksumOf(values: readonly unknown[]): bigint {
  return BigInt(crc32(values.map(String).join('\0')));
}

/** The step of the schema that gives a table its checksum, for the rows that it has as well. */
export function checksumStep(table: CheckedTable, key: readonly string[]): string {
  const columns = checkedColumns[table];
  const set = `UPDATE ${table} SET checksum = row_checksum(${columns.join(', ')})`;
  const where = key.map((column) => `${column} = new.${column}`).join(' AND ');
  return `
  ALTER TABLE ${table} ADD COLUMN checksum INTEGER;
  ${set};
  CREATE TRIGGER ${table}_added AFTER INSERT ON ${table} BEGIN ${set} WHERE ${where}; END;
  CREATE TRIGGER ${table}_changed AFTER UPDATE OF ${columns.join(', ')} ON ${table} BEGIN ${set} WHERE ${where}; END;`;
}

/** A condition in SQL: the row is not the one that was written. */
export function isDamagedSql(table: CheckedTable): string {
  return `checksum IS NOT row_checksum(${checkedColumns[table].join(', ')})`;
}

/** Row by row: what a function of a statement is given and gives stays in memory until the statement has ended. */
export function damagedRows(database: DatabaseSync, table: CheckedTable): number {
  const statement = database.prepare(`SELECT checksum, ${checkedColumns[table].join(', ')} FROM ${table}`);
  statement.setReadBigInts(true);
  statement.setReturnArrays(true);
  let damaged = 0;
  for (const [checksum, ...values] of statement.iterate() as Iterable<unknown> as Iterable<unknown[]>) {
    if (checksum !== checksumOf(values)) damaged++;
  }
  return damaged;
}
