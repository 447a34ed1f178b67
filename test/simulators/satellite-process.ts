import { type ChildProcess, type StdioOptions, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const program = fileURLToPath(new URL('../../dist/main.js', import.meta.url));

/** What a `satellite.yml` of a test or a demonstration says. */
export interface SatelliteYml {
  readonly sei: { readonly url: string; readonly tenant: string; readonly apiKey: string };
  readonly bitbucket: { readonly url: string; readonly username: string; readonly password: string };
  readonly integrationId: string;
  readonly metadata?: object;
  readonly satellite?: object;
  readonly rateLimit?: object;
}

/** JSON is YAML, too. */
export function satelliteYml({ sei, bitbucket, integrationId, metadata, satellite, rateLimit }: SatelliteYml): string {
  return JSON.stringify({
    satellite: { tenant: sei.tenant, api_key: sei.apiKey, url: sei.url, ...satellite },
    integrations: [
      {
        id: integrationId,
        application: 'bitbucket_server',
        url: bitbucket.url,
        username: bitbucket.username,
        api_key: bitbucket.password,
        ...(metadata === undefined ? {} : { metadata }),
        ...(rateLimit === undefined ? {} : { rate_limit: rateLimit }),
        satellite: true,
      },
    ],
  });
}

export interface Folder {
  readonly path: string;
  remove(): Promise<void>;
}

/** A folder with a configuration in it whose data directory lies beside it. */
export async function satelliteFolder(yml: SatelliteYml): Promise<Folder> {
  const path = await mkdtemp(join(tmpdir(), 'satellite-'));
  const satellite = { data_dir: join(path, 'data'), listen: 'off', ...yml.satellite };
  await writeFile(join(path, 'satellite.yml'), satelliteYml({ ...yml, satellite }), { mode: 0o600 });
  return { path, remove: () => rm(path, { recursive: true, force: true }) };
}

export interface FinishedSatellite {
  readonly exitCode: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly seconds: number;
  /** The largest that the process was, as the kernel counts it; undefined where it does not say. */
  readonly peakRssBytes: number | undefined;
  readonly cpuSeconds: number | undefined;
  readonly stdout: string;
  readonly stderr: string;
}

/** The built program as a process of its own, as an operator starts it. */
export class SatelliteProcess {
  readonly child: ChildProcess;
  readonly #startedAtMs = performance.now();
  readonly #output = { stdout: '', stderr: '' };
  readonly #watch: NodeJS.Timeout;
  #peakRssBytes: number | undefined;
  #cpuSeconds: number | undefined;

  constructor(
    folder: string,
    args: readonly string[],
    options: { stdio?: StdioOptions; env?: NodeJS.ProcessEnv; wrapper?: readonly string[] } = {},
  ) {
    const command = [...(options.wrapper ?? []), process.execPath, program, ...args];
    const config = args.includes('--config') ? [] : ['--config', join(folder, 'satellite.yml')];
    this.child = spawn(command[0] ?? '', [...command.slice(1), ...config], {
      cwd: folder,
      stdio: options.stdio ?? 'pipe',
      env: { ...process.env, ...options.env },
    });
    for (const name of ['stdout', 'stderr'] as const) {
      this.child[name]?.setEncoding('utf8').on('data', (text: string) => {
        this.#output[name] += text;
      });
    }
    this.#watch = setInterval(() => this.#measure(), 50);
  }

  async finished(): Promise<FinishedSatellite> {
    const [exitCode, signal] = (await once(this.child, 'close')) as [number | null, NodeJS.Signals | null];
    clearInterval(this.#watch);
    return {
      exitCode,
      signal,
      seconds: (performance.now() - this.#startedAtMs) / 1000,
      peakRssBytes: this.#peakRssBytes,
      cpuSeconds: this.#cpuSeconds,
      ...this.#output,
    };
  }

  #measure(): void {
    try {
      const status = readFileSync(`/proc/${this.child.pid}/status`, 'utf8');
      const peak = /^VmHWM:\s+(\d+) kB/m.exec(status)?.[1];
      if (peak !== undefined) this.#peakRssBytes = Number(peak) * 1024;
      // utime and stime are the 12th and 13th fields after the name, in ticks of 10 ms.
      const fields = readFileSync(`/proc/${this.child.pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
      this.#cpuSeconds = (Number(fields[11]) + Number(fields[12])) / 100;
    } catch {
      // The process has ended, or the system has no /proc: what was seen so far stands.
    }
  }
}
