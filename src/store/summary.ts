import { copyFileSync, existsSync, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { toSatelliteError } from '../errors.ts';
import { inspectStore, type StoreState } from './inspect.ts';

export interface StoreSummary {
  readonly path: string;
  readonly state: StoreState['state'] | 'unreadable';
  /** Who works on it, in words. */
  readonly holder?: string | undefined;
  readonly bytes?: number;
  readonly logBytes?: number;
  /** By the name of what was counted; the rows hold no name of a person and no text of a commit. */
  readonly content?: Readonly<Record<string, readonly Record<string, unknown>[]>>;
  /** Why there is no content. */
  readonly reason?: string;
}

/** A copy of a larger store takes too long, and may not fit. */
const maxCopiedBytes = 512 * 2 ** 20;

/**
 * What is in a store, without changing or locking it, also while a satellite works on it: what that has written last is in
 * the log beside the file, which only a copy of both can show.
 */
export function summariseStore(path: string): StoreSummary {
  try {
    const inspected = inspectStore(path);
    const { state } = inspected;
    if (state === 'absent') return { path, state };
    const bytes = sizeOf(path);
    const logBytes = sizeOf(`${path}-wal`);
    const about = { path, state, bytes, logBytes, ...('holder' in inspected ? { holder: inspected.holder } : {}) };
    if (bytes + logBytes > maxCopiedBytes) return { ...about, reason: 'too large to be copied' };
    return { ...about, content: contentOfCopy(path) };
  } catch (error) {
    const { code, message } = toSatelliteError(error);
    return { path, state: 'unreadable', reason: `${code}: ${message}` };
  }
}

/** Jobs, their slices, pages and failures; what is covered and what is missing. */
const queries: Readonly<Record<string, string>> = {
  schema: 'PRAGMA user_version',
  jobs: `SELECT id, integration_id, origin, is_full, from_ms, to_ms, created_at_ms, discovered_at_ms, done_at_ms,
           exception IS NOT NULL AS failed FROM jobs ORDER BY created_at_ms`,
  slices: 'SELECT job_id, data_type, state, count(*) AS n FROM slices GROUP BY job_id, data_type, state',
  pages: `SELECT job_id, data_type, pointer IS NOT NULL AS pushed, count(*) AS n, sum(items) AS items, sum(bytes) AS bytes
           FROM pages GROUP BY job_id, data_type, pushed`,
  failures: 'SELECT job_id, message FROM failures LIMIT 200',
  coverage: `SELECT integration_id, count(DISTINCT repository_id) AS repositories, count(*) AS tips, max(to_ms) AS last_to_ms
           FROM coverage GROUP BY integration_id`,
  gaps: `SELECT integration_id, data_type, count(*) AS n, min(from_ms) AS first_from_ms
           FROM gaps GROUP BY integration_id, data_type`,
  pull_requests: 'SELECT integration_id, is_open, count(*) AS n FROM pull_requests GROUP BY integration_id, is_open',
  commit_files: 'SELECT count(*) AS n FROM commit_files',
  failed_diffs: 'SELECT count(*) AS n, max(attempts) AS most_attempts FROM failed_diffs',
};

const copyPrefix = 'satellite-summary-';

/** To copy the largest takes less. */
const maxCopyAgeMs = 10 * 60_000;

/** Whoever was killed while it read a copy has left that behind: names and addresses, up to half a gibibyte of them. */
export function removeOldCopies(dataDir: string): void {
  if (!existsSync(dataDir)) return;
  for (const name of readdirSync(dataDir)) {
    const path = join(dataDir, name);
    if (!name.startsWith(copyPrefix) || Date.now() - statSync(path).mtimeMs < maxCopyAgeMs) continue;
    rmSync(path, { recursive: true, force: true });
  }
}

function contentOfCopy(path: string): Record<string, Record<string, unknown>[]> {
  // Beside the store: on a read-only root there may be no other place.
  const folder = mkdtempSync(join(dirname(path), copyPrefix));
  try {
    const copy = join(folder, basename(path));
    // The log first: what is moved from it into the file in the meantime is then in both, and not in neither.
    if (existsSync(`${path}-wal`)) copyFileSync(`${path}-wal`, `${copy}-wal`);
    copyFileSync(path, copy);
    using database = new DatabaseSync(copy);
    const rows = (query: string) =>
      database
        .prepare(query)
        .all()
        .map((row) => ({ ...row }));
    return Object.fromEntries(Object.entries(queries).map(([name, query]) => [name, rows(query)]));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function sizeOf(path: string): number {
  return existsSync(path) ? statSync(path).size : 0;
}
