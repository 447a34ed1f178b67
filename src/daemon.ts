import { join } from 'node:path';
import cron, { type ScheduledTask } from 'node-cron';
import { Accounts } from './bitbucket/accounts.ts';
import { Reachability } from './bitbucket/reachability.ts';
import type { Clock } from './clock.ts';
import type { Config } from './config/config.ts';
import { errorFields, fileError, isPassing, SatelliteError, toSatelliteError } from './errors.ts';
import { Clones } from './git/clones.ts';
import { bitbucketProxy, type Env, seiProxy } from './http/proxy-server.ts';
import { ControlLoop, notAcknowledged } from './jobs/control-loop.ts';
import { progressLine, summarise } from './jobs/job-progress.ts';
import { JobRunner } from './jobs/job-runner.ts';
import { ownJob } from './jobs/own-job.ts';
import { statusFacts } from './jobs/status-facts.ts';
import type { Logger } from './ops/logger.ts';
import { Monitor } from './ops/monitor.ts';
import type { Redactor } from './ops/redact.ts';
import { SeiClient } from './sei/sei-client.ts';
import { Store } from './store/store.ts';
import { removeOldCopies } from './store/summary.ts';

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
  /** That of the process, which outlives this daemon; undefined: nobody looks. */
  readonly monitor?: Monitor;
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
  return new Clones(
    {
      root,
      maxBytes,
      storeBytes: () => store.usedBytes(),
      shrinkStore: () => store.commitFiles.evict(evictAtOnce) > 0,
      nowMs: () => clock.now(),
    },
    kept.map(({ url }) => url),
  );
}

function clonesPath(dataDir: string): string {
  return join(dataDir, 'clones');
}

/** Commits whose counted files give way at a time. */
const evictAtOnce = 1_000;

/** How often a running scan says in the log how far it is. */
const progressLogMs = 30_000;

/** How often it is looked whether a round with SEI is due. */
const tickMs = 1_000;
/** How often it is looked whether all goes on as it should. */
const watchdogMs = 2_500;

/** A clock on the wall that is off by more within a second was set, or the machine slept. */
const maxClockDriftMs = 2_000;

/** A round with SEI that should have begun, or has begun, so long ago is late. */
const maxOverdueMs = 15_000;

/** An SEI that could not be talked to is asked again after so long, however long the interval is. */
const retryRoundMs = 15_000;

/** Where the disk took nothing, it is tried so often, and work goes on as soon as it does. */
const diskRetryMs = 2_000;
/** And one of which nothing was heard for so long gets a heartbeat between two rounds, so that an outage is seen. */
const seiSilenceMs = 10_000;

/** How long nothing may have been heard of a part before it is tried, and how long where the last try failed. */
const silence = { bitbucketMs: 10_000, diskMs: 60_000, failingMs: 4_000 };

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
  readonly #monitor: Monitor;
  readonly #unwatch: () => void;
  readonly #reachability: ReadonlyMap<string, Reachability>;
  readonly #asking = new Set<string>();
  /** Integrations of which the log has said that Bitbucket does not answer. */
  readonly #toldAway = new Set<string>();
  readonly #runner: JobRunner;
  readonly #loop: ControlLoop;
  readonly #abort = new AbortController();
  /** Of the daemon's own scans. */
  #schedule: ScheduledTask | undefined;
  #nextScanAtMs = Number.POSITIVE_INFINITY;
  /** Epoch milliseconds when the clock for intervals began, as of the last tick. */
  #wallOffsetMs = 0;
  #ticker: NodeJS.Timeout | undefined;
  #watchdog: NodeJS.Timeout | undefined;
  readonly #damaged = Promise.withResolvers<SatelliteError>();
  #nextCycleAtElapsedMs = 0;
  /** A job or a round was broken off because the disk, or the process, took no more; undefined: none was. */
  #nextDiskTryAtElapsedMs: number | undefined;
  #talkBeganElapsedMs = 0;
  /** When SEI was last talked to, and whether all that was said in the last round was answered. */
  #talkedAtElapsedMs = 0;
  #isAnswered = false;
  /** The cycle under way, or the last one. */
  #cycling: Promise<void> = Promise.resolve();
  #isCycling = false;
  #lastProgressLogElapsedMs: number;

  constructor(options: DaemonOptions) {
    const { config, clock, logger, version, env = {} } = options;
    this.#options = options;
    this.#accounts = options.accounts ?? new Accounts();
    this.#monitor = options.monitor ?? new Monitor({ clock, version });
    this.#lastProgressLogElapsedMs = clock.elapsedMs();
    // Where what follows fails, the store is free for the next attempt.
    using opened = new DisposableStack();
    this.#store = new Store(storePath(config.satellite.dataDir), options.redactor);
    opened.defer(() => this.#store.close());
    const { signal } = this.#abort;
    const clones = newClones(config, this.#store, clock);
    const sei = new SeiClient(config.satellite, {
      clock,
      signal,
      proxy: seiProxy(config.satellite, env),
      observer: this.#monitor.ofSei(),
    });
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
        monitor: this.#monitor,
      },
      (error) => {
        if (error === undefined) this.#nextCycleAtElapsedMs = clock.elapsedMs();
        else this.#noteStoreTrouble(error);
      },
    );
    this.#loop = new ControlLoop({ config, store: this.#store, sei, runner: this.#runner, clock, logger, version });
    this.#reachability = new Map(
      config.integrations.map((integration) => [
        integration.id,
        new Reachability(integration, { proxy: bitbucketProxy(integration, config.satellite, env), signal }),
      ]),
    );
    const sources = { config, store: this.#store, runner: this.#runner, accounts: this.#accounts, clock };
    this.#unwatch = this.#monitor.watch(
      config.integrations.map(({ id }) => id),
      () => statusFacts({ ...sources, monitor: this.#monitor }),
    );
    this.#forgetWhatChanged();
    this.#removeOldCopies();
    opened.move();
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
    const { clock, config } = this.#options;
    const { schedule } = config.satellite;
    if (schedule !== undefined) this.#schedule = cron.createTask(schedule, () => undefined, { timezone: 'UTC' });
    this.#nextCycleAtElapsedMs = clock.elapsedMs();
    this.#wallOffsetMs = clock.now() - clock.elapsedMs();
    this.#monitor.health.beat();
    this.#withStore(() => this.#runner.startWaiting());
    this.#nextScanAtMs = this.#nextScanMs();
    this.#ticker = setInterval(() => this.#tick(), tickMs);
    this.#tick();
    this.#watchdog = setInterval(() => this.#watch(), watchdogMs);
  }

  /**
   * Does the jobs that there are, reports them, and returns how many of them failed.
   *
   * @throws SatelliteError when SEI cannot be talked to five times in a row
   */
  async once(): Promise<number> {
    let attempt = 1;
    let isFirst = true;
    for (;;) {
      try {
        const before = this.#store.jobs.list().length;
        const taken = await this.#loop.cycle();
        await this.#untilIdle();
        await this.#loop.report();
        const left = this.#store.jobs.list().length;
        if (taken === 0 && left === 0) {
          if (isFirst && before === 0) this.#options.logger.info('SEI has no job for this satellite');
          return this.#runner.failed;
        }
        isFirst = false;
        if (taken === 0 && left >= before) throw notAcknowledged(left);
        attempt = 1;
      } catch (error) {
        isFirst = false;
        this.#logCycleError(error);
        // Whoever waits for that sets the store aside, and begins again.
        if (toSatelliteError(error).code === 'STORE_DAMAGED') throw error;
        const isRefused = error instanceof SatelliteError && error.kind === 'auth';
        if (isRefused) throw error;
        // Of what was taken all the same nobody else could make anything.
        await this.#untilIdle();
        if (attempt >= onceAttempts) throw error;
        await this.#options.clock.sleep(attempt++ * 5_000, this.#abort.signal);
      }
    }
  }

  /** SEI hears meanwhile that they still run, as it does of a satellite that stays: it would give them to another one. */
  async #untilIdle(): Promise<void> {
    const { clock } = this.#options;
    const isIdle = new AbortController();
    const idle = this.#runner.idle().finally(() => isIdle.abort());
    const isOver = AbortSignal.any([this.#abort.signal, isIdle.signal]);
    for (;;) {
      await clock.sleep(this.#intervalMs(), isOver).catch(() => undefined);
      if (isOver.aborted) return idle;
      await this.#talkWhileBusy();
    }
  }

  async #talkWhileBusy(): Promise<void> {
    try {
      await this.#loop.heartbeat();
      await this.#loop.report();
    } catch (error) {
      this.#logCycleError(error);
    }
  }

  async stop(): Promise<void> {
    if (this.#abort.signal.aborted) return;
    this.#abort.abort();
    clearInterval(this.#ticker);
    clearInterval(this.#watchdog);
    await this.#schedule?.destroy();
    await this.#cycling;
    await this.#runner.idle();
    this.#unwatch();
    this.#accounts.close();
    this.#store.close();
  }

  #removeOldCopies(): void {
    const { config, logger } = this.#options;
    try {
      removeOldCopies(config.satellite.dataDir);
    } catch (thrown) {
      const error = fileError(thrown) ?? toSatelliteError(thrown);
      logger.warn(
        'What an interrupted support-bundle has left in satellite.data_dir cannot be removed',
        errorFields(error),
      );
    }
  }

  #tick(): void {
    const elapsedMs = this.#options.clock.elapsedMs();
    this.#monitor.health.beat();
    this.#noteClock(elapsedMs);
    this.#startDueScans();
    this.#logProgress(elapsedMs);
    if (this.#isCycling) return;
    if (elapsedMs >= (this.#nextDiskTryAtElapsedMs ?? Number.POSITIVE_INFINITY)) this.#resume(elapsedMs);
    if (elapsedMs >= this.#nextCycleAtElapsedMs) {
      this.#nextCycleAtElapsedMs = elapsedMs + this.#intervalMs();
      void this.#talk(this.#loop.cycle());
    } else if (this.#isAnswered && elapsedMs - this.#talkedAtElapsedMs >= seiSilenceMs) {
      // Only while all is well: what a round could not do, a heartbeat does not show to be mended.
      void this.#talk(this.#loop.heartbeat());
    }
  }

  /** A round with SEI, or a heartbeat. */
  async #talk(talk: Promise<unknown>): Promise<void> {
    this.#talkBeganElapsedMs = this.#options.clock.elapsedMs();
    this.#isCycling = true;
    this.#cycling = talk.then(
      () => {
        this.#isAnswered = true;
        this.#monitor.health.worked('sei');
        this.#monitor.health.worked('sei_key');
      },
      (error) => {
        this.#isAnswered = false;
        this.#logCycleError(error);
        this.#noteCycleError(toSatelliteError(error));
      },
    );
    await this.#cycling;
    this.#isCycling = false;
    this.#talkedAtElapsedMs = this.#options.clock.elapsedMs();
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

  /** The schedule is asked for times only: cron's own timers count up all that was missed when a clock is set forward. */
  #nextScanMs(): number {
    return this.#schedule?.getNextRuns(1)[0]?.getTime() ?? Number.POSITIVE_INFINITY;
  }

  #noteClock(elapsedMs: number): void {
    const { clock, logger } = this.#options;
    const jumpMs = clock.now() - elapsedMs - this.#wallOffsetMs;
    this.#wallOffsetMs += jumpMs;
    if (Math.abs(jumpMs) < maxClockDriftMs) return;
    logger.warn('The clock of this machine was set, or the machine slept', {
      code: 'CLOCK_SET',
      bySeconds: Math.round(jumpMs / 1000),
    });
    // Where it is earlier than before, the schedule is, too; what was missed is due, once.
    if (jumpMs < 0) this.#nextScanAtMs = this.#nextScanMs();
  }

  #startDueScans(): void {
    if (this.#options.clock.now() < this.#nextScanAtMs) return;
    this.#nextScanAtMs = this.#nextScanMs();
    this.#withStore(() => this.#startOwnScans());
  }

  #watch(): void {
    const { clock } = this.#options;
    const { health } = this.#monitor;
    const dueAtElapsedMs = this.#isCycling ? this.#talkBeganElapsedMs : this.#nextCycleAtElapsedMs;
    if (clock.elapsedMs() - dueAtElapsedMs < maxOverdueMs) health.worked('scheduler');
    else health.failed('scheduler', this.#isCycling ? roundTakesLong : standsStill);
    this.#tryDisk();
    this.#monitor.noteSilence();
    for (const [integrationId, reachability] of this.#reachability)
      void this.#tryBitbucket(integrationId, reachability);
  }

  /** While nobody writes, nobody would notice that the disk takes nothing; a job that comes then could not even be taken. */
  #tryDisk(): void {
    const { health } = this.#monitor;
    const { agoMs, isFailing } = health.heardOf('disk');
    if (agoMs >= (isFailing ? silence.failingMs : silence.diskMs)) this.#takesWrites();
  }

  #takesWrites(): boolean {
    const { health } = this.#monitor;
    try {
      this.#store.tryWrite(this.#options.clock.now());
      health.worked('disk');
      return true;
    } catch (thrown) {
      const error = toSatelliteError(thrown);
      health.failed('disk', error);
      this.#noteDamage(error);
      return false;
    }
  }

  /** What the disk broke off goes on, however long the interval is; SEI is not asked before there is a point in it. */
  #resume(elapsedMs: number): void {
    this.#nextDiskTryAtElapsedMs = elapsedMs + diskRetryMs;
    if (!this.#takesWrites()) return;
    this.#nextDiskTryAtElapsedMs = undefined;
    this.#nextCycleAtElapsedMs = elapsedMs;
    this.#withStore(() => this.#runner.startWaiting());
  }

  /** What the store throws outside of a round and of a job: nobody else would hear of it. */
  #withStore(work: () => void): void {
    try {
      work();
    } catch (thrown) {
      const error = toSatelliteError(thrown);
      if (error.kind !== 'storage') throw thrown;
      this.#monitor.health.failed('disk', error);
      this.#options.logger.warn('The store fails; it is tried again', errorFields(error));
      this.#noteStoreTrouble(error);
    }
  }

  #noteStoreTrouble(error: SatelliteError): void {
    this.#noteDamage(error);
    if (isPassing(error)) this.#nextDiskTryAtElapsedMs ??= this.#options.clock.elapsedMs() + diskRetryMs;
  }

  async #tryBitbucket(integrationId: string, reachability: Reachability): Promise<void> {
    const { health } = this.#monitor;
    const { agoMs, isFailing } = health.heardOf('bitbucket', integrationId);
    if (agoMs < (isFailing ? silence.failingMs : silence.bitbucketMs) || this.#asking.has(integrationId)) return;
    this.#asking.add(integrationId);
    try {
      await reachability.ask();
      health.worked('bitbucket', integrationId);
      if (this.#toldAway.delete(integrationId)) this.#options.logger.info('Bitbucket answers again', { integrationId });
      if (this.#canForgetRequests(integrationId)) {
        await reachability.askRest().then(
          () => this.#canForgetRequests(integrationId) && health.forget('bitbucket_requests', integrationId),
          () => undefined,
        );
      }
    } catch (thrown) {
      if (!this.#abort.signal.aborted) this.#noteAway(integrationId, toSatelliteError(thrown));
    } finally {
      this.#asking.delete(integrationId);
    }
  }

  /** While no job runs, no other line would say so. */
  #noteAway(integrationId: string, error: SatelliteError): void {
    const { health } = this.#monitor;
    health.failed('bitbucket', error, integrationId);
    const isFailing = health
      .report()
      .parts.some((one) => one.part === 'bitbucket' && one.integrationId === integrationId && one.state === 'failing');
    if (!isFailing || this.#toldAway.has(integrationId)) return;
    this.#toldAway.add(integrationId);
    this.#options.logger.warn('Bitbucket does not answer; it is asked again', { ...errorFields(error), integrationId });
  }

  /**
   * What requests of a job found is disproved by requests of a job alone. Where none runs any more, nobody would: then it
   * holds until REST answers nobody, and nothing is known until the next job.
   */
  #canForgetRequests(integrationId: string): boolean {
    const isRunning = [...this.#runner.running.values()].some(({ job }) => job.integrationId === integrationId);
    return !isRunning && this.#monitor.health.heardOf('bitbucket_requests', integrationId).isFailing;
  }

  /** With this daemon's configuration something may be otherwise; where only a refused credential is left, it is not. */
  #forgetWhatChanged(): void {
    const { health } = this.#monitor;
    health.forget('store_cap');
    for (const integration of this.#options.config.integrations) {
      health.forget('sei_push', integration.id);
      const areRefused = this.#accounts.of(integration).every(({ refusal }) => refusal !== undefined);
      if (!areRefused) health.forget('bitbucket_credentials', integration.id);
    }
  }

  #noteCycleError(error: SatelliteError): void {
    if (this.#abort.signal.aborted) return;
    const { health } = this.#monitor;
    if (error.kind === 'storage') {
      health.failed('disk', error);
    } else if (error.kind === 'auth') {
      health.worked('sei');
      health.failed('sei_key', error);
    } else {
      health.failed('sei', error);
    }
    this.#nextCycleAtElapsedMs = Math.min(this.#nextCycleAtElapsedMs, this.#options.clock.elapsedMs() + retryRoundMs);
  }

  #intervalMs(): number {
    return this.#options.config.satellite.schedulingIntervalSeconds * 1000;
  }

  #logCycleError(thrown: unknown): void {
    if (this.#abort.signal.aborted) return;
    const error = toSatelliteError(thrown);
    const text = error.kind === 'storage' ? 'The store fails' : 'SEI could not be talked to';
    this.#options.logger.warn(`${text}; the next cycle tries again`, errorFields(error));
    this.#noteStoreTrouble(error);
  }

  #noteDamage(error: SatelliteError): void {
    if (error.code === 'STORE_DAMAGED') this.#damaged.resolve(error);
  }

  #logProgress(elapsedMs: number): void {
    const jobs = [...this.#runner.running.values()].map(({ progress }) => progress);
    if (jobs.length === 0 || elapsedMs - this.#lastProgressLogElapsedMs < progressLogMs) return;
    this.#lastProgressLogElapsedMs = elapsedMs;
    this.#withStore(() => {
      const pagesWaiting = this.#store.pages.spoolSize().pages;
      this.#options.logger.info('Scanning', { ...summarise(jobs, elapsedMs), pagesWaiting });
    });
  }
}

const standsStill = {
  code: 'SCHEDULER',
  message: 'A round with SEI is due and does not begin',
  hint: 'The machine may have too little processor time for the satellite.',
};

const roundTakesLong = {
  code: 'SCHEDULER',
  message: `SEI has been talked to for more than ${maxOverdueMs / 1000} s, and the round does not end`,
  hint: 'SEI, or a proxy before it, answers slowly or not at all.',
};
