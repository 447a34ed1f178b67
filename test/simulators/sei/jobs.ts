import { randomUUID } from 'node:crypto';
import type { Failure, JobException, JobResult, ReportedJob, ScanQuery } from './messages.ts';

export type JobStatus = 'SCHEDULED' | 'ACCEPTED' | 'PENDING' | 'SUCCESS' | 'FAILURE' | 'ABORTED' | 'INVALID';

export interface JobView {
  readonly jobId: string;
  readonly integrationId: string;
  readonly controllerName: string;
  readonly query: ScanQuery;
  readonly status: JobStatus;
  /** Who accepted it, or reported it last. */
  readonly agentId: string | undefined;
  readonly result: JobResult | undefined;
  readonly failures: readonly Failure[];
  readonly exception: JobException | undefined;
  /** How often it was accepted; 1 for a satellite's own job. */
  readonly attempts: number;
  readonly reports: number;
}

export interface NewJob {
  readonly integrationId: string;
  /** Epoch ms; absent: a full scan. */
  readonly from?: number;
  readonly to?: number;
  readonly shouldFetchRepos?: boolean;
  readonly controllerName?: string;
  readonly jobId?: string;
}

/** What the book knows of a job beyond what it shows. */
export interface Job extends JobView {
  /** Begun by the satellite itself: SEI acknowledges its reports and knows nothing of it. */
  readonly own: boolean;
  /** Agents that were offered the job by a list call. */
  readonly offeredTo: ReadonlySet<string>;
  /** Agents that have had it, each once, in order. */
  readonly holders: readonly string[];
  /** The last result of each attempt, by its number. */
  readonly results: ReadonlyMap<number, JobResult>;
  /** Place among the successes. */
  readonly successNumber: number | undefined;
}

const ended: ReadonlySet<JobStatus> = new Set(['SUCCESS', 'FAILURE', 'ABORTED', 'INVALID']);

export function hasEnded(status: JobStatus): boolean {
  return ended.has(status);
}

export function viewOf(job: Job): JobView {
  const { own, offeredTo, holders, results, successNumber, ...view } = job;
  return view;
}

/** The server's table (sei-protocol §1.7): a report has no status of its own. */
export function statusOf(report: ReportedJob): JobStatus {
  if (!report.done) return 'PENDING';
  if (report.cancelled) return 'ABORTED';
  return report.exception === undefined && report.result !== undefined ? 'SUCCESS' : 'FAILURE';
}

/**
 * SCHEDULED → (accept) → ACCEPTED → (report) → PENDING → (report, done) → SUCCESS, FAILURE or ABORTED;
 * ACCEPTED → (reject) → SCHEDULED or INVALID; anything → (reschedule, by the test) → SCHEDULED.
 * A job that the book does not know is a satellite's own and begins with its first push or report.
 */
export class JobBook {
  readonly #tenant: string;
  readonly #jobs = new Map<string, Job>();
  readonly #watchers = new Set<(job: Job) => void>();
  #successes = 0;
  /** A job has failed, or reported some of these that it could not read: the next one may bring them, whichever it is. */
  readonly mayLack = new Set<string>();

  constructor(tenant: string) {
    this.#tenant = tenant;
  }

  add(job: NewJob): Job {
    const jobId = job.jobId ?? randomUUID();
    if (this.#jobs.has(jobId)) throw new Error(`there is a job ${jobId} already`);
    const query: ScanQuery = {
      integration_key: { tenant_id: this.#tenant, integration_id: job.integrationId },
      ...(job.from === undefined ? {} : { from: job.from }),
      ...(job.to === undefined ? {} : { to: job.to }),
      should_fetch_repos: job.shouldFetchRepos ?? false,
    };
    const controllerName = job.controllerName ?? 'BitbucketServerIterativeScanController';
    return this.#put({ ...blankJob, jobId, integrationId: job.integrationId, controllerName, query });
  }

  /** The job of that id; a satellite's own one is begun when nobody knows it. */
  getOrBegin(jobId: string, integrationId: string): Job {
    const known = this.#jobs.get(jobId);
    if (known !== undefined) return known;
    const query: ScanQuery = { integration_key: { tenant_id: this.#tenant, integration_id: integrationId } };
    const own = { own: true, status: 'ACCEPTED', attempts: 1 } as const;
    return this.#put({ ...blankJob, ...own, jobId, integrationId, query, controllerName: '' });
  }

  get(jobId: string): Job | undefined {
    return this.#jobs.get(jobId);
  }

  list(): Job[] {
    return [...this.#jobs.values()];
  }

  /** Jobs that may be offered, oldest first, marked as offered. */
  offer(agentId: string, limit: number, suits: (job: Job) => boolean): Job[] {
    const offered = this.list()
      .filter((job) => job.status === 'SCHEDULED' && suits(job))
      .slice(0, limit);
    return offered.map((job) => this.#put({ ...job, offeredTo: new Set([...job.offeredTo, agentId]) }));
  }

  accept(job: Job, agentId: string): Job {
    const holders = [...job.holders, agentId];
    return this.#put({ ...job, status: 'ACCEPTED', agentId, holders, attempts: job.attempts + 1 });
  }

  reject(job: Job, status: 'SCHEDULED' | 'INVALID'): Job {
    return this.#put({ ...job, status, agentId: undefined, holders: [], attempts: job.attempts - 1 });
  }

  reschedule(jobId: string): void {
    const job = this.#jobs.get(jobId);
    if (job === undefined || job.own) throw new Error(`no job ${jobId}`);
    this.#put({ ...job, status: 'SCHEDULED', agentId: undefined });
  }

  /** Takes a report in; what is stored of a job that succeeded does not change any more. */
  report(job: Job, report: ReportedJob): Job {
    if (job.status === 'SUCCESS') return this.#put({ ...job, reports: job.reports + 1 });
    const status = statusOf(report);
    if (status === 'SUCCESS') this.#successes += 1;
    const { agent_id: agentId, result, exception, failures = [] } = report;
    return this.#put({
      ...job,
      status,
      agentId,
      holders: job.holders.includes(agentId) ? job.holders : [...job.holders, agentId],
      result: result ?? job.result,
      results: result === undefined ? job.results : new Map([...job.results, [job.attempts, result]]),
      exception,
      failures,
      reports: job.reports + 1,
      successNumber: status === 'SUCCESS' ? this.#successes : undefined,
      ...(job.own ? { query: report.query, controllerName: report.controller_name } : {}),
    });
  }

  /** Calls back at every change of any job until the function it gives is called. */
  watch(watcher: (job: Job) => void): () => void {
    this.#watchers.add(watcher);
    return () => this.#watchers.delete(watcher);
  }

  #put(job: Job): Job {
    this.#jobs.set(job.jobId, job);
    for (const { dataType, isAsked } of [
      { dataType: 'tags', isAsked: job.query.from === undefined },
      { dataType: 'repositories', isAsked: job.query.should_fetch_repos === true },
    ]) {
      const isMissing = job.failures.some(({ message }) => message.includes(` ${dataType}: `));
      if ((job.status === 'FAILURE' && isAsked) || isMissing) this.mayLack.add(dataType);
    }
    for (const watcher of [...this.#watchers]) watcher(job);
    return job;
  }
}

const blankJob = {
  own: false,
  status: 'SCHEDULED' as JobStatus,
  agentId: undefined,
  result: undefined,
  failures: [],
  exception: undefined,
  attempts: 0,
  reports: 0,
  offeredTo: new Set<string>(),
  holders: [],
  results: new Map<number, JobResult>(),
  successNumber: undefined,
};
