import type { DatabaseSync } from 'node:sqlite';
import type { Redactor } from '../ops/redact.ts';
import { seal, unseal } from './sealed-json.ts';

/** Who asked for it: SEI, `satellite.schedule`, or `satellite scan`. */
export type JobOrigin = 'sei' | 'schedule' | 'command';

/** Work that was taken on: one integration, one window. */
export interface Job {
  readonly id: string;
  readonly integrationId: string;
  readonly origin: JobOrigin;
  readonly controllerName: string;
  /** As SEI gave it: reports echo it. */
  readonly query: unknown;
  /** Asked for without `from`. */
  readonly isFull: boolean;
  readonly fromMs: number;
  readonly toMs: number;
  readonly fetchRepositories: boolean;
  readonly createdAtMs: number;
  /** When its repositories were listed; its slices exist from then on. */
  readonly discoveredAtMs: number | null;
  readonly doneAtMs: number | null;
  /** Wire form of the result and of the exception, once done. */
  readonly result: unknown;
  readonly exception: unknown;
}

export type NewJob = Omit<Job, 'discoveredAtMs' | 'doneAtMs' | 'result' | 'exception'>;

/** A part of a job that could not be read. */
export interface Failure {
  readonly message: string;
  readonly url: string;
}

export class Jobs {
  readonly #database: DatabaseSync;
  readonly #redactor: Pick<Redactor, 'text' | 'value'>;

  constructor(database: DatabaseSync, redactor: Pick<Redactor, 'text' | 'value'>) {
    this.#database = database;
    this.#redactor = redactor;
  }

  /** False where the job is known already. */
  add(job: NewJob): boolean {
    const { changes } = this.#database
      .prepare(
        `INSERT OR IGNORE INTO jobs
           (id, integration_id, origin, controller_name, query, is_full, from_ms, to_ms, fetch_repositories, created_at_ms)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
      )
      .run(
        job.id,
        job.integrationId,
        job.origin,
        job.controllerName,
        seal(job.query),
        Number(job.isFull),
        job.fromMs,
        job.toMs,
        Number(job.fetchRepositories),
        job.createdAtMs,
      );
    return changes > 0;
  }

  /** To be noted before SEI is asked for a job, so that a crash between its answer and `add` leaves a trace. */
  beginAccepting(jobId: string): void {
    this.#database.prepare('INSERT OR IGNORE INTO accepting (job_id) VALUES (?)').run(jobId);
  }

  endAccepting(jobId: string): void {
    this.#database.prepare('DELETE FROM accepting WHERE job_id = ?').run(jobId);
  }

  /** Those of an earlier process whose end it did not see. */
  accepting(): string[] {
    const rows = this.#database.prepare('SELECT job_id FROM accepting').all();
    return rows.map((row) => String(row.job_id));
  }

  get(id: string): Job | undefined {
    const row = this.#database.prepare('SELECT * FROM jobs WHERE id = ?').get(id);
    return row === undefined ? undefined : toJob(row);
  }

  /** Oldest first: all that SEI has not acknowledged, running and done. */
  list(): Job[] {
    return this.#database.prepare('SELECT * FROM jobs ORDER BY created_at_ms, rowid').all().map(toJob);
  }

  setDone(id: string, doneAtMs: number, outcome: { readonly result?: unknown; readonly exception?: unknown }): void {
    this.#database
      .prepare('UPDATE jobs SET done_at_ms = max(?, created_at_ms), result = ?, exception = ? WHERE id = ?')
      .run(doneAtMs, toText(outcome.result), toText(this.#redactor.value(outcome.exception)), id);
  }

  /** With all that belongs to it. */
  remove(id: string): void {
    this.#database.prepare('DELETE FROM jobs WHERE id = ?').run(id);
  }

  addFailure(jobId: string, failure: Failure): void {
    this.#database
      .prepare('INSERT OR IGNORE INTO failures (job_id, message, url) VALUES (?, ?, ?)')
      .run(jobId, this.#redactor.text(failure.message), this.#redactor.text(failure.url));
  }

  failures(jobId: string): Failure[] {
    const rows = this.#database.prepare('SELECT message, url FROM failures WHERE job_id = ?').all(jobId);
    return rows.map((row) => ({ message: String(row.message), url: String(row.url) }));
  }
}

function toText(value: unknown): string | null {
  return value === undefined ? null : seal(value);
}

function fromText(text: unknown): unknown {
  return typeof text === 'string' ? unseal(text) : undefined;
}

function toJob(row: Record<string, unknown>): Job {
  return {
    id: String(row.id),
    integrationId: String(row.integration_id),
    origin: row.origin as JobOrigin,
    controllerName: String(row.controller_name),
    query: fromText(row.query),
    isFull: row.is_full === 1,
    fromMs: Number(row.from_ms),
    toMs: Number(row.to_ms),
    fetchRepositories: row.fetch_repositories === 1,
    createdAtMs: Number(row.created_at_ms),
    discoveredAtMs: row.discovered_at_ms as number | null,
    doneAtMs: row.done_at_ms as number | null,
    result: fromText(row.result),
    exception: fromText(row.exception),
  };
}
