import { AgentRegistry, type RegisteredAgent } from './agents.ts';
import { ControlPlane } from './control-plane.ts';
import type { Route } from './exchange.ts';
import { type Call, type FaultRule, Faults } from './faults.ts';
import { type Ingested, ingest, type NamedFile, namedFiles } from './ingestion.ts';
import { hasEnded, type Job, JobBook, type JobView, type NewJob, viewOf } from './jobs.ts';
import { Push } from './push.ts';
import type { DataType } from './records.ts';
import { SeiServer } from './server.ts';
import { Storage } from './storage.ts';

export interface SeiSimulatorOptions {
  readonly tenant?: string;
  readonly apiKey?: string;
  /** Path of the url before `/v1/ingestion`. */
  readonly basePath?: string;
  /** Loopback port; any free one when absent. */
  readonly port?: number;
  /** Epoch ms; for the registry's expiry and the stored files. */
  readonly now?: () => number;
  /** An agent that has sent no heartbeat for so long is unknown. */
  readonly registrySeconds?: number;
  /** Larger push requests, as they come over the wire, are answered 413. */
  readonly maxPushBytes?: number;
  readonly onViolation?: (violation: string) => void;
}

interface PushedPage {
  readonly path: string;
  readonly bytes: number;
  readonly dataType: DataType;
  readonly pageNumber: number;
  /** How often the path was pushed. */
  readonly pushes: number;
}

interface RequestCounts extends Readonly<Record<Call | 'other' | 'total', number>> {
  /** Of all push requests as they came over the wire. */
  readonly pushedBytes: number;
  /** Of all files that were stored: what was pushed without base64 and JSON around it. */
  readonly fileBytes: number;
}

/** Harness SEI as a satellite sees it: a real server on loopback that follows the protocol sheet to the letter. */
export interface SeiSimulator extends AsyncDisposable {
  /** What goes into `satellite.url`. */
  readonly url: string;
  readonly tenant: string;
  readonly apiKey: string;
  /** Every deviation from the sheet, one sentence each; at most a thousand are kept. */
  readonly violations: readonly string[];
  /** Live counts. */
  readonly requests: RequestCounts;
  /** Adds a job that is SCHEDULED and gives its id. */
  addJob(job: NewJob): string;
  /** Makes a job SCHEDULED again, as SEI does after a failure. */
  reschedule(jobId: string): void;
  jobs(): JobView[];
  /** Jobs that a satellite began by itself: SEI acknowledges them and knows nothing of them. */
  ownJobs(): JobView[];
  /** Resolves when the job, also one that is not there yet, is SUCCESS, FAILURE, ABORTED or INVALID; throws on timeout. */
  waitForJob(jobId: string, timeoutMs?: number): Promise<JobView>;
  /** Calls back whenever a job's status changes, own jobs included, until the function it gives is called. */
  onJobChange(watcher: (job: JobView) => void): () => void;
  agents(): RegisteredAgent[];
  /** As after a restart of SEI: the next heartbeat is answered 409. */
  forgetAgents(): void;
  /** What SEI would store if this job were all it ever got. */
  ingested(jobId: string): Ingested;
  /** What SEI has stored after all successful jobs, in the order of their reports; own jobs only when asked for. */
  ingestedAll(options?: { readonly withOwnJobs?: boolean }): Ingested;
  pages(jobId: string): PushedPage[];
  /** The files that the results of a job name, repeats within them included. */
  namedFiles(jobId: string): Iterable<NamedFile>;
  /** Sets a fault and gives the function that removes it. */
  fault(rule: FaultRule): () => void;
  /** Ends all connections and deletes what was stored. */
  close(): Promise<void>;
}

const maxViolations = 1000;

export async function startSeiSimulator(options: SeiSimulatorOptions = {}): Promise<SeiSimulator> {
  const { tenant = 'demoAcct', apiKey = 'simulated-sei-key-5d1c', now = Date.now, registrySeconds = 600 } = options;
  const basePath = (options.basePath ?? '/gratis/sei/api').replace(/\/+$/, '');
  const violations: string[] = [];
  const complain = (violation: string) => {
    if (violations.length < maxViolations) violations.push(violation);
    options.onViolation?.(violation);
  };

  const storage = await Storage.open(tenant, now);
  const jobs = new JobBook(tenant);
  const agents = new AgentRegistry(registrySeconds * 1000, now);
  const control = new ControlPlane({ tenant, agents, jobs, storage });
  const push = new Push({ tenant, jobs, storage });
  const faults = new Faults();
  const maxPushBytes = options.maxPushBytes ?? Number.POSITIVE_INFINITY;
  const routes = routesOf(control, push);
  const server = new SeiServer({ basePath, apiKey, maxPushBytes, routes, faults, complain });
  const port = await server.listen(options.port ?? 0, '127.0.0.1');

  const close = async () => {
    await server[Symbol.asyncDispose]();
    await storage[Symbol.asyncDispose]();
  };
  const successes = () =>
    jobs
      .list()
      .filter((job) => job.successNumber !== undefined && job.status === 'SUCCESS')
      .sort((one, two) => (one.successNumber ?? 0) - (two.successNumber ?? 0));
  return {
    url: `http://127.0.0.1:${port}${basePath}`,
    tenant,
    apiKey,
    violations,
    get requests() {
      return { ...server.counts, pushedBytes: server.pushedBytes, fileBytes: push.fileBytes };
    },
    addJob: (job) => jobs.add(job).jobId,
    reschedule: (jobId) => jobs.reschedule(jobId),
    jobs: () =>
      jobs
        .list()
        .filter((job) => !job.own)
        .map(viewOf),
    ownJobs: () =>
      jobs
        .list()
        .filter((job) => job.own)
        .map(viewOf),
    waitForJob: (jobId, timeoutMs = 30_000) => waitForJob(jobs, jobId, timeoutMs, violations),
    onJobChange: (watcher) => watchStatus(jobs, watcher),
    agents: () => agents.list(),
    forgetAgents: () => agents.forget(),
    ingested: (jobId) =>
      ingest(
        jobs.list().filter((job) => job.jobId === jobId),
        storage,
      ),
    ingestedAll: ({ withOwnJobs = false } = {}) =>
      ingest(
        successes().filter((job) => withOwnJobs || !job.own),
        storage,
      ),
    pages: (jobId) =>
      storage
        .pages(jobId)
        .map(({ path, bytes, dataType, pageNumber, pushes }) => ({ path, bytes, dataType, pageNumber, pushes })),
    namedFiles: (jobId) => {
      const job = jobs.get(jobId);
      return job === undefined ? [] : namedFiles(job, storage);
    },
    fault: (rule) => faults.add(rule),
    close,
    [Symbol.asyncDispose]: close,
  };
}

function routesOf(control: ControlPlane, push: Push): Record<Call, Route> {
  const jobQuery = ['job_id', 'agent_id', 'tenant_id'];
  const callback = '/agent-callback';
  return {
    register: { method: 'POST', path: `${callback}/register`, query: [], handle: (it) => control.register(it) },
    heartbeat: { method: 'POST', path: `${callback}/heartbeat`, query: [], handle: (it) => control.heartbeat(it) },
    list: {
      method: 'POST',
      path: `${callback}/jobs/requests/list`,
      query: ['reserved'],
      handle: (it) => control.list(it),
    },
    accept: {
      method: 'GET',
      path: `${callback}/jobs/requests/accept`,
      query: jobQuery,
      handle: (it) => control.accept(it),
    },
    reject: {
      method: 'GET',
      path: `${callback}/jobs/requests/reject`,
      query: [...jobQuery, 'status'],
      handle: (it) => control.reject(it),
    },
    report: {
      method: 'POST',
      path: `${callback}/jobs/report`,
      query: ['tenant_id'],
      handle: (it) => control.report(it),
    },
    push: { method: 'POST', path: '/storage/push', query: [], handle: (it) => push.push(it) },
  };
}

function watchStatus(jobs: JobBook, watcher: (job: JobView) => void): () => void {
  const last = new Map<string, string>();
  return jobs.watch((job) => {
    if (last.get(job.jobId) === job.status) return;
    last.set(job.jobId, job.status);
    watcher(viewOf(job));
  });
}

function waitForJob(jobs: JobBook, jobId: string, timeoutMs: number, violations: readonly string[]): Promise<JobView> {
  return new Promise((resolve, reject) => {
    const seen = (job: Job | undefined): void => {
      if (job?.jobId !== jobId || !hasEnded(job.status)) return;
      clearTimeout(timer);
      stop();
      resolve(viewOf(job));
    };
    const timer = setTimeout(() => {
      stop();
      const status = jobs.get(jobId)?.status ?? 'unknown';
      const told = violations.slice(-3).join('; ') || 'no violations';
      reject(new Error(`job ${jobId} is ${status} after ${timeoutMs} ms (${told})`));
    }, timeoutMs);
    const stop = jobs.watch(seen);
    seen(jobs.get(jobId));
  });
}
