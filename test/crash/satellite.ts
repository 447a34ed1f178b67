import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

/** The built program, or another build of it. */
export const program = process.env.SATELLITE_PROGRAM ?? fileURLToPath(new URL('../../dist/main.js', import.meta.url));

export interface LogLine {
  readonly level: string;
  readonly message: string;
  readonly code?: string;
  readonly [field: string]: unknown;
}

export interface SatelliteOptions {
  readonly args?: readonly string[];
  readonly env?: NodeJS.ProcessEnv;
  /** Modules that are loaded before the program. */
  readonly preload?: readonly URL[];
  /** A command in front of it, such as `unshare`. */
  readonly wrapper?: readonly string[];
}

export interface Ending {
  readonly exitCode: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  /** What was no line of the log. */
  readonly stderr: string;
}

const maxStopMs = 10_000;
const readyMessages = new Set(['Registered with SEI', 'SEI still knows this satellite']);
const alive = new Set<ChildProcess>();
process.once('exit', () => {
  for (const child of alive) child.kill('SIGKILL');
});

/**
 * One process of the built program, as an operator starts it: started → `ready` (SEI has heard of it) → `ended`.
 * Whatever is still alive when the driver ends, ends with it.
 */
export class Satellite {
  readonly child: ChildProcess;
  readonly lines: LogLine[] = [];
  /** Milliseconds from the start; never, where the process ends before. */
  readonly ready: Promise<number>;
  readonly ended: Promise<Ending>;
  readonly #output = { stdout: '', stderr: '' };
  readonly #startedAtMs = performance.now();
  readonly #watchers = new Set<(line: LogLine) => void>();
  readonly #measuring: NodeJS.Timeout;
  peakRssBytes = 0;
  peakFiles = 0;

  constructor(folder: string, options: SatelliteOptions = {}) {
    const { args = ['run'], env = {}, preload = [], wrapper = [] } = options;
    const imports = preload.map((url) => `--import=${url.href}`);
    const command = [...wrapper, process.execPath, ...imports, program, ...args];
    const [file = '', ...rest] = [...command, '--config', join(folder, 'satellite.yml')];
    this.child = spawn(file, rest, {
      cwd: folder,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...environment(), ...env },
    });
    alive.add(this.child);
    const { promise, resolve } = Promise.withResolvers<number>();
    this.ready = promise;
    this.child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.#output.stdout += text;
    });
    if (this.child.stderr) {
      createInterface({ input: this.child.stderr }).on('line', (text) => {
        const line = this.#read(text);
        if (line !== undefined && readyMessages.has(line.message)) resolve(performance.now() - this.#startedAtMs);
      });
    }
    this.ended = this.#end();
    this.ended.catch(() => undefined);
    this.#measuring = setInterval(() => this.measure(), 100);
  }

  /** The first line, told already or still to come, for which `matches` holds. */
  line(matches: (line: LogLine) => boolean, timeoutMs = 30_000): Promise<LogLine> {
    const told = this.lines.find(matches);
    if (told !== undefined) return Promise.resolve(told);
    return new Promise((resolve, reject) => {
      const watcher = (line: LogLine) => {
        if (matches(line)) done(() => resolve(line));
      };
      const done = (settle: () => void) => {
        clearTimeout(timer);
        this.#watchers.delete(watcher);
        settle();
      };
      const fail = (why: string) => done(() => reject(new Error(`${why}; last lines: ${this.tail()}`)));
      const timer = setTimeout(() => fail(`no such line in the log within ${timeoutMs} ms`), timeoutMs);
      this.#watchers.add(watcher);
      void this.ended.then(() => fail('the satellite ended without such a line in its log'));
    });
  }

  /** Resolves once it is gone. */
  async kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<Ending> {
    // Of a process that is gone, the number may be another's by now.
    if (alive.has(this.child)) this.child.kill(signal);
    return this.ended;
  }

  /** SIGTERM, as a service manager sends it: it has ten seconds to end with 0, and is killed where it does not hear. */
  async stop(): Promise<{ readonly tookMs: number; readonly problems: readonly string[] }> {
    const problems: string[] = [];
    const startedAtMs = performance.now();
    const ending = await Promise.race([this.kill('SIGTERM'), delay(15_000, undefined, { ref: false })]);
    const tookMs = performance.now() - startedAtMs;
    if (ending === undefined) {
      problems.push(`does not end 15 s after SIGTERM: ${this.tail()}`);
      await this.kill();
    } else if (ending.exitCode !== 0) problems.push(`SIGTERM: ${told(ending)}: ${this.tail()}`);
    if (tookMs > maxStopMs) problems.push(`took ${Math.round(tookMs)} ms to end after SIGTERM`);
    return { tookMs, problems };
  }

  /** The last of what it said, for messages. */
  tail(): string {
    const lines = this.lines.slice(-3).map((line) => JSON.stringify(line));
    return [...lines, this.#output.stderr.slice(-500)].join(' | ').slice(-2000);
  }

  measure(): void {
    const { pid } = this.child;
    try {
      const peak = /^VmHWM:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
      this.peakRssBytes = Math.max(this.peakRssBytes, Number(peak ?? 0) * 1024);
      this.peakFiles = Math.max(this.peakFiles, readdirSync(`/proc/${pid}/fd`).length);
    } catch {
      // The process is gone, or the system has no /proc: what was seen so far stands.
    }
  }

  async #end(): Promise<Ending> {
    const [exitCode, signal] = (await once(this.child, 'close')) as [number | null, NodeJS.Signals | null];
    clearInterval(this.#measuring);
    alive.delete(this.child);
    return { exitCode, signal, ...this.#output };
  }

  #read(text: string): LogLine | undefined {
    let line: LogLine;
    try {
      line = JSON.parse(text) as LogLine;
    } catch {
      this.#output.stderr += `${text}\n`;
      return undefined;
    }
    this.lines.push(line);
    for (const watcher of [...this.#watchers]) watcher(line);
    return line;
  }
}

export function told({ exitCode, signal }: Ending): string {
  return signal === null ? `exit code ${exitCode}` : `signal ${signal}`;
}

/** Nothing of the caller's Node or of its proxies. */
function environment(): NodeJS.ProcessEnv {
  const { PATH, HOME, TMPDIR, LANG } = process.env;
  return { ...(PATH && { PATH }), ...(HOME && { HOME }), ...(TMPDIR && { TMPDIR }), ...(LANG && { LANG }) };
}
