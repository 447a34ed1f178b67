import type { DatabaseSync } from 'node:sqlite';
import { isSealed, unseal } from './sealed-json.ts';
import type { SliceFailure } from './slices.ts';

/** A repository and data type of which the last scan left something out. */
export interface FailingSlice {
  readonly integrationId: string;
  readonly repositoryId: number;
  readonly dataType: string;
  readonly failure: SliceFailure;
  /** Epoch milliseconds. */
  readonly sinceMs: number;
}

export interface JobCounts {
  /** Not begun or running. */
  readonly open: number;
  /** Done, and SEI has not taken note of it. */
  readonly done: number;
}

/**
 * Parts that failed in the last scan they were in: those that SEI has acknowledged, and those of jobs that it has not.
 * One that a later job has read is not among them. The cross join keeps SQLite from looking at every slice for each gap.
 */
const failingSlices = `
  SELECT integration_id, repository_id, data_type, failure, since_ms FROM gaps g
    WHERE failure IS NOT NULL AND NOT EXISTS (
      SELECT 1 FROM jobs j CROSS JOIN slices s WHERE s.job_id = j.id AND j.integration_id = g.integration_id
        AND s.repository_id = g.repository_id AND s.data_type = g.data_type AND s.state <> 'open')
  UNION ALL
  SELECT j.integration_id, s.repository_id, s.data_type, s.failure,
      coalesce((SELECT since_ms FROM gaps g WHERE g.integration_id = j.integration_id
        AND g.repository_id = s.repository_id AND g.data_type = s.data_type AND g.failure IS NOT NULL), j.created_at_ms)
    FROM slices s JOIN jobs j ON j.id = s.job_id WHERE s.state = 'failed' AND s.failure IS NOT NULL`;

/** What people want to see at a glance; nothing of it decides what is done. */
export class Overview {
  readonly #database: DatabaseSync;

  constructor(database: DatabaseSync) {
    this.#database = database;
  }

  jobs(integrationId: string): JobCounts {
    const row = this.#database
      .prepare(
        `SELECT count(*) FILTER (WHERE done_at_ms IS NULL) AS open, count(done_at_ms) AS done
         FROM jobs WHERE integration_id = ?`,
      )
      .get(integrationId);
    return { open: Number(row?.open), done: Number(row?.done) };
  }

  /** Repositories of which SEI has acknowledged a scan. Steps from one to the next, as each may have hundreds of tips. */
  coveredRepositories(integrationId: string): number {
    const row = this.#database
      .prepare(
        `WITH RECURSIVE covered (id) AS (
           SELECT min(repository_id) FROM coverage WHERE integration_id = ?1
           UNION ALL
           SELECT (SELECT min(repository_id) FROM coverage WHERE integration_id = ?1 AND repository_id > covered.id)
             FROM covered WHERE covered.id IS NOT NULL
         )
         SELECT count(*) AS n FROM (SELECT id FROM covered WHERE id IS NOT NULL
           UNION SELECT repository_id FROM pull_requests_covered WHERE integration_id = ?1)`,
      )
      .get(integrationId);
    return Number(row?.n);
  }

  /**
   * @param integrationIds that are configured: what failed of one that was removed is nobody's concern
   * @param limit of those that are listed
   */
  failing(integrationIds: readonly string[], limit: number): { repositories: number; listed: FailingSlice[] } {
    const ofThese = `SELECT * FROM (${failingSlices}) WHERE integration_id IN (SELECT value FROM json_each(?))`;
    const ids = JSON.stringify(integrationIds);
    const counted = this.#database
      .prepare(`SELECT count(*) AS n FROM (SELECT DISTINCT integration_id, repository_id FROM (${ofThese}))`)
      .get(ids);
    const rows = this.#database
      .prepare(`${ofThese} ORDER BY integration_id, repository_id, data_type LIMIT ?`)
      .all(ids, limit);
    const listed = rows
      .filter(({ failure }) => isSealed(failure))
      .map((row) => ({
        integrationId: String(row.integration_id),
        repositoryId: Number(row.repository_id),
        dataType: String(row.data_type),
        failure: unseal<SliceFailure>(row.failure),
        sinceMs: Number(row.since_ms),
      }));
    return { repositories: Number(counted?.n), listed };
  }
}
