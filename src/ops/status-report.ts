import type { HealthReport, PartHealth, PartName } from './health.ts';
import type { Delivered } from './hourly-deliveries.ts';
import type { JobOutcome } from './metrics.ts';
import type { Redactor } from './redact.ts';

/** What the daemon knows when it is asked. Times are epoch milliseconds. */
export interface StatusFacts {
  readonly integrations: readonly IntegrationFacts[];
  readonly spool: {
    readonly pages: number;
    readonly bytes: number;
    readonly bytesMax: number;
    readonly oldestAddedAtMs: number | undefined;
  };
  /** Of all integrations. */
  readonly coveredRepositories: number;
  readonly failing: FailingFacts;
}

export interface IntegrationFacts {
  readonly id: string;
  readonly url: string;
  /** The end of the last scan that SEI has acknowledged. */
  readonly lastScanToMs: number | undefined;
  readonly lastJob: LastJob | undefined;
  readonly running: RunningJob | undefined;
  /** Jobs that wait for the running one, or for SEI's acknowledgement of the one before them. */
  readonly waitingJobs: number;
  readonly unacknowledgedJobs: number;
  readonly requests: RequestFacts;
}

export interface LastJob {
  readonly outcome: JobOutcome;
  readonly endedAtMs: number;
  readonly seconds: number;
  readonly failures: number;
  readonly code: string | undefined;
  readonly reason: string | undefined;
}

export interface RunningJob {
  readonly id: string;
  readonly origin: string;
  readonly full: boolean;
  readonly startedAtMs: number;
  readonly partsDone: number;
  /** 0: the repositories are still being listed. */
  readonly parts: number;
  readonly repositoriesDone: number;
  readonly repositories: number;
  readonly commits: number;
  readonly pullRequests: number;
  readonly pages: number;
  readonly throttled: number;
  readonly secondsLeft: number | undefined;
}

export interface RequestFacts {
  /** Over the last minute. */
  readonly perSecond: number;
  /** Undefined: no limit is known. */
  readonly limitPerSecond: number | undefined;
  readonly inFlight: number;
  readonly maxInFlight: number;
  readonly waiting: number;
  /** Bitbucket asked for patience: nobody is let in for now. */
  readonly paused: boolean;
}

interface FailingFacts {
  readonly repositories: number;
  /** The first of them, by name; one entry for each data type. */
  readonly listed: readonly FailingPart[];
}

interface FailingPart {
  readonly integrationId: string;
  readonly repository: string;
  readonly dataType: string;
  readonly code: string;
  readonly reason: string;
  readonly sinceMs: number;
}

export interface ReportedPart {
  readonly part: PartName;
  readonly integration?: string;
  /** For people. */
  readonly title: string;
  readonly state: 'ok' | 'failing' | 'unknown';
  /** ISO 8601. */
  readonly since: string;
  readonly code?: string;
  readonly reason?: string;
  readonly hint?: string;
}

/** What every view of the satellite is made of; `/status.json` is this (schemas/status.schema.json). */
export interface StatusReport {
  readonly version: string;
  /** Of this process: the next one has another. */
  readonly instance: string;
  readonly at: string;
  readonly startedAt: string;
  readonly live: boolean;
  readonly ready: boolean;
  readonly parts: readonly ReportedPart[];
  readonly integrations: readonly ReportedIntegration[];
  readonly failing: {
    readonly repositories: number;
    readonly listed: readonly {
      readonly integration: string;
      readonly repository: string;
      readonly type: string;
      readonly code: string;
      readonly reason: string;
      readonly since: string;
    }[];
  };
  readonly spool: {
    readonly pages: number;
    readonly bytes: number;
    readonly bytesMax: number;
    readonly oldestPageAgeSeconds: number;
  };
  readonly coverage: { readonly repositories: number; readonly lagSeconds: number };
  readonly deliveredPerHour: readonly {
    readonly hour: string;
    readonly commits: number;
    readonly pullRequests: number;
  }[];
}

export interface ReportedIntegration {
  readonly id: string;
  readonly url: string;
  readonly lastScanTo?: string;
  readonly lastJob?: {
    readonly outcome: JobOutcome;
    readonly endedAt: string;
    readonly seconds: number;
    readonly failures: number;
    readonly code?: string;
    readonly reason?: string;
  };
  readonly running?: Omit<RunningJob, 'startedAtMs' | 'secondsLeft'> & {
    readonly startedAt: string;
    readonly secondsLeft?: number;
  };
  readonly waitingJobs: number;
  readonly unacknowledgedJobs: number;
  readonly requests: Omit<RequestFacts, 'limitPerSecond'> & { readonly limitPerSecond?: number };
}

const titles: Readonly<Record<PartName, string>> = {
  sei: 'SEI',
  sei_key: 'API key of SEI',
  disk: 'Disk',
  store_cap: 'Room for pages',
  scheduler: 'Scheduler',
  bitbucket: 'Bitbucket',
  bitbucket_requests: 'Requests to Bitbucket',
  bitbucket_credentials: 'Credentials for Bitbucket',
  sei_push: 'Delivery to SEI',
};

export interface ReportInput {
  readonly version: string;
  readonly instance: string;
  readonly startedAtMs: number;
  readonly nowMs: number;
  readonly health: HealthReport;
  readonly facts: StatusFacts;
  readonly delivered: readonly Delivered[];
}

/** A pure function of what is known. */
export function statusReport({
  version,
  instance,
  startedAtMs,
  nowMs,
  health,
  facts,
  delivered,
}: ReportInput): StatusReport {
  const { integrations, spool, failing } = facts;
  // One that was never scanned has been behind since we began.
  const scannedToMs = Math.min(nowMs, ...integrations.map(({ lastScanToMs }) => lastScanToMs ?? startedAtMs));
  return {
    version,
    instance,
    at: iso(nowMs),
    startedAt: iso(startedAtMs),
    live: health.live,
    ready: health.ready,
    parts: health.parts.map(reportedPart),
    integrations: integrations.map(reportedIntegration),
    failing: {
      repositories: failing.repositories,
      listed: failing.listed.map(({ integrationId, repository, dataType, code, reason, sinceMs }) => ({
        integration: integrationId,
        repository,
        type: dataType,
        code,
        reason,
        since: iso(sinceMs),
      })),
    },
    spool: {
      pages: spool.pages,
      bytes: spool.bytes,
      bytesMax: spool.bytesMax,
      oldestPageAgeSeconds:
        spool.oldestAddedAtMs === undefined ? 0 : Math.max(0, Math.round((nowMs - spool.oldestAddedAtMs) / 1000)),
    },
    coverage: { repositories: facts.coveredRepositories, lagSeconds: Math.round((nowMs - scannedToMs) / 1000) },
    deliveredPerHour: delivered.map(({ hourMs, commits, pullRequests }) => ({
      hour: iso(hourMs),
      commits,
      pullRequests,
    })),
  };
}

/** What others said, without their secrets: all else is our own words, numbers and times, and stays whatever a secret is. */
export function redactedReport(report: StatusReport, redactor: Pick<Redactor, 'text'>): StatusReport {
  const text = (said: string) => redactor.text(said);
  return {
    ...report,
    parts: report.parts.map((part) => ({
      ...part,
      ...(part.reason !== undefined && { reason: text(part.reason) }),
      ...(part.hint !== undefined && { hint: text(part.hint) }),
    })),
    integrations: report.integrations.map(({ url, lastJob, running, ...integration }) => ({
      ...integration,
      url: text(url),
      ...(lastJob !== undefined && {
        lastJob: { ...lastJob, ...(lastJob.reason !== undefined && { reason: text(lastJob.reason) }) },
      }),
      ...(running !== undefined && { running: { ...running, id: text(running.id) } }),
    })),
    failing: {
      ...report.failing,
      listed: report.failing.listed.map((part) => ({
        ...part,
        repository: text(part.repository),
        reason: text(part.reason),
      })),
    },
  };
}

/** Failing parts first come, first told; and where nothing fails and it is still not ready, what it waits for. */
export function reasonsAgainst({ live, parts }: Pick<StatusReport, 'live' | 'parts'>): readonly string[] {
  const failing = parts.filter(({ state }) => state === 'failing').map(lineOf);
  if (!live) failing.unshift('the loop stands still');
  const isWaiting = parts.some(({ part, state }) => part === 'sei' && state === 'unknown');
  if (failing.length === 0 && isWaiting) return ['starting: SEI has not answered yet'];
  return failing;
}

function lineOf({ title, integration, since, code, reason }: ReportedPart): string {
  const of = integration === undefined ? '' : ` (integration ${integration})`;
  return `${title}${of}: failing since ${since}: ${code}: ${reason}`;
}

function reportedPart(health: PartHealth): ReportedPart {
  const { part, integrationId, state, sinceMs } = health;
  return {
    part,
    ...(integrationId !== undefined && { integration: integrationId }),
    title: titles[part],
    state,
    since: iso(sinceMs),
    ...(health.state === 'failing' && {
      code: health.problem.code,
      reason: health.problem.reason,
      ...(health.problem.hint !== undefined && { hint: health.problem.hint }),
    }),
  };
}

function reportedIntegration({ lastScanToMs, lastJob, running, requests, ...rest }: IntegrationFacts) {
  const { limitPerSecond, perSecond, ...others } = requests;
  return {
    ...rest,
    ...(lastScanToMs !== undefined && { lastScanTo: iso(lastScanToMs) }),
    ...(lastJob !== undefined && { lastJob: reportedLastJob(lastJob) }),
    ...(running !== undefined && { running: reportedRunning(running) }),
    requests: {
      perSecond: Math.round(perSecond * 10) / 10,
      ...others,
      ...(limitPerSecond !== undefined && { limitPerSecond: Math.round(limitPerSecond * 100) / 100 }),
    },
  };
}

function reportedLastJob({ outcome, endedAtMs, seconds, failures, code, reason }: LastJob) {
  return {
    outcome,
    endedAt: iso(endedAtMs),
    seconds,
    failures,
    ...(code !== undefined && { code }),
    ...(reason !== undefined && { reason }),
  };
}

function reportedRunning({ startedAtMs, secondsLeft, ...rest }: RunningJob) {
  return { ...rest, startedAt: iso(startedAtMs), ...(secondsLeft !== undefined && { secondsLeft }) };
}

function iso(epochMs: number): string {
  return new Date(epochMs).toISOString();
}
