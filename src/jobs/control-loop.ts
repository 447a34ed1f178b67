import type { Clock } from '../clock.ts';
import type { Config } from '../config/config.ts';
import { SatelliteError } from '../errors.ts';
import type { Logger } from '../ops/logger.ts';
import { agentHandle, telemetry } from '../sei/handle.ts';
import type { SeiClient } from '../sei/sei-client.ts';
import type { AgentHandle, JobReport } from '../sei/types.ts';
import type { Job } from '../store/jobs.ts';
import type { Store } from '../store/store.ts';
import { jobFromRequest } from './job-request.ts';
import { type JobRunner, maxRunningJobs } from './job-runner.ts';

export interface ControlLoopOptions {
  readonly config: Config;
  readonly store: Store;
  readonly sei: SeiClient;
  readonly runner: JobRunner;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly version: string;
}

/**
 * One cycle of the conversation with SEI (sei-protocol §2): register or heartbeat, take jobs on, report.
 *
 * unregistered → register (a 400 says that the id is still known) → registered → heartbeat each cycle; 409 or 404 →
 * register again at once. Any other failure ends the cycle: nothing is listed or reported to a server that does not
 * know us. A crash leaves a registration that the next process takes over, as the agent's id is kept in the store.
 */
export class ControlLoop {
  readonly #options: ControlLoopOptions;
  readonly #handle: AgentHandle;
  #isRegistered = false;

  constructor(options: ControlLoopOptions) {
    this.#options = options;
    this.#handle = agentHandle(options.config, options.store.agentId());
  }

  /**
   * @returns how many jobs it has taken on
   * @throws SatelliteError when SEI cannot be talked to; the next cycle starts over
   */
  async cycle(): Promise<number> {
    await this.#announce();
    const taken = await this.#takeJobs();
    this.#options.runner.startWaiting();
    await this.report();
    return taken;
  }

  async #announce(): Promise<void> {
    const { sei, store, runner, version } = this.#options;
    const jobs = store.jobs.list();
    const done = jobs.filter(({ doneAtMs }) => doneAtMs !== null).length;
    const counts = { total: jobs.length, done, running: runner.running.size };
    const handle = { ...this.#handle, telemetry: telemetry(version, counts) };
    if (!this.#isRegistered) {
      await this.#register(handle);
      return;
    }
    try {
      await sei.heartbeat(handle);
    } catch (error) {
      if (!(error instanceof SatelliteError) || error.kind !== 'gone') throw error;
      await this.#register(handle);
    }
  }

  async #register(handle: AgentHandle): Promise<void> {
    const { sei, logger } = this.#options;
    try {
      await sei.register(handle);
      logger.info('Registered with SEI', { agentId: handle.agent_id, integrationIds: handle.integration_ids });
    } catch (error) {
      if (!(error instanceof SatelliteError) || error.statusCode !== 400) throw error;
      await sei.heartbeat(handle);
      logger.info('SEI still knows this satellite', { agentId: handle.agent_id });
    }
    this.#isRegistered = true;
  }

  async #takeJobs(): Promise<number> {
    const { sei, store } = this.#options;
    let taken = 0;
    if (this.#openJobs() >= maxRunningJobs) return taken;
    for (const { job_id: jobId } of await sei.listJobs(this.#handle)) {
      if (this.#openJobs() >= maxRunningJobs) break;
      if (store.jobs.get(jobId) === undefined && (await this.#accept(jobId))) taken++;
    }
    return taken;
  }

  async #accept(jobId: string): Promise<boolean> {
    const { sei, store, config, clock, logger } = this.#options;
    const request = await sei.acceptJob(jobId, this.#handle.agent_id);
    if (request === undefined) {
      logger.info('The job is gone or another satellite has taken it', { jobId });
      return false;
    }
    const job = jobFromRequest(request, config.integrations, clock.now());
    if ('reason' in job) {
      logger.warn('The job cannot be run here', {
        code: 'JOB_REJECTED',
        jobId,
        status: job.status,
        reason: job.reason,
      });
      await sei.rejectJob(jobId, this.#handle.agent_id, job.status);
      return false;
    }
    store.jobs.add(job);
    logger.info('Job accepted', { jobId, integrationId: job.integrationId });
    return true;
  }

  /** Tells SEI how all jobs stand, and forgets those that were done and are acknowledged. */
  async report(): Promise<void> {
    const { sei, store } = this.#options;
    const jobs = store.jobs.list();
    if (jobs.length === 0) return;
    const acknowledged = await sei.report(jobs.map((job) => this.#reportOf(job)));
    for (const job of jobs) {
      if (job.doneAtMs !== null && acknowledged.has(job.id)) store.acknowledge(job.id);
    }
  }

  #reportOf(job: Job): JobReport {
    const failures = this.#options.store.jobs.failures(job.id);
    return {
      id: job.id,
      agent_id: this.#handle.agent_id,
      controller_name: job.controllerName,
      query: job.query,
      done: job.doneAtMs !== null,
      cancelled: false,
      created_at: job.createdAtMs,
      ...(job.doneAtMs === null ? {} : { done_at: job.doneAtMs }),
      ...(job.exception === undefined ? {} : { exception: job.exception as NonNullable<JobReport['exception']> }),
      ...(job.result === undefined ? {} : { result: job.result }),
      failures: failures.map(({ message, url }) => ({ message, severity: 'ERROR', url })),
    };
  }

  #openJobs(): number {
    return this.#options.store.jobs.list().filter(({ doneAtMs }) => doneAtMs === null).length;
  }
}
