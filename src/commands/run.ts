import { unwatchFile, watchFile } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import type { Command } from 'commander';
import { Accounts } from '../bitbucket/accounts.ts';
import { systemClock } from '../clock.ts';
import type { LoadedConfig } from '../config/load.ts';
import { Daemon, storePath } from '../daemon.ts';
import { errorFields, SatelliteError, toSatelliteError } from '../errors.ts';
import { checkNetworkConfig, networkWarnings } from '../http/network-warnings.ts';
import { countingLogger } from '../ops/counting-logger.ts';
import { logFile } from '../ops/log-file.ts';
import { createLogger, type Logger, type ProcessLogger } from '../ops/logger.ts';
import { Monitor } from '../ops/monitor.ts';
import { showProgress } from '../ops/progress-display.ts';
import type { Redactor } from '../ops/redact.ts';
import { systemdNotifier } from '../ops/systemd.ts';
import { setAside } from '../store/set-aside.ts';
import { satelliteVersion } from '../version.ts';
import { logEnding } from './ending.ts';
import { exitCodes } from './exit-code.ts';
import { HealthDoor } from './health-door.ts';
import { addHelpSections, configEnvironment, networkEnvironment } from './help.ts';
import { type ConfigOption, configOption, load } from './load.ts';
import { stopSignal } from './stop-signal.ts';

interface RunOptions extends ConfigOption {
  readonly once?: boolean;
}

export function registerRun(program: Command, redactor: Redactor): void {
  const command = program
    .command('run')
    .description('take jobs from SEI and run them until stopped')
    .option(...configOption)
    .option('--once', 'do the jobs that there are, report them, and exit')
    .action(async (options: RunOptions) => {
      const seen: { loaded?: LoadedConfig } = {};
      process.exitCode = await run(options, redactor, seen).catch((thrown: unknown) => {
        // People at a terminal get it as from any other command.
        const { format } = seen.loaded?.config.satellite.log ?? logBeforeConfig;
        if (format === 'text' || (format === 'auto' && process.stderr.isTTY)) throw thrown;
        return logEnding(thrown, endingLogger(seen.loaded, redactor));
      });
    });
  addHelpSections(command, {
    notes: `
SIGTERM and Ctrl-C end it at a point from which the next start goes on; a second one ends it at once. SIGHUP reads
the configuration again. Logs go to stderr.`,
    examples: [
      'satellite run',
      'satellite run --config /etc/satellite/satellite.yml',
      'satellite run --once && echo "all jobs are done"',
      'HTTPS_PROXY=http://proxy.example.com:8080 NO_PROXY=bitbucket.example.com satellite run',
    ],
    environment: [
      ...configEnvironment,
      'STATE_DIRECTORY',
      ...networkEnvironment,
      'NO_COLOR, FORCE_COLOR',
      'BUILD_VERSION',
      'any other',
    ],
    exitCodes: [
      [0, 'stopped by a signal; with --once: all jobs are done'],
      [1, 'with --once: a job failed'],
      64,
      [69, 'with --once: SEI cannot be reached'],
      70,
      74,
      75,
      [77, 'with --once: SEI refuses the key'],
      78,
    ],
  });
}

/**
 * One daemon after the other: a new configuration (SIGHUP) and a damaged store each end the one that runs, and the next
 * goes on with the jobs of the store. So everything that a restart can take up, a reload can, too.
 */
async function run(options: RunOptions, redactor: Redactor, seen: { loaded?: LoadedConfig }): Promise<number> {
  let loaded = await loadChecked(options, redactor);
  seen.loaded = loaded;
  const monitor = new Monitor({
    clock: systemClock,
    version: satelliteVersion(process.env),
    redactor,
    ofProcess: true,
  });
  const countedLogger = () => countingLogger(loggerOf(loaded, redactor), monitor.metrics);
  let logger = countedLogger();
  process.prependListener('uncaughtException', (thrown) => logCrash(thrown, logger));
  process.on('exit', () => logger.close());
  const notifier = systemdNotifier(process.env, monitor);
  // Whatever ends this function ends the serving, too: the process would stay for it.
  await using door = new HealthDoor(monitor, redactor);
  const stopped = stopSignal();
  const reloads = new ReloadRequests();
  let accounts = new Accounts();
  for (;;) {
    logWarnings(loaded, logger);
    const unwatch = reloads.watch(secretFiles(loaded));
    const create = () => createDaemon(loaded, { logger, accounts, redactor, monitor });
    const daemon = await daemonWithRoom(create, { logger, stopped });
    if (daemon === undefined) return exitCodes.ok;
    const hideProgress = process.stderr.isTTY ? showProgress(process.stderr, () => daemon.progress()) : () => undefined;
    try {
      if (options.once === true) {
        const failed = await Promise.race([daemon.once(), stopped]);
        return typeof failed === 'number' && failed > 0 ? exitCodes.failed : exitCodes.ok;
      }
      await door.open({ ...loaded.config.satellite, config: loaded.config.path }, logger);
      daemon.start();
      notifier.ready();
      const end = await nextEnd(options, loaded, { daemon, stopped, reloads, logger, redactor });
      if (end === undefined) {
        notifier.stopping();
        await door[Symbol.asyncDispose]();
        return exitCodes.ok;
      }
      loaded = end;
      // Whoever asks for it has mended something; a file that was only touched has not.
      if (reloads.isAsked) accounts = new Accounts();
      reloads.isAsked = false;
    } finally {
      unwatch();
      hideProgress();
      await daemon.stop();
      logger.close();
    }
    logger = countedLogger();
  }
}

async function loadChecked(options: RunOptions, redactor: Redactor): Promise<LoadedConfig> {
  const loaded = await load(options, redactor);
  checkNetworkConfig(loaded.config, process.env);
  return loaded;
}

/** What `satellite run` and `satellite scan` log to: the support bundle takes the last lines from the data directory. */
export function loggerOf({ config: { satellite } }: LoadedConfig, redactor: Redactor): ProcessLogger {
  const keep = logFile(satellite.dataDir);
  return createLogger(satellite.log, { redactor, env: process.env, stderr: process.stderr, keep });
}

const logBeforeConfig = { level: 'info', format: 'auto' } as const;

function endingLogger(loaded: LoadedConfig | undefined, redactor: Redactor): ProcessLogger {
  if (loaded !== undefined) return loggerOf(loaded, redactor);
  return createLogger(logBeforeConfig, { redactor, env: process.env, stderr: process.stderr });
}

/** The last line of a process that ends by a defect says so, in the form of all others. */
export function logCrash(thrown: unknown, logger: ProcessLogger): void {
  const { message, stack } = thrown instanceof Error ? thrown : new Error(String(thrown));
  logger.error('A defect of the satellite ends it', { code: 'INTERNAL', error: message, stack });
  logger.close();
}

function logWarnings({ config, warnings }: LoadedConfig, logger: Logger): void {
  for (const warning of warnings) logger.warn('Configuration', { code: 'CONFIG_WARNING', warning });
  for (const warning of networkWarnings(config, process.env)) {
    logger.warn('Network', { code: 'NETWORK_WARNING', warning });
  }
}

const fullDiskRetryMs = 1_000;

/** A full disk is waited for here, too, as it is in the middle of the work. Undefined: the satellite is to stop. */
async function daemonWithRoom(
  create: () => Daemon,
  { logger, stopped }: Pick<RunningDaemon, 'logger' | 'stopped'>,
): Promise<Daemon | undefined> {
  for (let waits = 0; ; waits++) {
    try {
      return create();
    } catch (error) {
      if (!(error instanceof SatelliteError) || error.code !== 'STORE_FULL') throw error;
      const { code, message, hint } = error;
      if (waits === 0) logger.error('The disk is full; the satellite waits for room', { code, error: message, hint });
    }
    const signal = await Promise.race([stopped, delay(fullDiskRetryMs)]);
    if (signal !== undefined) return undefined;
  }
}

/** With a store that is damaged already, the next attempt has a new one. */
function createDaemon(
  { config }: LoadedConfig,
  parts: { logger: Logger; accounts: Accounts; redactor: Redactor; monitor: Monitor },
): Daemon {
  const version = satelliteVersion(process.env);
  const { dataDir } = config.satellite;
  const { logger } = parts;
  logger.info('Satellite starts', { version, config: config.path, dataDir });
  const options = { config, clock: systemClock, version, env: process.env, ...parts };
  try {
    return new Daemon(options);
  } catch (error) {
    if (!(error instanceof SatelliteError) || error.code !== 'STORE_DAMAGED') throw error;
    setStoreAside(dataDir, error, logger);
    return new Daemon(options);
  }
}

/** Undefined: the satellite is to stop. Otherwise the configuration to go on with. */
async function nextEnd(
  options: RunOptions,
  loaded: LoadedConfig,
  { daemon, stopped, reloads, logger, redactor }: RunningDaemon,
): Promise<LoadedConfig | undefined> {
  for (;;) {
    const end = await Promise.race([stopped, daemon.damaged, reloads.next()]);
    if (end instanceof SatelliteError) {
      await daemon.stop();
      setStoreAside(loaded.config.satellite.dataDir, end, logger);
      return loaded;
    }
    if (end !== 'reload') {
      logger.info('Satellite stops', { signal: end });
      return undefined;
    }
    try {
      const reloaded = await loadChecked(options, redactor);
      logger.info('The configuration is read again', { config: reloaded.config.path });
      return reloaded;
    } catch (error) {
      const { hint: _inMessage, ...fields } = errorFields(toSatelliteError(error));
      logger.error('The new configuration is refused; the old one stays', fields);
    }
  }
}

interface RunningDaemon {
  readonly daemon: Daemon;
  readonly stopped: Promise<NodeJS.Signals>;
  readonly reloads: ReloadRequests;
  readonly logger: Logger;
  readonly redactor: Redactor;
}

function setStoreAside(dataDir: string, { message, code }: SatelliteError, logger: Logger): void {
  const aside = setAside(storePath(dataDir), systemClock.now());
  logger.error('The store is damaged; it is set aside and a new one begun. SEI asks again for what is missing', {
    code,
    error: message,
    aside,
    hint: 'Look for the reason on the disk; the old file may be deleted.',
  });
}

/** Everything the configuration was read from but the file itself, which is read again on SIGHUP only. */
function secretFiles({ config, files }: LoadedConfig): string[] {
  return files.filter((file) => file !== config.path);
}

const watchIntervalMs = 5_000;

/** SIGHUP, and secrets that were rotated. Several requests before anybody looks are one. */
class ReloadRequests {
  /** By a signal, and not only by a file. */
  isAsked = false;
  #pending = Promise.withResolvers<'reload'>();

  constructor() {
    process.on('SIGHUP', () => {
      this.isAsked = true;
      this.#pending.resolve('reload');
    });
  }

  async next(): Promise<'reload'> {
    const pending = this.#pending;
    const request = await pending.promise;
    if (this.#pending === pending) this.#pending = Promise.withResolvers();
    return request;
  }

  /**
   * Looks at the files now and then rather than listening: what mounts secrets swaps links, which no listener sees.
   *
   * @returns stops it
   */
  watch(files: readonly string[]): () => void {
    const onChange = () => this.#pending.resolve('reload');
    for (const file of files) watchFile(file, { interval: watchIntervalMs, persistent: false }, onChange);
    return () => {
      for (const file of files) unwatchFile(file, onChange);
    };
  }
}
