import { join } from 'node:path';
import cron, { type ScheduledTask } from 'node-cron';
import { Accounts } from './bitbucket/accounts.ts';
import type { Clock } from './clock.ts';
import type { Config } from './config/config.ts';
import { errorFields, SatelliteError, toSatelliteError } from './errors.ts';
import { Clones } from './git/clones.ts';
import { type Env, seiProxy } from './http/proxy-server.ts';
import { ControlLoop } from './jobs/control-loop.ts';
import { progressLine, summarise } from './jobs/job-progress.ts';
import { JobRunner } from './jobs/job-runner.ts';
import { ownJob } from './jobs/own-job.ts';
import type { Logger } from './ops/logger.ts';
import type { Redactor } from './ops/redact.ts';
import { SeiClient } from './sei/sei-client.ts';
import { Store } from './store/store.ts';

export interface DaemonOptions {
  readonly config: Config;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Knows the secrets of the configuration. */
  readonly redactor: Redactor;
  readonly version: string;
  /** For the proxy variables; undefined: none of them is set. */
  readonly env?: Env;
  /** Those of the daemon before it, so that a refused credential is not tried again; undefined: new ones. */
  readonly accounts?: Accounts;
}

export function storePath(dataDir: string): string {
  return join(dataDir, 'satellite.db');
}

/** Clones of integrations that do not want them any more are removed at once: they hold source. */
export function newClones(
  config: Config,
  store: Store,
  clock: Clock,
  root = clonesPath(config.satellite.dataDir),
): Clones {
  const kept = config.integrations.filter(({ metadata }) => metadata.commitSource === 'git' && metadata.keepClones);
  const { maxBytes } = config.satellite.store;
  const options = { root, maxBytes, storeBytes: () => store.usedBytes(), nowMs: () => clock.now() };
  return new Clones(
    options,
    kept.map(({ url }) => url),
  );
}

function clonesPath(dataDir: string): string {
  return join(dataDir, 'clones');
}

/** How often a running scan says in the log how far it is. */
const progressLogMs = 30_000;

/** How often it is looked whether the scheduler, which looks every second, still does. */
const watchdogMs = 5_000;
const maxTickGapMs = 15_000;

/** Attempts of `once` to talk to SEI before it gives up. */
const onceAttempts = 5;

/**
 * The long-running satellite.
 *
 * stopped → `start` (store opened, jobs of the last process taken up, first cycle at once) → running → `stop` (no new
 * cycle, running jobs abort at their last durable point, store closed) → stopped. A crash anywhere leaves what the store
 * describes, and the next start goes on from there.
 */
export class Daemon {
  readonly #options: DaemonOptions;
  readonly #store: Store;
  readonly #accounts: Accounts;
  readonly #runner: JobRunner;
  readonly #loop: ControlLoop;
  readonly #abort = new AbortController();
  readonly #schedules: { readonly expression: string; readonly run: () => Promise<void> }[] = [];
  #tasks: ScheduledTask[] = [];
  #watchdog: NodeJS.Timeout | undefined;
  #lastTickElapsedMs = 0;
  readonly #damaged = Promise.withResolvers<SatelliteError>();
  #nextCycleAtElapsedMs = 0;
  /** The cycle under way, or the last one. */
  #cycling: Promise<void> = Promise.resolve();
  #isCycling = false;
  #lastProgressLogElapsedMs: number;

  constructor(options: DaemonOptions) {
    const { config, clock, logger, version, env = {} } = options;
    this.#options = options;
    this.#accounts = options.accounts ?? new Accounts();
    this.#lastProgressLogElapsedMs = clock.elapsedMs();
    this.#store = new Store(storePath(config.satellite.dataDir), options.redactor);
    const { signal } = this.#abort;
    const clones = newClones(config, this.#store, clock);
    const sei = new SeiClient(config.satellite, { clock, signal, proxy: seiProxy(config.satellite, env) });
    this.#runner = new JobRunner(
      config,
      {
        satellite: config.satellite,
        env,
        store: this.#store,
        accounts: this.#accounts,
        clones,
        clock,
        logger,
        push: (page) => sei.push(page),
        signal,
      },
      (error) => {
        if (error === undefined) this.#nextCycleAtElapsedMs = 0;
        else this.#noteDamage(error);
      },
    );
    this.#loop = new ControlLoop({ config, store: this.#store, sei, runner: this.#runner, clock, logger, version });
  }

  /** Resolves when the store turns out to be damaged: nothing more can be done with it. */
  get damaged(): Promise<SatelliteError> {
    return this.#damaged.promise;
  }

  /** One line on how far the running jobs are; undefined: nothing runs. */
  progress(): string | undefined {
    const jobs = [...this.#runner.running.values()].map(({ progress }) => progress);
    return jobs.length === 0 ? undefined : progressLine(jobs, this.#options.clock.elapsedMs());
  }

  start(): void {
    const { schedule } = this.#options.config.satellite;
    this.#runner.startWaiting();
    // The interval may be any number of seconds, which a cron expression cannot say: so it looks once a second.
    this.#schedules.push({ expression: '* * * * * *', run: () => this.#tick() });
    if (schedule !== undefined) {
      this.#schedules.push({ expression: schedule, run: async () => this.#startOwnScans() });
    }
    this.#schedule();
    this.#watchdog = setInterval(() => this.#watch(), watchdogMs);
  }

  /**
   * Does the jobs that there are, reports them, and returns how many of them failed.
   *
   * @throws SatelliteError when SEI cannot be talked to five times in a row
   */
  async once(): Promise<number> {
    let attempt = 1;
    for (;;) {
      try {
        const before = this.#store.jobs.list().length;
        const taken = await this.#loop.cycle();
        await this.#runner.idle();
        await this.#loop.report();
        const left = this.#store.jobs.list().length;
        if (taken === 0 && left === 0) return this.#runner.failed;
        if (taken === 0 && left >= before) throw notAcknowledged(left);
        attempt = 1;
      } catch (error) {
        this.#logCycleError(error);
        const isRefused = error instanceof SatelliteError && error.kind === 'auth';
        if (isRefused || attempt >= onceAttempts) throw error;
        await this.#options.clock.sleep(attempt++ * 5_000, this.#abort.signal);
      }
    }
  }

  async stop(): Promise<void> {
    if (this.#abort.signal.aborted) return;
    this.#abort.abort();
    clearInterval(this.#watchdog);
    await this.#unschedule();
    await this.#cycling;
    await this.#runner.idle();
    this.#accounts.close();
    this.#store.close();
  }

  async #tick(): Promise<void> {
    const elapsedMs = this.#options.clock.elapsedMs();
    this.#lastTickElapsedMs = elapsedMs;
    this.#logProgress(elapsedMs);
    if (elapsedMs < this.#nextCycleAtElapsedMs) return;
    this.#nextCycleAtElapsedMs = elapsedMs + this.#intervalMs();
    this.#cycling = this.#loop.cycle().then(
      () => undefined,
      (error) => this.#logCycleError(error),
    );
    this.#isCycling = true;
    await this.#cycling;
    this.#isCycling = false;
    this.#lastTickElapsedMs = this.#options.clock.elapsedMs();
  }

  #startOwnScans(): void {
    const { config, clock, logger } = this.#options;
    for (const integration of config.integrations) {
      if (this.#store.jobs.list().some((job) => job.integrationId === integration.id && job.doneAtMs === null)) {
        logger.info('The scheduled scan is left out: one of this integration is still running', {
          integrationId: integration.id,
        });
        continue;
      }
      const { tenant: tenantId } = config.satellite;
      const job = ownJob(this.#store, integration, { tenantId, origin: 'schedule', nowMs: clock.now() });
      this.#store.jobs.add(job);
    }
    this.#runner.startWaiting();
  }

  #schedule(): void {
    this.#lastTickElapsedMs = this.#options.clock.elapsedMs();
    const { logger } = this.#options;
    this.#tasks = this.#schedules.map(({ expression, run }) =>
      cron.schedule(expression, run, {
        timezone: 'UTC',
        noOverlap: true,
        suppressMissedWarning: true,
        logger: {
          info: () => undefined,
          debug: () => undefined,
          // A cycle that takes longer than a second overlaps with the next look: that is what `noOverlap` is for.
          warn: (said) => logger.debug('Scheduler', { said }),
          error: (error) => logger.error('Scheduler', { code: 'SCHEDULER', error: String(error) }),
        },
      }),
    );
  }

  async #unschedule(): Promise<void> {
    for (const task of this.#tasks.splice(0)) await task.destroy();
  }

  /** Cron waits for a time of day: where the clock is set back by a day, it would wait for a day. */
  #watch(): void {
    if (this.#isCycling || this.#options.clock.elapsedMs() - this.#lastTickElapsedMs < maxTickGapMs) return;
    this.#options.logger.warn('The scheduler stands still; it is started anew', {
      code: 'SCHEDULER',
      hint: 'The clock of this machine may have been set back.',
    });
    void this.#unschedule();
    this.#schedule();
  }

  #intervalMs(): number {
    return this.#options.config.satellite.schedulingIntervalSeconds * 1000;
  }

  #logCycleError(thrown: unknown): void {
    if (this.#abort.signal.aborted) return;
    const error = toSatelliteError(thrown);
    const text = error.kind === 'storage' ? 'The store fails' : 'SEI could not be talked to';
    this.#options.logger.warn(`${text}; the next cycle tries again`, errorFields(error));
    this.#noteDamage(error);
  }

  #noteDamage(error: SatelliteError): void {
    if (error.code === 'STORE_DAMAGED') this.#damaged.resolve(error);
  }

  #logProgress(elapsedMs: number): void {
    const jobs = [...this.#runner.running.values()].map(({ progress }) => progress);
    if (jobs.length === 0 || elapsedMs - this.#lastProgressLogElapsedMs < progressLogMs) return;
    this.#lastProgressLogElapsedMs = elapsedMs;
    this.#options.logger.info('Scanning', summarise(jobs, elapsedMs));
  }
}

export function notAcknowledged(jobs: number): SatelliteError {
  return new SatelliteError(`SEI does not acknowledge ${jobs} job(s)`, {
    code: 'SEI_NO_ACKNOWLEDGEMENT',
    kind: 'retryable',
    hint: 'They are kept and reported again with the next start.',
  });
}
