import { accessSync, constants } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { arch, platform, release } from 'node:os';
import { join, resolve } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import type { Command } from 'commander';
import { systemClock } from '../clock.ts';
import type { SatelliteConfig } from '../config/config.ts';
import type { LoadedConfig } from '../config/load.ts';
import { shownConfig } from '../config/shown.ts';
import { storePath } from '../daemon.ts';
import { SatelliteError, toSatelliteError } from '../errors.ts';
import { lastLogLines } from '../ops/log-file.ts';
import type { Redactor } from '../ops/redact.ts';
import { tarOf } from '../ops/tar.ts';
import { type StoreSummary, summariseStore } from '../store/summary.ts';
import { satelliteVersion } from '../version.ts';
import { addHelpSections, configEnvironment } from './help.ts';
import { type ConfigOption, configOption, load } from './load.ts';
import { ask, askForStatus, usualDataDir, whereaboutsOf } from './running-satellite.ts';
import { summaryOf, warningsOf } from './validate.ts';

interface SupportBundleOptions extends ConfigOption {
  readonly output?: string;
}

/** One thing that helps to understand what is going on. */
interface Part {
  readonly file: string;
  readonly about: string;
  /** Undefined: there is none, and why. */
  readonly text: string | undefined;
  readonly missing?: string;
}

export function registerSupportBundle(program: Command, redactor: Redactor): void {
  const command = program
    .command('support-bundle')
    .description('put what helps to find a fault into one file, without secrets, to send to whoever helps')
    .option(...configOption)
    .option(
      '-o, --output <file>',
      'the file to write (default: satellite-support-<time>.tar.gz here, or in the data directory where nothing can be written here)',
    )
    .action(async (options: SupportBundleOptions) => {
      await supportBundle(options, redactor);
    });
  addHelpSections(command, {
    notes: `
It works whether the satellite runs or not, changes nothing, and asks nobody but the satellite on this machine
(satellite.listen). No secret is in it, no line of source and no comment; names of hosts, users and repositories are.
The file is readable by you alone (mode 0600).`,
    examples: [
      'satellite support-bundle',
      'satellite support-bundle --config /etc/satellite/satellite.yml --output /tmp/bundle.tar.gz',
      'tar -xzOf bundle.tar.gz satellite-support/store.json',
    ],
    environment: [...configEnvironment, 'STATE_DIRECTORY', 'any other'],
    exitCodes: [
      [0, 'it is written, also where the configuration cannot be used'],
      64,
      70,
      [74, 'it cannot be written'],
    ],
  });
}

async function supportBundle({ output, config }: SupportBundleOptions, redactor: Redactor): Promise<void> {
  const nowMs = systemClock.now();
  const time = new Date(nowMs).toISOString().replace(/[-:]|\.\d+/g, '');
  const { parts, dataDir } = await collect(config === undefined ? {} : { config }, redactor);
  const path = resolve(output ?? join(writableOf([process.cwd(), dataDir]), `satellite-support-${time}.tar.gz`));
  const report = reportOf(parts);
  const files = [{ file: 'contents.txt', text: report }, ...parts].flatMap(({ file, text }) =>
    text === undefined ? [] : [{ name: `satellite-support/${file}`, content: Buffer.from(redactor.finished(text)) }],
  );
  try {
    await writeFile(path, await promisify(gzip)(tarOf(files, nowMs)), { mode: 0o600, flag: 'wx' });
  } catch (cause) {
    throw new SatelliteError(`${path} cannot be written (${(cause as NodeJS.ErrnoException).code})`, {
      code: 'BUNDLE_NOT_WRITTEN',
      kind: 'storage',
      hint: 'Name another file with --output; one that exists is not replaced.',
      cause,
    });
  }
  process.stdout.write(`${report}\n${path} is written, readable by you alone (mode 0600).\n`);
}

/** Of a container, the root is hardly ever writable. The first, where none is: the message names it. */
function writableOf(folders: readonly [string, ...string[]]): string {
  const writable = folders.find((folder) => {
    try {
      accessSync(folder, constants.W_OK);
      return true;
    } catch {
      return false;
    }
  });
  return writable ?? folders[0];
}

async function collect(options: ConfigOption, redactor: Redactor): Promise<{ parts: Part[]; dataDir: string }> {
  const loaded = await loadOrReason(options, redactor);
  const versions = { file: 'versions.json', about: 'of the satellite and what it runs on', text: json(versionsNow()) };
  if ('reason' in loaded) {
    const dataDir = await usualDataDir();
    const missing = 'the configuration cannot be used';
    const parts = [
      versions,
      { file: 'validate.txt', about: 'what is wrong with the configuration', text: loaded.reason },
      { file: 'config.json', about: 'the configuration', text: undefined, missing },
      ...(await keptParts({ dataDir }, redactor)).map((part) => ofUsualFolder(part, dataDir)),
    ];
    return { parts, dataDir };
  }
  const { satellite } = loaded.config;
  const parts = [
    versions,
    { file: 'validate.txt', about: 'what satellite validate says', text: `${warningsOf(loaded)}${summaryOf(loaded)}` },
    { file: 'config.json', about: 'the configuration as it is understood', text: json(shownConfig(loaded.config)) },
    ...(await keptParts(satellite, redactor)),
  ];
  return { parts, dataDir: satellite.dataDir };
}

/** A configuration that cannot be used says neither where the data is nor where the satellite can be asked. */
function ofUsualFolder(part: Part, dataDir: string): Part {
  if (part.text !== undefined) return part;
  return { ...part, missing: `there is none in ${dataDir}; the configuration, which may name another, cannot be used` };
}

async function keptParts(satellite: Pick<SatelliteConfig, 'dataDir' | 'listen'>, redactor: Redactor): Promise<Part[]> {
  return [...storedParts(satellite.dataDir, redactor), ...(await servedParts(satellite))];
}

async function loadOrReason(options: ConfigOption, redactor: Redactor): Promise<LoadedConfig | { reason: string }> {
  try {
    return await load(options, redactor);
  } catch (error) {
    return { reason: `${toSatelliteError(error).message}\n` };
  }
}

/** From the data directory, whoever is at work there. */
function storedParts(dataDir: string, redactor: Redactor): Part[] {
  const summary = redactor.value(summariseStore(storePath(dataDir))) as StoreSummary;
  return [
    {
      file: 'log.jsonl',
      about: 'the last log lines',
      text: lastLogLines(dataDir),
      missing: `no log was kept in ${dataDir} yet`,
    },
    {
      file: 'store.json',
      about: `jobs, waiting pages and coverage; the store is ${summary.state}`,
      text: json(summary),
    },
  ];
}

const servedFiles = [
  { file: 'metrics.txt', about: 'metrics of the running satellite' },
  { file: 'status.json', about: 'status of the running satellite' },
] as const;

/** From the satellite that works on this data directory, if one does. */
async function servedParts(satellite: Pick<SatelliteConfig, 'dataDir' | 'listen'>): Promise<Part[]> {
  const [metrics, status] = servedFiles;
  try {
    const found = whereaboutsOf(satellite);
    const report = await askForStatus(found);
    return [
      { ...metrics, text: await ask(found.address, '/metrics') },
      { ...status, text: json(report) },
    ];
  } catch (error) {
    const missing = toSatelliteError(error).message;
    return servedFiles.map((served) => ({ ...served, text: undefined, missing }));
  }
}

function versionsNow(): object {
  const { node, openssl, v8 } = process.versions;
  using database = new DatabaseSync(':memory:');
  return {
    satellite: satelliteVersion(process.env),
    node,
    openssl,
    v8,
    sqlite: database.prepare('SELECT sqlite_version() AS version').get()?.version,
    system: `${platform()} ${release()} ${arch()}`,
  };
}

function reportOf(parts: readonly Part[]): string {
  const lines = parts.map(({ file, about, text, missing }) =>
    text === undefined
      ? `  left out  ${file.padEnd(14)} ${about}: ${missing}`
      : `  put in    ${file.padEnd(14)} ${about}`,
  );
  return `${lines.join('\n')}\n`;
}

function json(value: object): string {
  return `${JSON.stringify(value, undefined, 2)}\n`;
}
