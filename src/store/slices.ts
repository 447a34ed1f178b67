import type { DatabaseSync } from 'node:sqlite';
import type { DataType } from '../data-type.ts';
import type { Redactor } from '../ops/redact.ts';
import { seal, unseal } from './sealed-json.ts';

type SliceState = 'open' | 'done' | 'failed';

export interface SliceKey {
  readonly jobId: string;
  readonly repositoryId: number;
  readonly dataType: DataType;
}

/** One repository and data type of a job. */
export interface Slice extends SliceKey {
  readonly state: SliceState;
  /** Where the crawl goes on; undefined: at the beginning. Its shape belongs to the crawl of the data type. */
  readonly cursor: unknown;
}

/** The tip of a branch whose history a finished commits slice has covered. */
export interface CoveredTip {
  readonly ref: string;
  readonly tip: string;
}

/** Why a slice could not be read, for people. */
export interface SliceFailure {
  readonly repository: string;
  readonly code: string;
  readonly reason: string;
  /** Epoch milliseconds. */
  readonly atMs: number;
}

export interface SliceCounts {
  readonly open: number;
  readonly done: number;
  readonly failed: number;
}

export class Slices {
  readonly #database: DatabaseSync;
  readonly #redactor: Pick<Redactor, 'value'>;

  constructor(database: DatabaseSync, redactor: Pick<Redactor, 'value'>) {
    this.#database = database;
    this.#redactor = redactor;
  }

  /** Repositories that a job found and their slices, while others are still being listed. One that is there already is replaced. */
  addFound(
    jobId: string,
    repositories: Iterable<{ readonly id: number; readonly body: unknown }>,
    typesOf: (id: number) => readonly DataType[],
  ): void {
    const addRepository = this.#database.prepare(
      'INSERT OR REPLACE INTO repositories (job_id, id, body) VALUES (?, ?, ?)',
    );
    const addSlice = this.#database.prepare(
      'INSERT OR IGNORE INTO slices (job_id, repository_id, data_type) VALUES (?, ?, ?)',
    );
    for (const { id, body } of repositories) {
      addRepository.run(jobId, id, seal(body));
      for (const type of typesOf(id)) addSlice.run(jobId, id, type);
    }
  }

  /** All of the job's repositories are there. */
  setDiscovered(jobId: string, atMs: number): void {
    this.#database.prepare('UPDATE jobs SET discovered_at_ms = ? WHERE id = ?').run(atMs, jobId);
  }

  /** @param id undefined: all that were found */
  removeFound(jobId: string, id?: number): void {
    const which = id === undefined ? [jobId] : [jobId, id];
    const only = (column: string) => (id === undefined ? '' : `AND ${column} = ?`);
    this.#database.prepare(`DELETE FROM slices WHERE job_id = ? ${only('repository_id')}`).run(...which);
    this.#database.prepare(`DELETE FROM repositories WHERE job_id = ? ${only('id')}`).run(...which);
  }

  repositoryIds(jobId: string): number[] {
    const rows = this.#database.prepare('SELECT id FROM repositories WHERE job_id = ? ORDER BY id').all(jobId);
    return rows.map((row) => Number(row.id));
  }

  /** As it was when the job found it. */
  repository<T>(jobId: string, id: number): T {
    const row = this.#database.prepare('SELECT body FROM repositories WHERE job_id = ? AND id = ?').get(jobId, id);
    return unseal<T>(row?.body);
  }

  get({ jobId, repositoryId, dataType }: SliceKey): Slice | undefined {
    const row = this.#database
      .prepare('SELECT state, cursor FROM slices WHERE job_id = ? AND repository_id = ? AND data_type = ?')
      .get(jobId, repositoryId, dataType);
    if (row === undefined) return undefined;
    const cursor = row.cursor === null ? undefined : unseal(row.cursor);
    return { jobId, repositoryId, dataType, state: row.state as SliceState, cursor };
  }

  setCursor({ jobId, repositoryId, dataType }: SliceKey, cursor: unknown): void {
    this.#database
      .prepare('UPDATE slices SET cursor = ? WHERE job_id = ? AND repository_id = ? AND data_type = ?')
      .run(seal(cursor), jobId, repositoryId, dataType);
  }

  finish(
    { jobId, repositoryId, dataType }: SliceKey,
    state: 'done' | 'failed',
    covered: readonly CoveredTip[] = [],
    failure?: SliceFailure,
  ): void {
    this.#database
      .prepare('UPDATE slices SET state = ?, failure = ? WHERE job_id = ? AND repository_id = ? AND data_type = ?')
      .run(state, failure === undefined ? null : seal(this.#redactor.value(failure)), jobId, repositoryId, dataType);
    const add = this.#database.prepare(
      'INSERT OR REPLACE INTO slice_tips (job_id, repository_id, ref, tip) VALUES (?, ?, ?, ?)',
    );
    for (const { ref, tip } of covered) add.run(jobId, repositoryId, ref, tip);
  }

  counts(jobId: string): SliceCounts {
    const rows = this.#database
      .prepare('SELECT state, count(*) AS n FROM slices WHERE job_id = ? GROUP BY state')
      .all(jobId);
    const of = (state: SliceState) => Number(rows.find((row) => row.state === state)?.n ?? 0);
    return { open: of('open'), done: of('done'), failed: of('failed') };
  }
}
