import { writeFile } from 'node:fs/promises';
import { arch, platform, release } from 'node:os';
import { resolve } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import type { Command } from 'commander';
import { systemClock } from '../clock.ts';
import type { ListenAddress } from '../config/config.ts';
import { dataDirOf } from '../config/data-dir.ts';
import type { LoadedConfig } from '../config/load.ts';
import { shownConfig } from '../config/shown.ts';
import { storePath } from '../daemon.ts';
import { SatelliteError, toSatelliteError } from '../errors.ts';
import { lastLogLines } from '../ops/log-file.ts';
import type { Redactor } from '../ops/redact.ts';
import { tarOf } from '../ops/tar.ts';
import { summariseStore } from '../store/summary.ts';
import { satelliteVersion } from '../version.ts';
import { addHelpSections, configEnvironment } from './help.ts';
import { type ConfigOption, configOption, load } from './load.ts';
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
    .option('-o, --output <file>', 'the file to write (default: satellite-support-<time>.tar.gz here)')
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
  const path = resolve(output ?? `satellite-support-${time}.tar.gz`);
  const parts = await collect(config === undefined ? {} : { config }, redactor);
  const report = reportOf(parts);
  const files = [{ file: 'contents.txt', text: report }, ...parts].flatMap(({ file, text }) =>
    text === undefined ? [] : [{ name: `satellite-support/${file}`, content: Buffer.from(redactor.text(text)) }],
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

async function collect(options: ConfigOption, redactor: Redactor): Promise<Part[]> {
  const loaded = await loadOrReason(options, redactor);
  const versions = { file: 'versions.json', about: 'of the satellite and what it runs on', text: json(versionsNow()) };
  if ('reason' in loaded) {
    const dataDir = await dataDirOf(undefined, { configPath: process.cwd(), env: process.env, cwd: process.cwd() });
    const missing = 'the configuration cannot be used';
    return [
      versions,
      { file: 'validate.txt', about: 'what is wrong with the configuration', text: loaded.reason },
      { file: 'config.json', about: 'the configuration', text: undefined, missing },
      ...storedParts(dataDir),
      ...servedFiles.map((served) => ({ ...served, text: undefined, missing })),
    ];
  }
  const { satellite } = loaded.config;
  return [
    versions,
    { file: 'validate.txt', about: 'what satellite validate says', text: `${warningsOf(loaded)}${summaryOf(loaded)}` },
    { file: 'config.json', about: 'the configuration as it is understood', text: json(shownConfig(loaded.config)) },
    ...storedParts(satellite.dataDir),
    ...(await servedParts(satellite.listen)),
  ];
}

async function loadOrReason(options: ConfigOption, redactor: Redactor): Promise<LoadedConfig | { reason: string }> {
  try {
    return await load(options, redactor);
  } catch (error) {
    return { reason: `${toSatelliteError(error).message}\n` };
  }
}

/** From the data directory, whoever is at work there. */
function storedParts(dataDir: string): Part[] {
  const summary = summariseStore(storePath(dataDir));
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
  { file: 'metrics.txt', about: 'metrics of the running satellite', path: '/metrics', mark: /^satellite_/m },
  { file: 'status.json', about: 'status of the running satellite', path: '/status.json', mark: /^\s*\{/ },
] as const;

const askTimeoutMs = 3_000;
const maxServedChars = 4 * 2 ** 20;

/** From the satellite that runs on this machine, if one does. */
async function servedParts(listen: ListenAddress | undefined): Promise<Part[]> {
  return Promise.all(
    servedFiles.map(async ({ file, about, path, mark }) => {
      if (listen === undefined) return { file, about, text: undefined, missing: 'satellite.listen is off' };
      const url = `http://${addressOf(listen)}${path}`;
      try {
        const answer = await fetch(url, { signal: AbortSignal.timeout(askTimeoutMs), redirect: 'error' });
        const text = (await answer.text()).slice(0, maxServedChars);
        if (answer.ok && mark.test(text)) return { file, about, text };
        return { file, about, text: undefined, missing: `${url} answers something else (${answer.status})` };
      } catch {
        return { file, about, text: undefined, missing: `nothing answers at ${url}` };
      }
    }),
  );
}

/** Where it listens on every address, this machine is one of them. */
function addressOf({ host, port }: ListenAddress): string {
  if (host === '0.0.0.0') return `127.0.0.1:${port}`;
  if (host === '::') return `[::1]:${port}`;
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
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
