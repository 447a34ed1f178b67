import type { Accounts } from '../bitbucket/accounts.ts';
import type { Clock } from '../clock.ts';
import type { Config, IntegrationConfig } from '../config/config.ts';
import type { Monitor } from '../ops/monitor.ts';
import type { IntegrationFacts, RequestFacts, RunningJob, StatusFacts } from '../ops/status-report.ts';
import type { Store } from '../store/store.ts';
import { summarise } from './job-progress.ts';
import type { JobRunner } from './job-runner.ts';

/** Of the failing repositories so many are listed; all are counted. */
const maxListed = 100;

export interface StatusSources {
  readonly config: Config;
  readonly store: Store;
  readonly runner: JobRunner;
  readonly accounts: Accounts;
  readonly clock: Clock;
  readonly monitor: Monitor;
}

/** How it stands, for those who look. Throws what the store throws. */
export function statusFacts(sources: StatusSources): StatusFacts {
  const { config, store } = sources;
  const { repositories, listed } = store.overview.failing(
    config.integrations.map(({ id }) => id),
    maxListed,
  );
  return {
    integrations: config.integrations.map((integration) => integrationFacts(integration, sources)),
    spool: { ...store.pages.spoolSize(), bytesMax: config.satellite.store.maxBytes },
    coveredRepositories: config.integrations.reduce((sum, { id }) => sum + store.overview.coveredRepositories(id), 0),
    failing: {
      repositories,
      listed: listed.map(({ integrationId, dataType, sinceMs, failure: { repository, code, reason } }) => ({
        integrationId,
        repository,
        dataType,
        code,
        reason,
        sinceMs,
      })),
    },
  };
}

function integrationFacts(integration: IntegrationConfig, sources: StatusSources): IntegrationFacts {
  const { store, monitor } = sources;
  const { id, url } = integration;
  const running = runningJob(id, sources);
  const { open, done } = store.overview.jobs(id);
  return {
    id,
    url,
    lastScanToMs: store.coverage.lastScan(id).toMs,
    lastJob: monitor.lastJob(id),
    running,
    waitingJobs: Math.max(0, open - (running === undefined ? 0 : 1)),
    unacknowledgedJobs: done,
    requests: requestFacts(integration, sources),
  };
}

function runningJob(integrationId: string, { runner, clock }: StatusSources): RunningJob | undefined {
  const found = [...runner.running.values()].find(({ job }) => job.integrationId === integrationId);
  if (found === undefined) return undefined;
  const { job, progress } = found;
  const elapsedMs = clock.elapsedMs();
  const now = summarise([progress], elapsedMs);
  return {
    id: job.id,
    origin: job.origin,
    full: job.isFull,
    startedAtMs: clock.now() - (elapsedMs - progress.startedAtElapsedMs),
    partsDone: progress.slicesDone,
    parts: progress.slices,
    repositoriesDone: now.repositoriesDone,
    repositories: now.repositories,
    commits: now.commits,
    pullRequests: now.pullRequests,
    pages: now.pages,
    throttled: now.throttled,
    secondsLeft: now.secondsLeft,
  };
}

/** Over all users that the integration comes as. */
function requestFacts(integration: IntegrationConfig, { accounts, monitor }: StatusSources): RequestFacts {
  const gates = [...new Set(accounts.of(integration).map(({ gate }) => gate))];
  const sum = (of: (gate: (typeof gates)[number]) => number) => gates.reduce((total, gate) => total + of(gate), 0);
  const isLimited = gates.every(({ requestsPerSecond }) => requestsPerSecond !== undefined);
  return {
    perSecond: monitor.requestsPerSecond(integration.id),
    limitPerSecond: isLimited ? sum(({ requestsPerSecond }) => requestsPerSecond ?? 0) : undefined,
    inFlight: sum(({ inFlight }) => inFlight),
    maxInFlight: sum(({ places }) => places),
    // Whoever may come as several users waits at the gate of each.
    waiting: Math.max(0, ...gates.map(({ waiting }) => waiting)),
    paused: gates.every(({ isPaused }) => isPaused),
  };
}
