import type { IntegrationConfig } from '../config/config.ts';
import { fullScanFromMs } from '../crawl/window.ts';
import { epochMs } from '../records/epoch-ms.ts';
import { scanController } from '../sei/handle.ts';
import type { CreateJobRequest } from '../sei/types.ts';
import type { NewJob } from '../store/jobs.ts';

/** What a Date can hold, on either side of 1970. */
const lastDateMs = 8.64e15;

/** Why a job is given back: `scheduled` lets another satellite have it, `invalid` says that nobody can run it. */
export interface Rejection {
  readonly status: 'scheduled' | 'invalid';
  readonly reason: string;
}

/**
 * A job of SEI's as our own (sei-protocol §1.6, §4.1). Without `from` it is a full scan, which reaches back
 * `metadata.backfill_days`; without `to` it ends now.
 */
export function jobFromRequest(
  request: CreateJobRequest,
  integrations: readonly IntegrationConfig[],
  nowMs: number,
): NewJob | Rejection {
  if (request.controller_name !== scanController) {
    return { status: 'invalid', reason: `unknown controller ${String(request.controller_name)}` };
  }
  const query = request.query as Record<string, unknown> | null | undefined;
  if (typeof query !== 'object' || query === null) return { status: 'invalid', reason: 'no query' };
  const key = query.integration_key as { integration_id?: unknown } | undefined;
  const integrationId = String(key?.integration_id ?? request.integration_id);
  const integration = integrations.find(({ id }) => id === integrationId);
  if (integration === undefined) {
    return { status: 'scheduled', reason: `integration ${integrationId} is not in the configuration` };
  }
  const fromMs = epochMs(query.from as number | string | null | undefined);
  const askedToMs = epochMs(query.to as number | string | null | undefined) ?? nowMs;
  // What lies ahead cannot be covered yet.
  const window = scanWindow(fromMs, Math.min(nowMs, askedToMs), integration);
  if (Math.max(Math.abs(window.fromMs), Math.abs(askedToMs)) > lastDateMs) {
    return { status: 'invalid', reason: 'the window is no time' };
  }
  return {
    id: request.job_id,
    integrationId,
    origin: 'sei',
    controllerName: scanController,
    query,
    ...window,
    fetchRepositories: [query.should_fetch_repos, query.fetch_repos, query.shouldFetchRepos].includes(true),
    createdAtMs: nowMs,
  };
}

/** The window of a scan; without `fromMs` it is a full one. */
export function scanWindow(fromMs: number | undefined, toMs: number, { metadata }: IntegrationConfig) {
  return {
    isFull: fromMs === undefined,
    fromMs: fromMs ?? fullScanFromMs(toMs, metadata.backfillDays),
    toMs,
  };
}
