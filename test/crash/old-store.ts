import { renameSync, rmSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { migrations } from '../../src/store/migrations.ts';
import { defineChecksum } from '../../src/store/row-checksum.ts';
import { statementsOf } from './sql-statements.ts';

/** Of the newest schema, which every start brings about. */
export const newestVersion = migrations.length;

/** What it takes to get there from an earlier one. */
export function statementsFrom(version: number): string[] {
  return migrations.slice(version).flatMap((step) => statementsOf(step).map(({ name }) => name));
}

/** What an upgrade has to keep, and what there is none of in a store. */
export function nothingOf(path: string): string[] {
  const wanted = {
    'page that waits': 'SELECT count(*) AS n FROM pages WHERE pointer IS NULL',
    'part that is not read': `SELECT count(*) AS n FROM slices WHERE state = 'open'`,
    'part that is read': `SELECT count(*) AS n FROM slices WHERE state = 'done'`,
    gap: 'SELECT count(*) AS n FROM gaps',
  };
  using database = new DatabaseSync(path, { readOnly: true });
  return Object.entries(wanted)
    .filter(([, sql]) => database.prepare(sql).get()?.n === 0)
    .map(([what]) => what);
}

/**
 * Makes of a store that nobody has open what a satellite with an earlier schema would have left: its tables and columns
 * with all that stands in them, and nothing else.
 */
export function takeBack(path: string, version: number): void {
  const made = `${path}-${version}`;
  {
    using older = new DatabaseSync(made);
    defineChecksum(older);
    older.exec('PRAGMA journal_mode = WAL');
    for (const step of migrations.slice(0, version)) older.exec(step);
    older.exec(`PRAGMA user_version = ${version}`);
    older.prepare('ATTACH DATABASE ? AS newer').run(path);
    const tables = older.prepare(`SELECT name FROM main.sqlite_schema WHERE type = 'table' ORDER BY rowid`).all();
    for (const { name } of tables) {
      const columns = older.prepare(`SELECT name FROM pragma_table_info('${name}', 'main')`).all();
      // Triggers keep the checksums.
      const kept = columns.map((column) => String(column.name)).filter((column) => column !== 'checksum');
      older.exec(`INSERT INTO main.${name} (${kept}) SELECT ${kept} FROM newer.${name}`);
    }
    if (version < 5) {
      // One row stood for all that a failed job had left.
      older.exec(`
        DELETE FROM main.gaps WHERE repository_id = 0 AND data_type != 'commits';
        UPDATE main.gaps SET data_type = '*' WHERE repository_id = 0;`);
    }
    older.exec('DETACH DATABASE newer');
  }
  for (const suffix of ['-wal', '-shm']) rmSync(`${path}${suffix}`, { force: true });
  renameSync(made, path);
}
