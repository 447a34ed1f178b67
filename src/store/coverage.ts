import type { DatabaseSync } from 'node:sqlite';
import type { DataType } from '../data-type.ts';
import type { Job } from './jobs.ts';

/** In `gaps`: a job that failed as a whole, before or after its repositories were known. */
const everyRepository = 0;

/** More tips of one branch than this are forgotten, oldest first: a window that reaches beyond them walks for its base. */
const maxTips = 200;

type JobWindow = Pick<Job, 'id' | 'integrationId' | 'fromMs'>;

/** The ends of the last acknowledged scans of an integration; undefined: there was none. */
export interface LastScan {
  readonly toMs: number | undefined;
  readonly fullToMs: number | undefined;
}

/**
 * What SEI has acknowledged, per repository and branch: the tips whose history it has. It may widen what a job asked
 * for or save a request; it never narrows it, so an empty one is always right.
 */
export class Coverage {
  readonly #database: DatabaseSync;

  constructor(database: DatabaseSync) {
    this.#database = database;
  }

  /**
   * Where the window of a slice begins: with the job's own, or earlier where something before it is missing at SEI. So a
   * repository that could not be read is complete after the first scan in which it can.
   *
   * @param firstFromMs for a repository that no scan of this integration has met before: from then on, or from where the
   *   earliest window of the integration began
   */
  windowFromMs(job: JobWindow, repositoryId: number, dataType: DataType, firstFromMs = job.fromMs): number {
    const isNew = this.#isNewHere(job, repositoryId, dataType);
    return Math.min(
      job.fromMs,
      this.#missingFromMs(job, repositoryId, dataType) ?? job.fromMs,
      isNew ? Math.min(firstFromMs, this.#earliestFromMs(job.integrationId) ?? firstFromMs) : job.fromMs,
    );
  }

  #earliestFromMs(integrationId: string): number | undefined {
    const row = this.#database
      .prepare('SELECT from_ms FROM earliest_windows WHERE integration_id = ?')
      .get(integrationId);
    return row === undefined ? undefined : Number(row.from_ms);
  }

  #noteWindow({ integrationId, fromMs }: Pick<Job, 'integrationId' | 'fromMs'>): void {
    this.#database
      .prepare(
        `INSERT INTO earliest_windows (integration_id, from_ms) VALUES (?, ?)
         ON CONFLICT DO UPDATE SET from_ms = min(from_ms, excluded.from_ms)`,
      )
      .run(integrationId, fromMs);
  }

  /** The integration was scanned before, the repository never. */
  #isNewHere({ integrationId }: JobWindow, repositoryId: number, dataType: DataType): boolean {
    const covered = dataType === 'commits' ? 'coverage' : 'pull_requests_covered';
    const row = this.#database
      .prepare(
        `SELECT 1 FROM scans WHERE integration_id = ?
         AND NOT EXISTS (SELECT 1 FROM ${covered} WHERE integration_id = ? AND repository_id = ?)`,
      )
      .get(integrationId, integrationId, repositoryId);
    return row !== undefined;
  }

  /** The integration was scanned before, and this repository was in no scan, not even as one that could not be read. */
  isNew(job: JobWindow, repositoryId: number): boolean {
    const isMissed = this.#database
      .prepare('SELECT 1 FROM gaps WHERE integration_id = ? AND repository_id = ?')
      .get(job.integrationId, repositoryId);
    return (
      isMissed === undefined &&
      this.#isNewHere(job, repositoryId, 'commits') &&
      this.#isNewHere(job, repositoryId, 'pull_requests')
    );
  }

  /** Something of earlier jobs is missing at SEI, while other parts of the same jobs may be there. */
  hasGap(job: JobWindow, repositoryId: number, dataType: DataType): boolean {
    return this.#missingFromMs(job, repositoryId, dataType) !== undefined;
  }

  /** What a job could not read is missing from its end on, not from its acknowledgement: the next may have begun by then. */
  #missingFromMs(job: JobWindow, repositoryId: number, dataType: DataType): number | undefined {
    const row = this.#database
      .prepare(
        `SELECT min(from_ms) AS from_ms FROM (
           SELECT from_ms FROM gaps WHERE integration_id = ?1 AND repository_id IN (?2, ?4) AND data_type = ?3
           UNION ALL
           SELECT from_ms FROM jobs j WHERE integration_id = ?1 AND id <> ?5 AND done_at_ms IS NOT NULL
             AND (exception IS NOT NULL AND iif(?3 = 'tags', is_full, iif(?3 = 'repositories', fetch_repositories, 1)) = 1
               OR EXISTS (SELECT 1 FROM slices s
                 WHERE s.job_id = j.id AND s.repository_id = ?2 AND s.data_type = ?3 AND s.state = 'failed'))
         )`,
      )
      .get(job.integrationId, repositoryId, dataType, everyRepository, job.id);
    return row?.from_ms == null ? undefined : Number(row.from_ms);
  }

  /** A failed job leaves all of its window missing, whatever of it was read; tags and the repositories' own records where it asked for them. */
  addFailedJob(job: Pick<Job, 'id' | 'integrationId' | 'fromMs' | 'isFull' | 'fetchRepositories'>): void {
    const insert = this.#database.prepare(
      `INSERT INTO gaps (integration_id, repository_id, data_type, from_ms) VALUES (?, ?, ?, ?)
       ON CONFLICT DO UPDATE SET from_ms = min(from_ms, excluded.from_ms)`,
    );
    const types: DataType[] = ['commits', 'pull_requests'];
    if (job.isFull) types.push('tags');
    if (job.fetchRepositories) types.push('repositories');
    for (const dataType of types) insert.run(job.integrationId, everyRepository, dataType, job.fromMs);
    this.#addFailedSlices(job.id);
    // One of which something failed is not new to the next job: of what it was to get as a new one, nothing has arrived.
    this.#database
      .prepare(
        `INSERT OR IGNORE INTO gaps (integration_id, repository_id, data_type, from_ms)
         SELECT ?1, repository_id, data_type, ?3 FROM slices WHERE job_id = ?2 AND data_type IN ('tags', 'repositories')
           AND repository_id IN (SELECT repository_id FROM slices WHERE job_id = ?2 AND state = 'failed')`,
      )
      .run(job.integrationId, job.id, job.fromMs);
    this.#noteWindow(job);
  }

  /** Missing from the earliest time they were; and for people, since when and why. */
  #addFailedSlices(jobId: string): void {
    this.#database
      .prepare(
        `INSERT INTO gaps (integration_id, repository_id, data_type, from_ms, failure, since_ms)
         SELECT j.integration_id, s.repository_id, s.data_type,
           min(j.from_ms, coalesce((SELECT from_ms FROM gaps g WHERE g.integration_id = j.integration_id
             AND g.repository_id = ? AND g.data_type = s.data_type), j.from_ms)), s.failure, j.done_at_ms
         FROM slices s JOIN jobs j ON j.id = s.job_id WHERE s.job_id = ? AND s.state = 'failed'
         ON CONFLICT DO UPDATE SET from_ms = min(from_ms, excluded.from_ms), failure = excluded.failure,
           since_ms = iif(failure IS NULL, excluded.since_ms, since_ms)`,
      )
      .run(everyRepository, jobId);
  }

  /** Tips of a branch covered by scans that ended at or before `fromMs`, newest first. */
  tipsBefore(integrationId: string, repositoryId: number, ref: string, fromMs: number): string[] {
    const rows = this.#database
      .prepare(
        `SELECT tip FROM coverage WHERE integration_id = ? AND repository_id = ? AND ref = ? AND to_ms <= ?
         ORDER BY to_ms DESC`,
      )
      .all(integrationId, repositoryId, ref, fromMs);
    return rows.map((row) => String(row.tip));
  }

  /** The end of the last acknowledged scan of a repository's pull requests. */
  pullRequestsToMs(integrationId: string, repositoryId: number): number | undefined {
    const row = this.#database
      .prepare('SELECT to_ms FROM pull_requests_covered WHERE integration_id = ? AND repository_id = ?')
      .get(integrationId, repositoryId);
    return row === undefined ? undefined : Number(row.to_ms);
  }

  lastScan(integrationId: string): LastScan {
    const row = this.#database
      .prepare('SELECT to_ms, full_to_ms FROM scans WHERE integration_id = ?')
      .get(integrationId);
    const of = (value: unknown) => (typeof value === 'number' ? value : undefined);
    return { toMs: of(row?.to_ms), fullToMs: of(row?.full_to_ms) };
  }

  /** Takes over what the finished slices of a job have covered; the caller's transaction also removes the job. */
  advance(jobId: string): void {
    const { integration_id: integrationId, from_ms: fromMs } = this.#database
      .prepare('SELECT integration_id, from_ms FROM jobs WHERE id = ?')
      .get(jobId) as { integration_id: string; from_ms: number };
    this.#noteWindow({ integrationId, fromMs });
    this.#database
      .prepare(
        `INSERT OR IGNORE INTO coverage (integration_id, repository_id, ref, tip, to_ms)
         SELECT j.integration_id, s.repository_id, t.ref, t.tip, j.to_ms
         FROM slices s JOIN jobs j ON j.id = s.job_id
           JOIN slice_tips t ON t.job_id = s.job_id AND t.repository_id = s.repository_id
         WHERE s.job_id = ? AND s.data_type = 'commits' AND s.state = 'done'`,
      )
      .run(jobId);
    this.#rememberFound(jobId);
    this.#database
      .prepare(
        `INSERT INTO pull_requests_covered (integration_id, repository_id, to_ms)
         SELECT j.integration_id, s.repository_id, j.to_ms FROM slices s JOIN jobs j ON j.id = s.job_id
         WHERE s.job_id = ? AND s.data_type = 'pull_requests' AND s.state = 'done'
         ON CONFLICT DO UPDATE SET to_ms = max(to_ms, excluded.to_ms)`,
      )
      .run(jobId);
    // One that ended in the future of a clock that was set back since would hide for as long that nothing is scanned.
    this.#database
      .prepare(
        `INSERT INTO scans (integration_id, to_ms, full_to_ms)
         SELECT integration_id, to_ms, iif(is_full, to_ms, NULL) FROM jobs WHERE id = ?1
         ON CONFLICT DO UPDATE SET
           to_ms = iif(to_ms > (SELECT done_at_ms FROM jobs WHERE id = ?1), excluded.to_ms, max(to_ms, excluded.to_ms)),
           full_to_ms = coalesce(excluded.full_to_ms, full_to_ms)`,
      )
      .run(jobId);
    this.#advanceGaps(jobId, integrationId);
    this.#forgetOldTips(integrationId);
  }

  /** One repository at a time: the checksums of all of half a million would stay in memory until the statement has ended. */
  #rememberFound(jobId: string): void {
    const remember = this.#database.prepare(
      `INSERT INTO pull_requests (integration_id, repository_id, id, fingerprint, is_open, read_at_ms, sent_ms)
       SELECT j.integration_id, f.repository_id, f.id, f.fingerprint, f.is_open, f.read_at_ms, f.sent_ms
       FROM pull_requests_found f JOIN jobs j ON j.id = f.job_id WHERE f.job_id = ? AND f.repository_id = ?
       ON CONFLICT DO UPDATE SET fingerprint = excluded.fingerprint, is_open = excluded.is_open,
         read_at_ms = excluded.read_at_ms,
         sent_ms = coalesce(max(sent_ms, excluded.sent_ms), excluded.sent_ms, sent_ms)`,
    );
    const repositories = this.#database
      .prepare('SELECT DISTINCT repository_id AS id FROM pull_requests_found WHERE job_id = ?')
      .all(jobId);
    for (const { id } of repositories) remember.run(jobId, Number(id));
  }

  /** What failed stays missing from the earliest time it was; what is done is not missing any more. */
  #advanceGaps(jobId: string, integrationId: string): void {
    this.#addFailedSlices(jobId);
    // What was deleted or is not selected any more stays missing, but it does not fail.
    this.#database
      .prepare(
        `UPDATE gaps SET failure = NULL WHERE integration_id = ?
         AND repository_id NOT IN (SELECT id FROM repositories WHERE job_id = ?)`,
      )
      .run(integrationId, jobId);
    // What every repository was missing, one that was not in the list is missing still. Hardly ever is there any: each of a
    // thousand repositories may have hundreds of tips.
    const missingOfEvery = this.#database
      .prepare('SELECT data_type, from_ms FROM gaps WHERE integration_id = ? AND repository_id = ?')
      .all(integrationId, everyRepository);
    const addUnlisted = this.#database.prepare(
      `INSERT INTO gaps (integration_id, repository_id, data_type, from_ms)
       SELECT ?1, id, ?2, ?3 FROM (SELECT repository_id AS id FROM coverage WHERE integration_id = ?1
         UNION SELECT repository_id FROM pull_requests_covered WHERE integration_id = ?1)
       WHERE id NOT IN (SELECT id FROM repositories WHERE job_id = ?4)
       ON CONFLICT DO UPDATE SET from_ms = min(from_ms, excluded.from_ms)`,
    );
    for (const { data_type: dataType, from_ms: fromMs } of missingOfEvery) {
      addUnlisted.run(integrationId, String(dataType), Number(fromMs), jobId);
    }
    this.#database
      .prepare(
        `DELETE FROM gaps WHERE integration_id = ? AND (
           repository_id = ?
           OR (repository_id, data_type) IN
             (SELECT repository_id, data_type FROM slices WHERE job_id = ? AND state = 'done')
         )`,
      )
      .run(integrationId, everyRepository, jobId);
  }

  #forgetOldTips(integrationId: string): void {
    this.#database
      .prepare(
        `DELETE FROM coverage WHERE (integration_id, repository_id, ref, tip) IN (
           SELECT integration_id, repository_id, ref, tip FROM (
             SELECT *, row_number() OVER (PARTITION BY repository_id, ref ORDER BY to_ms DESC) AS age
             FROM coverage WHERE integration_id = ?
           ) WHERE age > ?
         )`,
      )
      .run(integrationId, maxTips);
  }
}
