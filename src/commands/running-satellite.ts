import { get } from 'node:http';
import type { ListenAddress, SatelliteConfig } from '../config/config.ts';
import { dataDirOf } from '../config/data-dir.ts';
import { findConfig } from '../config/find.ts';
import { ConfigError } from '../config/problem.ts';
import { SatelliteError } from '../errors.ts';
import type { Redactor } from '../ops/redact.ts';
import { servingOf } from '../ops/serving.ts';
import type { StatusReport } from '../ops/status-report.ts';
import { type ConfigOption, load } from './load.ts';

/** Less than any probe waits. */
const timeoutMs = 4_000;
/** More than a status of the largest instance. */
const maxAnswerBytes = 4 * 2 ** 20;

/** Where the satellite of a configuration should answer. */
export interface Whereabouts {
  readonly address: ListenAddress;
  /** Undefined: which one it is cannot be told from here; null: none that works on this data directory is served. */
  readonly instance: string | null | undefined;
  /** Why the configuration cannot be used. It may have been changed since the satellite was started. */
  readonly problem?: ConfigError;
}

/**
 * The running process has written into its data directory where it can be asked: the configuration may have been changed
 * since. Where the file cannot be used at all, the process is looked for in the directory of a file that names none.
 *
 * @throws SatelliteError `LISTEN_OFF`, or what is wrong with the configuration
 */
export async function whereabouts(options: ConfigOption, redactor: Redactor): Promise<Whereabouts> {
  try {
    const { satellite } = (await load(options, redactor)).config;
    return whereaboutsOf(satellite);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    const serving = servingOf(await usualDataDir());
    // Another satellite of this machine may be at work there.
    if (!serving || serving.config !== (await pathOf(options))) throw error;
    return { address: serving, instance: serving.instance, problem: error };
  }
}

async function pathOf({ config }: ConfigOption): Promise<string | undefined> {
  const found = { env: process.env, cwd: process.cwd(), ...(config !== undefined && { path: config }) };
  return findConfig(found).catch(() => undefined);
}

/** That of a configuration that names none. */
export function usualDataDir(): Promise<string> {
  return dataDirOf(undefined, { folder: process.cwd(), env: process.env, cwd: process.cwd() });
}

/** @throws SatelliteError `LISTEN_OFF` */
export function whereaboutsOf({ dataDir, listen }: Pick<SatelliteConfig, 'dataDir' | 'listen'>): Whereabouts {
  const serving = servingOf(dataDir);
  if (serving) return { address: serving, instance: serving.instance };
  if (listen === undefined) throw listenIsOff();
  return { address: listen, instance: serving };
}

/** @throws SatelliteError `STATUS_UNREACHABLE` */
export async function askForStatus({ address, instance }: Whereabouts): Promise<StatusReport> {
  const report = parsed(await ask(address, '/status.json'));
  if (report === undefined) throw unreachable(address, 'what answers there is no satellite');
  if (instance !== undefined && report.instance !== instance) {
    throw unreachable(address, 'another satellite answers there');
  }
  return report;
}

/** @throws SatelliteError `STATUS_UNREACHABLE` */
export function ask(address: ListenAddress, path: string): Promise<string> {
  const { host, port } = reachable(address);
  return new Promise((resolve, reject) => {
    const fail = (reason: string) => reject(unreachable(address, reason));
    const signal = AbortSignal.timeout(timeoutMs);
    const request = get({ host, port, path, agent: false, signal }, (response) => {
      let body = '';
      response.setEncoding('utf8').on('data', (text: string) => {
        body += text;
        if (body.length > maxAnswerBytes) request.destroy(new Error('the answer is too long'));
      });
      response.on('error', (error) => fail(error.message));
      response.on('end', () => {
        if (response.statusCode === 200) resolve(body);
        else fail('what answers there is no satellite');
      });
    });
    request.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'ECONNREFUSED') fail('nothing listens there');
      else fail(signal.aborted ? `no answer within ${timeoutMs / 1000} s` : error.message);
    });
  });
}

/** Where everything is listened on, this machine is asked. */
function reachable({ host, port }: ListenAddress): ListenAddress {
  if (host === '0.0.0.0') return { host: '127.0.0.1', port };
  return { host: host === '::' ? '::1' : host, port };
}

function parsed(body: string): StatusReport | undefined {
  try {
    const report = JSON.parse(body) as Partial<StatusReport> | null;
    return typeof report?.live === 'boolean' && Array.isArray(report.parts) ? (report as StatusReport) : undefined;
  } catch {
    return undefined;
  }
}

function unreachable({ host, port }: ListenAddress, reason: string): SatelliteError {
  return new SatelliteError(`No satellite answers at ${host}:${port} (satellite.listen): ${reason}`, {
    code: 'STATUS_UNREACHABLE',
    kind: 'retryable',
    hint: 'Is it running, on this machine, with this configuration? `satellite run --once` and `scan` do not listen.',
  });
}

function listenIsOff(): SatelliteError {
  return new SatelliteError('satellite.listen is off: the running satellite cannot be asked', {
    code: 'LISTEN_OFF',
    kind: 'config',
    hint: 'Take `listen: off` out of the configuration and restart the satellite, or turn off the health check that asks.',
  });
}
