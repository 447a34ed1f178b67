import { readdir, rm, writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { type Command, InvalidArgumentError } from 'commander';
import { Accounts } from '../bitbucket/accounts.ts';
import { type Clock, systemClock } from '../clock.ts';
import type { Config, IntegrationConfig } from '../config/config.ts';
import { newClones, storePath } from '../daemon.ts';
import { dataTypes } from '../data-type.ts';
import { isPassing, SatelliteError, toSatelliteError } from '../errors.ts';
import { checkNetworkConfig, networkWarnings } from '../http/network-warnings.ts';
import { seiProxy } from '../http/proxy-server.ts';
import { ControlLoop, notAcknowledged } from '../jobs/control-loop.ts';
import { progressLine } from '../jobs/job-progress.ts';
import { JobRunner } from '../jobs/job-runner.ts';
import { ownJob } from '../jobs/own-job.ts';
import { makeFolder, tryToWrite } from '../ops/folder.ts';
import { createLogger, type ProcessLogger } from '../ops/logger.ts';
import { Monitor } from '../ops/monitor.ts';
import { showProgress } from '../ops/progress-display.ts';
import type { Redactor } from '../ops/redact.ts';
import { type PagePush, SeiClient } from '../sei/sei-client.ts';
import { Store } from '../store/store.ts';
import { satelliteVersion } from '../version.ts';
import { exitCodes } from './exit-code.ts';
import { addHelpSections, configEnvironment, networkEnvironment } from './help.ts';
import { integrationOf } from './integration.ts';
import { type ConfigOption, configOption, load } from './load.ts';
import { startPatiently } from './patient-start.ts';
import { logCrash, loggerOf } from './run.ts';
import { stopSignal } from './stop-signal.ts';

const interruptedPauseMs = 1_000;

interface ScanOptions extends ConfigOption {
  readonly integration: string;
  readonly from?: number;
  readonly to?: number;
  readonly out?: string;
}

export function registerScan(program: Command, redactor: Redactor): void {
  const command = program
    .command('scan')
    .description('scan one integration now, without a job from SEI')
    .option(...configOption)
    .requiredOption('-i, --integration <id>', 'the integration to scan')
    .option('--from <time>', 'begin of the window (default: end of the last scan, or a full scan)', timeMs)
    .option('--to <time>', 'end of the window (default: now)', timeMs)
    .option('-o, --out <folder>', 'write the page files there and push nothing', folderName)
    .action(async (options: ScanOptions) => {
      process.exitCode = await scan(options, redactor);
    });
  addHelpSections(command, {
    notes: `
A time is a day (2026-01-31), a moment (2026-01-31T08:00:00Z), or epoch milliseconds. With --out neither SEI nor the
data directory is touched.`,
    examples: [
      'satellite scan --integration 4711 --out ./pages',
      'satellite scan --integration 4711 --from 2026-01-01 --out ./pages',
      'satellite scan --integration 4711 --from 2026-01-01 --to 2026-02-01',
    ],
    environment: [...configEnvironment, 'STATE_DIRECTORY', ...networkEnvironment, 'BUILD_VERSION', 'any other'],
    exitCodes: [0, [1, 'the scan failed, or was stopped by a signal'], 64, 69, 70, 74, 75, 77, 78],
  });
}

async function scan(options: ScanOptions, redactor: Redactor): Promise<number> {
  assertWindow(options, systemClock.now());
  if (options.out !== undefined) await assertUnused(resolve(options.out));
  const loaded = await load(options, redactor);
  const { config, warnings } = loaded;
  const logger =
    options.out === undefined
      ? loggerOf(loaded, redactor)
      : createLogger(config.satellite.log, { redactor, env: process.env, stderr: process.stderr });
  process.prependListener('uncaughtException', (thrown) => logCrash(thrown, logger));
  for (const warning of warnings) logger.warn('Configuration', { code: 'CONFIG_WARNING', warning });
  const integration = integrationOf(config, options.integration);
  const { satellite } = config;
  const { env } = process;
  for (const warning of networkWarnings(config, env)) logger.warn('Network', { code: 'NETWORK_WARNING', warning });
  checkNetworkConfig({ ...config, integrations: [integration] }, env);
  if (options.out !== undefined) await makeReady(resolve(options.out));
  const stopped = stopSignal();
  const clock = systemClock;
  const monitor = new Monitor({ clock, version: satelliteVersion(env) });
  const isKept = options.out === undefined;
  const surroundings = { clock, logger, monitor, redactor };
  using _closed = { [Symbol.dispose]: () => logger.close() };
  let damage: SatelliteError | undefined;
  for (;;) {
    // What goes to a folder says nothing about what SEI has: it neither uses nor changes what the store remembers.
    const open = () => new Store(isKept ? storePath(satellite.dataDir) : ':memory:', redactor);
    const store = await startPatiently(open, {
      dataDir: satellite.dataDir,
      logger,
      health: monitor.health,
      stopped,
      damage,
    });
    if (store === undefined) return exitCodes.failed;
    try {
      return await scanWith(store, options, { config, integration, stopped, ...surroundings });
    } catch (thrown) {
      const error = toSatelliteError(thrown);
      if (error.code !== 'STORE_DAMAGED' || !isKept) throw thrown;
      damage = error;
    } finally {
      store.close();
    }
  }
}

interface ScanSurroundings {
  readonly config: Config;
  readonly integration: IntegrationConfig;
  readonly clock: Clock;
  readonly logger: ProcessLogger;
  readonly monitor: Monitor;
  readonly stopped: Promise<unknown>;
}

/** @throws SatelliteError `STORE_DAMAGED` among others */
async function scanWith(store: Store, options: ScanOptions, surroundings: ScanSurroundings): Promise<number> {
  const { config, integration, clock, logger, monitor } = surroundings;
  const { satellite } = config;
  const { env } = process;
  const stop = new AbortController();
  const stopped = surroundings.stopped.then(() => stop.abort());
  const accounts = new Accounts();
  const ownClones = options.out === undefined ? undefined : join(resolve(options.out), '.clones');
  const clones = newClones(config, store, clock, ownClones);
  const { signal } = stop;
  try {
    const sei = new SeiClient(satellite, { clock, signal, proxy: seiProxy(satellite, env) });
    const push = options.out === undefined ? (page: PagePush) => sei.push(page) : intoFolder(resolve(options.out));
    const interruptions: SatelliteError[] = [];
    const runner = new JobRunner(
      config,
      { satellite, env, store, accounts, clones, clock, logger, push, signal, monitor },
      (error) => {
        if (error !== undefined) interruptions.push(error);
      },
    );
    const job = ownJob(store, integration, {
      tenantId: satellite.tenant,
      origin: 'command',
      nowMs: clock.now(),
      ...(options.from === undefined ? {} : { fromMs: options.from }),
      ...(options.to === undefined ? {} : { toMs: options.to }),
    });
    store.jobs.add(job);
    const hideProgress = process.stderr.isTTY ? showProgress(process.stderr, () => line(runner)) : () => undefined;
    const version = satelliteVersion(process.env);
    const loop = new ControlLoop({ config, store, sei, runner, clock, logger, version });
    try {
      // Jobs of this integration that an earlier process left come first, and are acknowledged before the next begins.
      while (store.jobs.get(job.id)?.doneAtMs === null && !signal.aborted) {
        if (options.out === undefined) await loop.report();
        runner.startWaiting();
        if (runner.running.size === 0) throw notAcknowledged(store.jobs.list().length - 1);
        await Promise.race([runner.idle(), stopped]);
        const interruption = interruptions.pop();
        if (interruption === undefined || signal.aborted) continue;
        if (!isPassing(interruption)) throw interruption;
        await roomFor(store, clock, signal);
      }
    } finally {
      hideProgress();
      await runner.idle();
    }
    if (signal.aborted) return exitCodes.failed;
    printTotals(store, job.id);
    if (options.out === undefined) {
      await loop.report();
      if (store.jobs.get(job.id) !== undefined) throw notAcknowledged(1);
    }
    return runner.failed > 0 ? exitCodes.failed : exitCodes.ok;
  } finally {
    accounts.close();
    if (ownClones !== undefined) await rm(ownClones, { recursive: true, force: true });
  }
}

/** A disk that takes nothing is the one thing that is worth a wait. */
async function roomFor(store: Store, clock: Clock, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    await clock.sleep(interruptedPauseMs, signal).catch(() => undefined);
    try {
      store.tryWrite(clock.now());
      return;
    } catch (thrown) {
      if (!isPassing(toSatelliteError(thrown))) throw thrown;
    }
  }
}

function line(runner: JobRunner): string | undefined {
  const jobs = [...runner.running.values()].map(({ progress }) => progress);
  return jobs.length === 0 ? undefined : progressLine(jobs, systemClock.elapsedMs());
}

function printTotals(store: Store, jobId: string): void {
  for (const { dataType, pages, items } of store.pages.totals(jobId)) {
    process.stdout.write(`${dataType.padEnd(14)} ${String(items).padStart(9)} in ${pages} page(s)\n`);
  }
  for (const { message, url } of store.jobs.failures(jobId)) process.stdout.write(`not read: ${message} (${url})\n`);
}

/** The files have the paths below the folder that they would have at SEI. */
function intoFolder(folder: string) {
  return async ({ relativePath, content }: PagePush) => {
    const file = join(folder, relativePath);
    try {
      makeFolder(dirname(file));
      await writeFile(file, content);
    } catch (cause) {
      throw unusable(folder, cause);
    }
    return { destination: 'file', records: [{ uri: pathToFileURL(file).href }] };
  };
}

function folderName(text: string): string {
  if (text === '') throw new InvalidArgumentError('name a folder');
  return text;
}

/** ISO 8601 or epoch milliseconds. */
function timeMs(text: string): number {
  const ms = /^\d{11,}$/.test(text) ? Number(text) : /^\d{4}-/.test(text) ? Date.parse(text) : Number.NaN;
  if (Number.isNaN(ms)) {
    throw new InvalidArgumentError('write a time such as 2026-01-31, 2026-01-31T08:00:00Z, or epoch milliseconds');
  }
  return ms;
}

/** @throws SatelliteError for a window that holds nothing */
function assertWindow({ from, to }: ScanOptions, nowMs: number): void {
  if ((from ?? 0) < (to ?? nowMs) && (to ?? 0) <= nowMs) return;
  throw new SatelliteError('The window is empty or lies ahead', {
    code: 'WINDOW_INVALID',
    kind: 'config',
    hint: '--from must be before --to, and --to not later than now. Commits that are newer than --to are included.',
  });
}

/** Pages of an earlier scan would be taken for this one's. */
async function assertUnused(folder: string): Promise<void> {
  const entries = await readdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return [];
    throw unusable(folder, error);
  });
  const used = entries.filter((entry) => (dataTypes as readonly string[]).includes(entry));
  if (used.length === 0) return;
  throw new SatelliteError(`${folder} holds the pages of an earlier scan (${used.join(', ')})`, {
    code: 'FOLDER_IN_USE',
    kind: 'config',
    hint: 'Name another folder, or remove them.',
  });
}

/** Hours of crawling must not end with a folder that takes nothing. */
async function makeReady(folder: string): Promise<void> {
  try {
    makeFolder(folder);
    await tryToWrite(folder);
  } catch (cause) {
    throw unusable(folder, cause);
  }
}

function unusable(folder: string, cause: unknown): SatelliteError {
  return new SatelliteError(`${folder} cannot take the pages: ${(cause as Error).message}`, {
    code: 'FOLDER_UNUSABLE',
    kind: 'storage',
    hint: 'Name a folder with --out that you may write to and that has room.',
    cause,
  });
}
