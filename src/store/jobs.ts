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

/** What failures have in common, so that a server that fails throughout does not fill the memory with each. */
export interface FailureKind {
  readonly code: string;
  /** Repository and data type. */
  readonly part?: string;
}

/** So many are kept of one code in one part of a job, and of one code in all parts; the others are counted. */
const maxKept = { ofPart: 200, ofCode: 2_000 };

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

  /** @param kind of which only the first ones are kept; without one it is always kept */
  addFailure(jobId: string, failure: Failure, kind?: FailureKind): void {
    const kinds = kind === undefined ? [] : this.#kindsOf(kind);
    const full = kinds.find(({ name, max }) => this.#kept(jobId, name) >= max);
    const url = this.#redactor.text(failure.url);
    if (full !== undefined) {
      this.#count(jobId, full.name, url, { kept: 0, more: 1 });
      return;
    }
    const { changes } = this.#database
      .prepare('INSERT OR IGNORE INTO failures (job_id, message, url) VALUES (?, ?, ?)')
      .run(jobId, this.#redactor.text(failure.message), url);
    if (changes === 0) return;
    for (const { name } of kinds) this.#count(jobId, name, url, { kept: 1, more: 0 });
  }

  /** Those that are kept, and for each kind that has more of them one that says how many. */
  failures(jobId: string): Failure[] {
    const rows = this.#database.prepare('SELECT message, url FROM failures WHERE job_id = ?').all(jobId);
    const counted = this.#database
      .prepare('SELECT kind, more, url FROM failure_counts WHERE job_id = ? AND more > 0')
      .all(jobId);
    return [
      ...rows.map((row) => ({ message: String(row.message), url: String(row.url) })),
      ...counted.map(({ kind, more, url }) => ({ message: `${kind}: ${more} more of the same`, url: String(url) })),
    ];
  }

  #kindsOf({ code, part }: FailureKind): { readonly name: string; readonly max: number }[] {
    const ofCode = { name: code, max: maxKept.ofCode };
    return part === undefined
      ? [ofCode]
      : [{ name: this.#redactor.text(`${part}: ${code}`), max: maxKept.ofPart }, ofCode];
  }

  #kept(jobId: string, kind: string): number {
    const row = this.#database
      .prepare('SELECT kept FROM failure_counts WHERE job_id = ? AND kind = ?')
      .get(jobId, kind);
    return Number(row?.kept ?? 0);
  }

  #count(
    jobId: string,
    kind: string,
    url: string,
    { kept, more }: { readonly kept: number; readonly more: number },
  ): void {
    this.#database
      .prepare(
        `INSERT INTO failure_counts (job_id, kind, kept, more, url) VALUES (?, ?, ?, ?, ?)
         ON CONFLICT DO UPDATE SET kept = kept + excluded.kept, more = more + excluded.more`,
      )
      .run(jobId, kind, kept, more, url);
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
