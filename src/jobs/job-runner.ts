import type { Config } from '../config/config.ts';
import { errorFields, SatelliteError, toSatelliteError } from '../errors.ts';
import type { Job } from '../store/jobs.ts';
import { JobProgress } from './job-progress.ts';
import { jobException } from './job-result.ts';
import { type JobSurroundings, runJob } from './run-job.ts';

/** Enough to keep several servers busy; a server's own gate bounds what it sees. */
export const maxRunningJobs = 4;

/**
 * Runs the jobs of the store: several at once, one per integration at a time, the others wait their turn. What is
 * learned of an integration's accounts outlives its jobs (`accounts.ts`).
 */
export class JobRunner {
  readonly running = new Map<string, { readonly job: Job; readonly progress: JobProgress }>();
  /** Jobs that ended with an exception since the process began. */
  failed = 0;
  readonly #config: Config;
  readonly #surroundings: JobSurroundings;
  readonly #ends = new Set<Promise<void>>();
  readonly #onEnd: (error?: SatelliteError) => void;

  /** @param onEnd a job has ended, or was interrupted by the error and stays open */
  constructor(config: Config, surroundings: JobSurroundings, onEnd: (error?: SatelliteError) => void) {
    this.#config = config;
    this.#surroundings = surroundings;
    this.#onEnd = onEnd;
  }

  /**
   * Starts what waits in the store and has room. A job that is done keeps its integration until SEI has acknowledged it:
   * only then is its coverage known, and without it the next job would take its base from dates and leave out what was
   * merged late.
   */
  startWaiting(): void {
    const jobs = this.#surroundings.store.jobs.list();
    const isBusy = ({ id, doneAtMs }: Job) => doneAtMs !== null || this.running.has(id);
    const busy = new Set(jobs.filter(isBusy).map(({ integrationId }) => integrationId));
    for (const job of jobs) {
      if (this.#surroundings.signal.aborted || this.running.size >= maxRunningJobs) return;
      if (job.doneAtMs !== null || this.running.has(job.id) || busy.has(job.integrationId)) continue;
      busy.add(job.integrationId);
      const end = this.#run(job).finally(() => this.#ends.delete(end));
      this.#ends.add(end);
    }
  }

  /** Resolves once nothing runs any more, whatever started meanwhile included. */
  async idle(): Promise<void> {
    while (this.#ends.size > 0) await Promise.all(this.#ends);
  }

  async #run(job: Job): Promise<void> {
    const { logger, store, clock, signal, monitor } = this.#surroundings;
    const progress = new JobProgress(clock.elapsedMs());
    this.running.set(job.id, { job, progress });
    try {
      const error = await this.#outcome(job, progress);
      const { items, requests } = progress;
      const facts = {
        jobId: job.id,
        integrationId: job.integrationId,
        ...items,
        ...requests,
        ...progress.git,
        pages: progress.pages,
      };
      const seconds = Math.round((clock.elapsedMs() - progress.startedAtElapsedMs) / 100) / 10;
      const failures = store.jobs.failures(job.id).length;
      if (error === undefined) logger.info('Scan done', { ...facts, failures, seconds });
      else logger.error('Scan failed', { ...errorFields(error), ...facts, failures, seconds });
      if (error !== undefined) this.failed++;
      monitor.jobEnded(job.integrationId, {
        outcome: error !== undefined ? 'failure' : failures > 0 ? 'partial' : 'success',
        seconds,
        failures,
        code: error?.code,
        reason: error?.message,
      });
      if (error?.kind === 'auth') monitor.health.failed('bitbucket_credentials', error, job.integrationId);
      // Its pages are pushed, or will never be.
      monitor.health.forget('sei_push', job.integrationId);
      monitor.health.forget('store_cap');
      this.running.delete(job.id);
      this.startWaiting();
      this.#onEnd();
    } catch (thrown) {
      // The job stays open where it is: it goes on with the next start, or the next cycle where only its end could not
      // be stored.
      this.running.delete(job.id);
      if (signal.aborted) return;
      const error = toSatelliteError(thrown);
      if (error.kind === 'storage') monitor.health.failed('disk', error);
      const { id: jobId, integrationId } = job;
      logger.error('Scan interrupted', { ...errorFields(error), jobId, integrationId });
      this.#onEnd(error);
    }
  }

  async #outcome(job: Job, progress: JobProgress): Promise<SatelliteError | undefined> {
    const { store, clock } = this.#surroundings;
    const integration = this.#config.integrations.find(({ id }) => id === job.integrationId);
    if (integration === undefined) {
      const error = removed(job);
      store.jobs.setDone(job.id, clock.now(), { exception: jobException(error) });
      return error;
    }
    return runJob(job, integration, this.#surroundings, progress);
  }
}

function removed({ integrationId }: Job): SatelliteError {
  return new SatelliteError(`The integration ${integrationId} was taken out of the configuration`, {
    code: 'INTEGRATION_REMOVED',
    kind: 'config',
    hint: 'Put it back, or remove it at SEI.',
  });
}
