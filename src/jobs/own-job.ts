import { randomUUID } from 'node:crypto';
import type { IntegrationConfig } from '../config/config.ts';
import { scanController } from '../sei/handle.ts';
import type { JobOrigin, NewJob } from '../store/jobs.ts';
import type { Store } from '../store/store.ts';
import { scanWindow } from './job-request.ts';

/** As SEI does for its own: a full scan a week, incremental ones between. */
const fullScanEveryMs = 7 * 24 * 60 * 60 * 1000;

/**
 * A job that nobody at SEI asked for: it goes on where the last acknowledged scan ended, or is a full one when there was
 * none or the last full one is a week old. Its query has the same form as SEI's.
 */
export function ownJob(
  store: Store,
  integration: IntegrationConfig,
  options: {
    readonly tenantId: string;
    readonly origin: Exclude<JobOrigin, 'sei'>;
    readonly nowMs: number;
    readonly fromMs?: number;
    readonly toMs?: number;
  },
): NewJob {
  const { toMs: lastToMs, fullToMs } = store.coverage.lastScan(integration.id);
  // It may have ended in the future of a clock that was set back since.
  const isFullDue = fullToMs === undefined || Math.abs(options.nowMs - fullToMs) >= fullScanEveryMs;
  const toMs = Math.min(options.nowMs, options.toMs ?? options.nowMs);
  const sinceMs = lastToMs === undefined ? undefined : Math.min(lastToMs, toMs);
  const fromMs = options.fromMs ?? (isFullDue ? undefined : sinceMs);
  const fetchRepositories = fromMs === undefined;
  return {
    id: randomUUID(),
    integrationId: integration.id,
    origin: options.origin,
    controllerName: scanController,
    query: {
      integration_key: { tenant_id: options.tenantId, integration_id: integration.id },
      ...(fromMs === undefined ? {} : { from: fromMs }),
      to: toMs,
      should_fetch_repos: fetchRepositories,
    },
    ...scanWindow(fromMs, toMs, integration),
    fetchRepositories,
    createdAtMs: options.nowMs,
  };
}
