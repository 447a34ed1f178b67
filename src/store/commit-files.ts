import type { DatabaseSync } from 'node:sqlite';
import { seal, unseal } from './sealed-json.ts';

/** Counted files by commit: read once, ever, unless the disk is needed for pages. The value is opaque here. */
export class CommitFilesTable {
  readonly #database: DatabaseSync;

  constructor(database: DatabaseSync) {
    this.#database = database;
  }

  get(sha: string): unknown {
    const row = this.#database.prepare('SELECT files FROM commit_files WHERE sha = ?').get(Buffer.from(sha, 'hex'));
    return row === undefined ? undefined : unseal(row.files);
  }

  add(sha: string, files: unknown): void {
    this.#database
      .prepare('INSERT OR IGNORE INTO commit_files (sha, files) VALUES (?, ?)')
      .run(Buffer.from(sha, 'hex'), seal(files));
  }

  /** @returns in how many jobs before this one the diff of this commit has failed */
  failuresBefore(jobId: string, sha: string): number {
    const row = this.#database
      .prepare('SELECT attempts - (job_id IS ?) AS before FROM failed_diffs WHERE sha = ?')
      .get(jobId, Buffer.from(sha, 'hex'));
    return Number(row?.before ?? 0);
  }

  /** The diff of this commit has failed in this job; said again by a process that begins the job anew, it is the same. */
  addFailure(jobId: string, sha: string): void {
    this.#database
      .prepare(
        `INSERT INTO failed_diffs (sha, attempts, job_id) VALUES (?, 1, ?)
         ON CONFLICT DO UPDATE SET attempts = attempts + 1, job_id = excluded.job_id WHERE job_id IS NOT excluded.job_id`,
      )
      .run(Buffer.from(sha, 'hex'), jobId);
  }

  /** Forgets the oldest entries; they are read again when they are needed. */
  evict(count: number): number {
    const { changes } = this.#database
      .prepare('DELETE FROM commit_files WHERE id IN (SELECT id FROM commit_files ORDER BY id LIMIT ?)')
      .run(count);
    return Number(changes);
  }
}
