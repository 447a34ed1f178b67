import type { Clock } from '../clock.ts';
import type { Config } from '../config/config.ts';
import { errorFields, SatelliteError } from '../errors.ts';
import { killPoint } from '../ops/kill-point.ts';
import type { Logger } from '../ops/logger.ts';
import { agentHandle, telemetry } from '../sei/handle.ts';
import type { SeiClient } from '../sei/sei-client.ts';
import type { AgentHandle, JobReport } from '../sei/types.ts';
import type { Job } from '../store/jobs.ts';
import type { Store } from '../store/store.ts';
import { jobFromRequest } from './job-request.ts';
import { type JobRunner, maxRunningJobs } from './job-runner.ts';

const maxFailedHeartbeats = 3;

/** Running and waiting. */
const maxOpenJobs = 16;

/** A job that is done and so long not acknowledged is a failure of SEI's. */
const lateMs = 10 * 60_000;

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
 * know us; several of them in a row → unregistered, as a gateway may have put its own status in the place of the 409.
 * A crash leaves a registration that the next process takes over, as the agent's id is kept in the store.
 */
export class ControlLoop {
  readonly #options: ControlLoopOptions;
  readonly #handle: AgentHandle;
  #isRegistered = false;
  /** In a row. */
  #failedHeartbeats = 0;

  constructor(options: ControlLoopOptions) {
    this.#options = options;
    this.#handle = agentHandle(options.config, options.store.agentId());
  }

  /**
   * @returns how many jobs it has taken on
   * @throws SatelliteError when SEI cannot be talked to; the next cycle starts over
   */
  async cycle(): Promise<number> {
    const { store } = this.#options;
    await this.#announce();
    await this.#giveBackLost();
    // Before a new job begins, so that it finds the coverage of those that are done.
    const done = store.jobs.list().filter(({ doneAtMs }) => doneAtMs !== null);
    const refusedBefore = await this.#reportEach(done);
    const taken = await this.#takeJobs();
    this.#options.runner.startWaiting();
    const reported = new Set(done.map(({ id }) => id));
    const refused = (await this.#reportEach(store.jobs.list().filter(({ id }) => !reported.has(id)))) ?? refusedBefore;
    if (refused !== undefined) throw refused;
    this.#assertAcknowledged();
    return taken;
  }

  /** Between two cycles: whether SEI is still there, and knows us. */
  async heartbeat(): Promise<void> {
    await this.#announce();
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
      this.#failedHeartbeats = 0;
    } catch (error) {
      if (!(error instanceof SatelliteError) || error.kind !== 'gone') {
        this.#isRegistered = ++this.#failedHeartbeats < maxFailedHeartbeats;
        throw error;
      }
      await this.#register(handle);
    }
  }

  async #register(handle: AgentHandle): Promise<void> {
    const { sei, logger } = this.#options;
    try {
      killPoint('sei:before-register');
      await sei.register(handle);
      killPoint('sei:registered');
      logger.info('Registered with SEI', { agentId: handle.agent_id, integrationIds: handle.integration_ids });
    } catch (error) {
      if (!(error instanceof SatelliteError) || error.statusCode !== 400) throw error;
      await sei.heartbeat(handle);
      logger.info('SEI still knows this satellite', { agentId: handle.agent_id });
    }
    this.#isRegistered = true;
    this.#failedHeartbeats = 0;
  }

  async #takeJobs(): Promise<number> {
    const { sei, store } = this.#options;
    let taken = 0;
    if (!this.#hasRoom()) return taken;
    const open = await sei.listJobs(this.#handle);
    killPoint('sei:listed');
    for (const { job_id: jobId } of open) {
      if (!this.#hasRoom()) break;
      if (store.jobs.get(jobId) === undefined && (await this.#accept(jobId))) taken++;
    }
    return taken;
  }

  async #accept(jobId: string): Promise<boolean> {
    const { sei, store, config, clock, logger } = this.#options;
    store.jobs.beginAccepting(jobId);
    killPoint('job:before-accept');
    const request = await sei.acceptJob(jobId, this.#handle.agent_id);
    if (request === undefined) {
      store.jobs.endAccepting(jobId);
      logger.info('The job is gone or another satellite has taken it', { jobId });
      return false;
    }
    // Whatever SEI answers, one job that cannot be read must not keep the others from theirs.
    const job = jobFromRequest({ ...request, job_id: jobId }, config.integrations, clock.now());
    if ('reason' in job) {
      logger.warn('The job cannot be run here', {
        code: 'JOB_REJECTED',
        jobId,
        status: job.status,
        reason: job.reason,
      });
      await sei.rejectJob(jobId, this.#handle.agent_id, job.status);
      store.jobs.endAccepting(jobId);
      return false;
    }
    killPoint('job:accepted');
    store.transaction(() => {
      store.jobs.add(job);
      store.jobs.endAccepting(jobId);
    });
    killPoint('job:stored');
    logger.info('Job accepted', { jobId, integrationId: job.integrationId });
    return true;
  }

  /**
   * A process that ended between SEI's answer and the store has a job that it does not know of, and nobody else would
   * ever get it: it is given back. Where SEI never gave it to us, it says so, and all is well.
   */
  async #giveBackLost(): Promise<void> {
    const { sei, store, logger } = this.#options;
    for (const jobId of store.jobs.accepting()) {
      try {
        await sei.rejectJob(jobId, this.#handle.agent_id, 'scheduled');
        logger.info('A job that was accepted before a crash is given back', { jobId });
      } catch (error) {
        if (!(error instanceof SatelliteError)) throw error;
        // In the next cycle again: an answer that does not come must not keep the other jobs from theirs.
        if (error.kind !== 'gone' && error.kind !== 'bug') {
          logger.warn('A job cannot be given back; the next cycle tries again', { ...errorFields(error), jobId });
          continue;
        }
      }
      store.jobs.endAccepting(jobId);
    }
  }

  /**
   * Tells SEI how all jobs stand, and forgets those that were done and are acknowledged.
   *
   * @throws SatelliteError the first that came of it, once all that can be told is told
   */
  async report(): Promise<void> {
    const refused = await this.#reportEach(this.#options.store.jobs.list());
    if (refused !== undefined) throw refused;
  }

  /**
   * Each in a call of its own: a report that SEI or a gateway does not take must not keep the other jobs from being
   * acknowledged, nor others from being taken.
   *
   * @returns what came first of those that were refused
   */
  async #reportEach(jobs: readonly Job[]): Promise<SatelliteError | undefined> {
    let refused: SatelliteError | undefined;
    for (const job of jobs) {
      try {
        await this.#report(job);
      } catch (error) {
        if (!(error instanceof SatelliteError) || !isOfThisReport(error)) throw error;
        refused ??= error;
      }
    }
    return refused;
  }

  async #report(job: Job): Promise<void> {
    const { sei, store, logger } = this.#options;
    killPoint('report:before');
    const acknowledged = await sei.report([this.#reportOf(job)]);
    killPoint('report:answered');
    if (job.doneAtMs === null) return;
    if (!acknowledged.has(job.id)) {
      const { code } = notAcknowledged(1);
      logger.warn('SEI takes no note of a job that is done; it is reported again', { code, jobId: job.id });
      return;
    }
    store.acknowledge(job.id);
    killPoint('report:acknowledged');
  }

  /** Until then its integration has no other job, and nobody would notice. */
  #assertAcknowledged(): void {
    const { store, clock } = this.#options;
    const late = store.jobs.list().filter(({ doneAtMs }) => doneAtMs !== null && clock.now() - doneAtMs > lateMs);
    if (late.length > 0) throw notAcknowledged(late.length);
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

  /** Of one integration one runs at a time: those of it that wait must not keep other integrations from theirs. */
  #hasRoom(): boolean {
    const open = this.#options.store.jobs.list().filter(({ doneAtMs }) => doneAtMs === null);
    const integrations = new Set(open.map(({ integrationId }) => integrationId));
    return integrations.size < maxRunningJobs && open.length < maxOpenJobs;
  }
}

/** SEI, or a gateway, has looked at it and will not have it; elsewise the others would fare no better. */
function isOfThisReport({ code, kind, statusCode }: SatelliteError): boolean {
  if (code === 'SEI_ANSWER_UNREADABLE' || code === 'SEI_REPORT_TOO_LARGE') return true;
  return kind === 'bug' || kind === 'gone' || kind === 'config' || statusCode === 500;
}

export function notAcknowledged(jobs: number): SatelliteError {
  return new SatelliteError(`SEI does not acknowledge ${jobs} job(s)`, {
    code: 'SEI_NO_ACKNOWLEDGEMENT',
    kind: 'retryable',
    hint: 'They are kept and reported again; their integrations have no other job until then.',
  });
}
