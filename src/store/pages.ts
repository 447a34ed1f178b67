import type { DatabaseSync } from 'node:sqlite';
import { crc32 } from 'node:zlib';
import type { DataType } from '../data-type.ts';
import { damagedValue, seal, unseal } from './sealed-json.ts';

export interface PageKey {
  readonly jobId: string;
  readonly dataType: DataType;
  readonly number: number;
}

/** Where a page went: the objects are for SEI to read, not for us. */
export interface StoredPage {
  readonly destination?: string;
  readonly records: readonly unknown[];
}

/** Pages that SEI has not answered for, over all jobs. */
export interface SpoolSize {
  readonly pages: number;
  readonly bytes: number;
  /** Epoch milliseconds; undefined: none waits, or it was not noted. */
  readonly oldestAddedAtMs: number | undefined;
}

/** The spool: files for SEI, kept until it has answered with a pointer, and the pointers until the job is acknowledged. */
export class Pages {
  readonly #database: DatabaseSync;

  constructor(database: DatabaseSync) {
    this.#database = database;
  }

  nextNumber(jobId: string, dataType: DataType): number {
    const row = this.#database
      .prepare('SELECT max(number) AS last FROM pages WHERE job_id = ? AND data_type = ?')
      .get(jobId, dataType);
    return row?.last === null ? 0 : Number(row?.last) + 1;
  }

  add({ jobId, dataType, number }: PageKey, items: number, body: Uint8Array): void {
    this.#database
      .prepare(
        `INSERT INTO pages (job_id, data_type, number, items, bytes, crc32, body, added_at_ms)
         VALUES (?, ?, ?, ?, ?, ?, ?, CAST(unixepoch('subsec') * 1000 AS INTEGER))`,
      )
      .run(jobId, dataType, number, items, body.length, crc32(body), body);
  }

  /** Those without a pointer, oldest first. */
  waiting(jobId: string, limit: number): PageKey[] {
    const rows = this.#database
      .prepare('SELECT data_type, number FROM pages WHERE job_id = ? AND pointer IS NULL ORDER BY rowid LIMIT ?')
      .all(jobId, limit);
    return rows.map((row) => ({ jobId, dataType: row.data_type as DataType, number: Number(row.number) }));
  }

  /** How many records a page holds. */
  items({ jobId, dataType, number }: PageKey): number {
    const row = this.#database
      .prepare('SELECT items FROM pages WHERE job_id = ? AND data_type = ? AND number = ?')
      .get(jobId, dataType, number);
    return Number(row?.items ?? 0);
  }

  /** @throws SatelliteError `STORE_DAMAGED` where it is not what was put in */
  body({ jobId, dataType, number }: PageKey): Uint8Array {
    const row = this.#database
      .prepare('SELECT body, crc32 FROM pages WHERE job_id = ? AND data_type = ? AND number = ?')
      .get(jobId, dataType, number);
    const body = row?.body;
    if (!(body instanceof Uint8Array) || crc32(body) !== row?.crc32) throw damagedValue();
    return body;
  }

  /** One that SEI will never take. */
  remove({ jobId, dataType, number }: PageKey): void {
    this.#database
      .prepare('DELETE FROM pages WHERE job_id = ? AND data_type = ? AND number = ?')
      .run(jobId, dataType, number);
  }

  /** @param stored SEI's answer: its objects are kept unchanged */
  setPushed({ jobId, dataType, number }: PageKey, stored: StoredPage): void {
    this.#database
      .prepare('UPDATE pages SET pointer = ?, body = NULL WHERE job_id = ? AND data_type = ? AND number = ?')
      .run(seal({ destination: stored.destination, records: stored.records }), jobId, dataType, number);
  }

  /** What SEI answered, in the order of the page numbers. */
  stored(jobId: string, dataType: DataType): StoredPage[] {
    const rows = this.#database
      .prepare('SELECT pointer FROM pages WHERE job_id = ? AND data_type = ? AND pointer IS NOT NULL ORDER BY number')
      .all(jobId, dataType);
    return rows.map((row) => unseal<StoredPage>(row.pointer));
  }

  /** Pages and items of a job by data type, pushed or not. */
  totals(jobId: string): { dataType: DataType; pages: number; items: number }[] {
    const rows = this.#database
      .prepare(
        'SELECT data_type, count(*) AS pages, sum(items) AS items FROM pages WHERE job_id = ? GROUP BY data_type',
      )
      .all(jobId);
    return rows.map((row) => ({
      dataType: row.data_type as DataType,
      pages: Number(row.pages),
      items: Number(row.items),
    }));
  }

  /** When a page was added stands behind its body, which would be read for it: of the oldest alone it is. */
  spoolSize(): SpoolSize {
    const row = this.#database
      .prepare(
        `SELECT count(*) AS pages, coalesce(sum(bytes), 0) AS bytes, min(rowid) AS oldest
         FROM pages WHERE pointer IS NULL`,
      )
      .get();
    const oldest = this.#database
      .prepare('SELECT added_at_ms FROM pages WHERE rowid = ?')
      .get(row?.oldest ?? null)?.added_at_ms;
    const oldestAddedAtMs = typeof oldest === 'number' ? oldest : undefined;
    return { pages: Number(row?.pages), bytes: Number(row?.bytes), oldestAddedAtMs };
  }
}
