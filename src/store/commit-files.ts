import type { DatabaseSync } from 'node:sqlite';

/** Counted files by commit: read once, ever. The value is opaque here. */
export class CommitFilesTable {
  readonly #database: DatabaseSync;

  constructor(database: DatabaseSync) {
    this.#database = database;
  }

  get(sha: string): unknown {
    const row = this.#database.prepare('SELECT files FROM commit_files WHERE sha = ?').get(Buffer.from(sha, 'hex'));
    return row === undefined ? undefined : JSON.parse(String(row.files));
  }

  add(sha: string, files: unknown): void {
    this.#database
      .prepare('INSERT OR IGNORE INTO commit_files (sha, files) VALUES (?, ?)')
      .run(Buffer.from(sha, 'hex'), JSON.stringify(files));
  }
}
