import { isDeepStrictEqual } from 'node:util';
import type { AgentRegistry } from './agents.ts';
import type { Answer, Request } from './exchange.ts';
import { hasEnded, type Job, type JobBook, statusOf } from './jobs.ts';
import { type AgentHandle, heartbeatBody, listBody, type ReportedJob, registerBody, reportBody } from './messages.ts';
import { checkResult } from './result-check.ts';
import { type Complain, isObject, type Shape } from './shape.ts';
import type { Storage } from './storage.ts';

export interface ControlPlaneParts {
  readonly tenant: string;
  readonly agents: AgentRegistry;
  readonly jobs: JobBook;
  readonly storage: Storage;
}

const maxOffered = 25;

/** The six calls below `/agent-callback` (sei-protocol §1.4). */
export class ControlPlane {
  readonly #tenant: string;
  readonly #agents: AgentRegistry;
  readonly #jobs: JobBook;
  readonly #storage: Storage;

  constructor({ tenant, agents, jobs, storage }: ControlPlaneParts) {
    this.#tenant = tenant;
    this.#agents = agents;
    this.#jobs = jobs;
    this.#storage = storage;
  }

  register({ body, complain }: Request): Answer {
    return this.#withHandle(body, registerBody, complain, (handle) =>
      this.#agents.register(handle) ? { status: 200 } : { status: 400, error: 'agent is registered already' },
    );
  }

  heartbeat({ body, complain }: Request): Answer {
    return this.#withHandle(body, heartbeatBody, complain, (handle) =>
      this.#agents.heartbeat(handle) ? { status: 200 } : { status: 409, error: 'unknown agent' },
    );
  }

  list({ body, query, complain }: Request): Answer {
    if (query.get('reserved') !== 'true') complain(`reserved is ${query.get('reserved')}, wanted true`);
    return this.#withHandle(body, listBody, complain, (handle) => {
      if (this.#agents.known(handle.agent_id) === undefined) complain('the agent has never been registered');
      const suits = (job: Job) =>
        handle.integration_ids.includes(job.integrationId) && handle.controller_names.includes(job.controllerName);
      const records = this.#jobs
        .offer(handle.agent_id, maxOffered, suits)
        .map((job) => ({ job_id: job.jobId, controller_name: job.controllerName }));
      return { status: 200, json: { records, count: records.length } };
    });
  }

  accept({ query, complain }: Request): Answer {
    return this.#withTenant(query.get('tenant_id'), complain, () => {
      const job = this.#jobs.get(query.get('job_id') ?? '');
      const agentId = query.get('agent_id') ?? '';
      const handle = this.#agents.known(agentId);
      if (handle === undefined) complain(`agent ${agentId} has never been registered`);
      if (job === undefined) complain(`there has never been a job ${query.get('job_id')}`);
      if (job === undefined || job.status !== 'SCHEDULED') return { status: 404, error: 'no such open job' };
      if (!job.offeredTo.has(agentId)) complain(`job ${job.jobId} was never offered to the agent`);
      if (handle !== undefined && !handle.integration_ids.includes(job.integrationId)) {
        complain(`job ${job.jobId} is of an integration that the agent does not have`);
      }
      return { status: 200, json: createJobRequest(this.#tenant, this.#jobs.accept(job, agentId)) };
    });
  }

  reject({ query, complain }: Request): Answer {
    return this.#withTenant(query.get('tenant_id'), complain, () => {
      const job = this.#jobs.get(query.get('job_id') ?? '');
      const status = query.get('status')?.toUpperCase();
      if (status !== 'SCHEDULED' && status !== 'INVALID') {
        complain(`status is ${query.get('status')}, wanted scheduled or invalid`);
        return { status: 400, error: 'unknown status' };
      }
      if (job === undefined || job.status !== 'ACCEPTED' || job.agentId !== query.get('agent_id')) {
        complain(`job ${query.get('job_id')} is not accepted by that agent`);
        return { status: 404, error: 'no such accepted job' };
      }
      this.#jobs.reject(job, status);
      return { status: 200 };
    });
  }

  report({ body, query, complain }: Request): Answer {
    return this.#withTenant(query.get('tenant_id'), complain, () => {
      // A reader of JSON refuses a body as a whole when one field in it has the wrong type.
      if (!reportBody(body, 'body', complain)) return { status: 400, error: 'not a list of jobs' };
      for (const report of body.records) {
        this.#take(report, (deviation) => complain(`job ${report.id}: ${deviation}`));
      }
      return { status: 200, json: Object.fromEntries(body.records.map(({ id }) => [id, true])) };
    });
  }

  #take(report: ReportedJob, complain: Complain): void {
    const job = this.#jobs.getOrBegin(report.id, report.query.integration_key.integration_id);
    if (this.#agents.known(report.agent_id) === undefined && !job.own) complain('reported by an unregistered agent');
    if (!job.own) checkKnownJob(job, report, complain);
    if (report.query.integration_key.tenant_id !== this.#tenant) complain('the query has another tenant');
    if (report.result !== undefined && job.status !== 'SUCCESS') {
      checkResult(job, report.query, report.result, statusOf(report) === 'SUCCESS', this.#storage, complain);
    }
    this.#jobs.report(job, report);
  }

  #withHandle<T extends AgentHandle>(
    body: unknown,
    shape: Shape<T>,
    complain: Complain,
    handle: (handle: T) => Answer,
  ): Answer {
    const tenant = isObject(body) && typeof body.tenant_id === 'string' ? body.tenant_id : null;
    return this.#withTenant(tenant, complain, () =>
      shape(body, 'body', complain) ? handle(body) : { status: 400, error: 'not an agent handle' },
    );
  }

  #withTenant(tenant: string | null, complain: Complain, handle: () => Answer): Answer {
    if (tenant !== this.#tenant) complain(`tenant_id is ${tenant}, wanted ${this.#tenant}`);
    if (tenant === null || tenant === '') return { status: 400, error: 'tenant_id is missing' };
    return tenant === this.#tenant ? handle() : { status: 403, error: 'not the tenant of the key' };
  }
}

/**
 * A satellite that was started again reports, under its new agent id, what its predecessor accepted: that is a new
 * holder. The predecessor coming back means that two satellites run the same job.
 */
function checkKnownJob(job: Job, report: ReportedJob, complain: Complain): void {
  if (job.holders.length === 0) complain('reported though nobody has accepted it');
  if (job.holders.includes(report.agent_id) && job.holders.at(-1) !== report.agent_id) {
    complain(`reported by agent ${report.agent_id} and by agent ${job.holders.at(-1)} in turn`);
  }
  if (hasEnded(job.status) && statusOf(report) !== job.status) {
    complain(`reported as ${statusOf(report)} after it was ${job.status}`);
  }
  if (report.controller_name !== job.controllerName) complain(`controller_name is ${report.controller_name}`);
  const echo = { ...report.query, should_fetch_repos: report.query.should_fetch_repos ?? false };
  if (!isDeepStrictEqual(echo, { ...job.query })) complain('the query is not the one that was accepted');
}

/** What accept answers (sei-protocol §1.6). */
function createJobRequest(tenant: string, job: Job): Record<string, unknown> {
  return {
    job_id: job.jobId,
    controller_name: job.controllerName,
    query: job.query,
    tenant_id: tenant,
    integration_id: job.integrationId,
    reserved: true,
    tags: [],
    attempt_count: job.attempts,
    trigger_id: `trigger-${job.integrationId}`,
    iteration_id: `iteration-${job.jobId}`,
    callback_url: 'http://localhost/ignored',
  };
}
