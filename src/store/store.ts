import type { DatabaseSync } from 'node:sqlite';
import { killPoint } from '../ops/kill-point.ts';
import { Redactor } from '../ops/redact.ts';
import { CommitFilesTable } from './commit-files.ts';
import { Coverage } from './coverage.ts';
import { agentIdOf, inTransaction, openDatabase } from './database.ts';
import { Jobs } from './jobs.ts';
import { Overview } from './overview.ts';
import { Pages } from './pages.ts';
import { PullRequests } from './pull-requests.ts';
import { Slices } from './slices.ts';

/**
 * Everything that survives a restart, in one SQLite file. The order in which work becomes durable:
 *
 * 1. page, slice cursors and counted commit files in one transaction; a crash before it repeats the reading only
 * 2. the pointer of a pushed page; a crash before it pushes the page again, to the same path
 * 3. the job's result and that it is done; a crash before it builds the result again from the pointers
 * 4. SEI's acknowledgement of the report: coverage advanced and the job's rows deleted in one transaction; a crash
 *    before it reports again
 */
export class Store {
  readonly jobs: Jobs;
  readonly slices: Slices;
  readonly pages: Pages;
  readonly coverage: Coverage;
  readonly pullRequests: PullRequests;
  readonly commitFiles: CommitFilesTable;
  readonly overview: Overview;
  readonly #database: DatabaseSync;
  readonly #agentId: string;

  /**
   * @param path of the store's file, or `:memory:` for one that ends with the process
   * @param redactor takes secrets out of what servers said of failures, before it is stored and reported
   */
  constructor(path: string, redactor: Pick<Redactor, 'text' | 'value'> = new Redactor()) {
    this.#database = openDatabase(path);
    this.#agentId = agentIdOf(this.#database) ?? '';
    this.jobs = new Jobs(this.#database, redactor);
    this.slices = new Slices(this.#database, redactor);
    this.pages = new Pages(this.#database);
    this.coverage = new Coverage(this.#database);
    this.pullRequests = new PullRequests(this.#database);
    this.commitFiles = new CommitFilesTable(this.#database);
    this.overview = new Overview(this.#database);
  }

  transaction<T>(work: () => T): T {
    return inTransaction(this.#database, work);
  }

  /** Of the file that are in use: free pages inside it are used again before it grows. */
  usedBytes(): number {
    const pragma = (name: string) => Number(Object.values(this.#database.prepare(`PRAGMA ${name}`).get() ?? {})[0]);
    return (pragma('page_count') - pragma('freelist_count')) * pragma('page_size');
  }

  /** Writes a little and waits until the disk has it. @throws what SQLite throws where it does not take it */
  tryWrite(epochMs: number): void {
    this.#database
      .prepare(
        `INSERT INTO meta (key, value) VALUES ('written_at', ?) ON CONFLICT DO UPDATE SET value = excluded.value`,
      )
      .run(String(epochMs));
  }

  /** The same for as long as there is the store: a restarted satellite is the same one for SEI. */
  agentId(): string {
    return this.#agentId;
  }

  /**
   * SEI knows how the job ended: it is forgotten, and where it succeeded, what it covers counts from now on. A failed
   * one counts for nothing, as SEI does not take in its pages, and its window is remembered as missing.
   */
  acknowledge(jobId: string): void {
    this.transaction(() => {
      const job = this.jobs.get(jobId);
      if (job === undefined) return;
      killPoint('report:in-acknowledgement');
      if (job.exception === undefined) {
        this.coverage.advance(jobId);
        killPoint('report:coverage-advanced');
      } else {
        this.coverage.addFailedJob(job);
        killPoint('report:failure-remembered');
      }
      this.jobs.remove(jobId);
    });
  }

  close(): void {
    this.#database.close();
  }
}
