import { unwatchFile, watchFile } from 'node:fs';
import type { Command } from 'commander';
import { Accounts } from '../bitbucket/accounts.ts';
import { systemClock } from '../clock.ts';
import type { LoadedConfig } from '../config/load.ts';
import { Daemon } from '../daemon.ts';
import { errorFields, SatelliteError, toSatelliteError } from '../errors.ts';
import { checkNetworkConfig, networkWarnings } from '../http/network-warnings.ts';
import { countingLogger } from '../ops/counting-logger.ts';
import { logFile } from '../ops/log-file.ts';
import { createLogger, type Logger, type ProcessLogger } from '../ops/logger.ts';
import { Monitor } from '../ops/monitor.ts';
import { showProgress } from '../ops/progress-display.ts';
import type { Redactor } from '../ops/redact.ts';
import { systemdNotifier } from '../ops/systemd.ts';
import { satelliteVersion } from '../version.ts';
import { logEnding } from './ending.ts';
import { exitCodes } from './exit-code.ts';
import { HealthDoor } from './health-door.ts';
import { addHelpSections, configEnvironment, networkEnvironment } from './help.ts';
import { type ConfigOption, configOption, load } from './load.ts';
import { startPatiently } from './patient-start.ts';
import { stopSignal } from './stop-signal.ts';

interface RunOptions extends ConfigOption {
  readonly once?: boolean;
}

export function registerRun(program: Command, redactor: Redactor, stopped?: Promise<NodeJS.Signals>): void {
  const command = program
    .command('run')
    .description('take jobs from SEI and run them until stopped')
    .option(...configOption)
    .option('--once', 'do the jobs that there are, report them, and exit')
    .action(async (options: RunOptions) => {
      const seen: { loaded?: LoadedConfig } = {};
      process.exitCode = await run(options, redactor, seen, stopped ?? stopSignal()).catch((thrown: unknown) => {
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
async function run(
  options: RunOptions,
  redactor: Redactor,
  seen: { loaded?: LoadedConfig },
  stopped: Promise<NodeJS.Signals>,
): Promise<number> {
  const reloads = new ReloadRequests();
  const first = await Promise.race([loadChecked(options, redactor), stopped]);
  if (typeof first === 'string') return exitCodes.ok;
  let loaded = first;
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
  let accounts = new Accounts();
  let damage: SatelliteError | undefined;
  for (; ; logger = countedLogger()) {
    logWarnings(loaded, logger);
    const { dataDir } = loaded.config.satellite;
    const version = satelliteVersion(process.env);
    logger.info('Satellite starts', { version, config: loaded.config.path, dataDir });
    const parts = { clock: systemClock, version, env: process.env, logger, accounts, redactor, monitor };
    const openUp = async () => {
      if (options.once === true) return;
      await door.open({ ...loaded.config.satellite, config: loaded.config.path }, logger);
      notifier.ready();
    };
    const unwatch = reloads.watch(secretFiles(loaded));
    const daemon = await startPatiently(() => new Daemon({ config: loaded.config, ...parts }), {
      dataDir,
      logger,
      health: monitor.health,
      stopped,
      damage,
      onWait: openUp,
    });
    if (daemon === undefined) return exitCodes.ok;
    damage = undefined;
    const hideProgress = process.stderr.isTTY ? showProgress(process.stderr, () => daemon.progress()) : () => undefined;
    try {
      if (options.once === true) {
        const end = await Promise.race([daemon.damaged, stopped, daemon.once()]);
        if (!(end instanceof SatelliteError)) {
          return typeof end === 'number' && end > 0 ? exitCodes.failed : exitCodes.ok;
        }
        damage = end;
        continue;
      }
      await openUp();
      daemon.start();
      const end = await nextEnd(options, { daemon, stopped, reloads, logger, redactor });
      if (end === undefined) {
        notifier.stopping();
        await door[Symbol.asyncDispose]();
        return exitCodes.ok;
      }
      if (end instanceof SatelliteError) {
        damage = end;
        continue;
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

/** Undefined: the satellite is to stop. Otherwise the configuration to go on with, or what is wrong with the store. */
async function nextEnd(
  options: RunOptions,
  { daemon, stopped, reloads, logger, redactor }: RunningDaemon,
): Promise<LoadedConfig | SatelliteError | undefined> {
  for (;;) {
    const end = await Promise.race([stopped, daemon.damaged, reloads.next()]);
    if (end instanceof SatelliteError) return end;
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
