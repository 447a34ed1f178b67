import type { DatabaseSync } from 'node:sqlite';

/** What is remembered of a pull request: enough to see that it changed. */
export interface KnownPullRequest {
  readonly id: number;
  readonly fingerprint: string;
  readonly isOpen: boolean;
  /** When its activities were last read. */
  readonly readAtMs: number;
  /** The date that SEI got with it last; undefined: it got none, or that is not known. */
  readonly sentMs?: number | undefined;
}

export class PullRequests {
  readonly #database: DatabaseSync;

  constructor(database: DatabaseSync) {
    this.#database = database;
  }

  get(integrationId: string, repositoryId: number, id: number): KnownPullRequest | undefined {
    const row = this.#database
      .prepare('SELECT * FROM pull_requests WHERE integration_id = ? AND repository_id = ? AND id = ?')
      .get(integrationId, repositoryId, id);
    return row === undefined ? undefined : toKnown(row);
  }

  openIds(integrationId: string, repositoryId: number): number[] {
    const rows = this.#database
      .prepare('SELECT id FROM pull_requests WHERE integration_id = ? AND repository_id = ? AND is_open = 1')
      .all(integrationId, repositoryId);
    return rows.map((row) => Number(row.id));
  }

  /** Kept with the job; becomes known when SEI acknowledges it. */
  addFound(jobId: string, repositoryId: number, found: KnownPullRequest): void {
    this.#database
      .prepare(
        `INSERT OR REPLACE INTO pull_requests_found (job_id, repository_id, id, fingerprint, is_open, read_at_ms, sent_ms)
         VALUES (?, ?, ?, ?, ?, ?, ?)`,
      )
      .run(
        jobId,
        repositoryId,
        found.id,
        found.fingerprint,
        Number(found.isOpen),
        found.readAtMs,
        found.sentMs ?? null,
      );
  }

  isFound(jobId: string, repositoryId: number, id: number): boolean {
    return (
      this.#database
        .prepare('SELECT 1 FROM pull_requests_found WHERE job_id = ? AND repository_id = ? AND id = ?')
        .get(jobId, repositoryId, id) !== undefined
    );
  }
}

function toKnown(row: Record<string, unknown>): KnownPullRequest {
  return {
    id: Number(row.id),
    fingerprint: String(row.fingerprint),
    isOpen: row.is_open === 1,
    readAtMs: Number(row.read_at_ms),
    ...(row.sent_ms === null ? {} : { sentMs: Number(row.sent_ms) }),
  };
}
