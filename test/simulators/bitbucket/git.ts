import { spawn } from 'node:child_process';

/**
 * Every git process of the simulator. At most `slots` run at a time (Bitbucket keeps such a limit too, its
 * "scm-command" tickets); the others wait in line. A process ends with the request that asked for it.
 */

/** Nothing of the machine's own git configuration may colour an answer. */
const environment: NodeJS.ProcessEnv = {
  PATH: process.env.PATH,
  HOME: '/dev/null',
  XDG_CONFIG_HOME: '/dev/null',
  LC_ALL: 'C',
  GIT_CONFIG_NOSYSTEM: '1',
  GIT_CONFIG_GLOBAL: '/dev/null',
  GIT_ATTR_NOSYSTEM: '1',
  GIT_NO_REPLACE_OBJECTS: '1',
  GIT_OPTIONAL_LOCKS: '0',
  GIT_TERMINAL_PROMPT: '0',
};

class GitError extends Error {
  readonly exitCode: number | null;

  constructor(args: readonly string[], exitCode: number | null, stderr: string) {
    super(`git ${args.join(' ')} ended with ${exitCode}: ${stderr.trim()}`);
    this.name = 'GitError';
    this.exitCode = exitCode;
  }
}

interface RunOptions {
  readonly signal?: AbortSignal | undefined;
  readonly input?: string | Buffer;
  readonly env?: NodeJS.ProcessEnv;
  readonly cwd?: string;
  /** Of a command that finds its repository by itself. */
  readonly bare?: boolean;
}

export class Git {
  #free: number;
  readonly #waiting: (() => void)[] = [];

  constructor(slots = 6) {
    this.#free = slots;
  }

  /** Standard output as it comes; throws a GitError at its end when git failed. Stopping early kills git. */
  async *stream(gitDir: string, args: readonly string[], options: RunOptions = {}): AsyncGenerator<Buffer, void> {
    await this.#acquire();
    try {
      options.signal?.throwIfAborted();
      yield* run(gitDir, args, options);
    } finally {
      this.#release();
    }
  }

  async capture(gitDir: string, args: readonly string[], options: RunOptions = {}): Promise<Buffer> {
    const chunks: Buffer[] = [];
    for await (const chunk of this.stream(gitDir, args, options)) chunks.push(chunk);
    return Buffer.concat(chunks);
  }

  async text(gitDir: string, args: readonly string[], options: RunOptions = {}): Promise<string> {
    return (await this.capture(gitDir, args, options)).toString('utf8');
  }

  /** Whether git ends with 0; anything else git has to say is not asked for. */
  async succeeds(gitDir: string, args: readonly string[]): Promise<boolean> {
    try {
      await this.capture(gitDir, args);
      return true;
    } catch (error) {
      if (error instanceof GitError) return false;
      throw error;
    }
  }

  async #acquire(): Promise<void> {
    if (this.#free > 0) {
      this.#free -= 1;
      return;
    }
    await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  #release(): void {
    const next = this.#waiting.shift();
    if (next) next();
    else this.#free += 1;
  }
}

async function* run(gitDir: string, args: readonly string[], options: RunOptions): AsyncGenerator<Buffer, void> {
  // In a repository that is not bare, git takes the current folder as its working copy and would read that
  // folder's .gitattributes: run inside the git folder, which has none.
  const child = spawn('git', options.bare ? args : [`--git-dir=${gitDir}`, ...args], {
    cwd: options.cwd ?? gitDir,
    env: { ...environment, ...options.env },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  const exited = new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  exited.catch(() => undefined);
  const kill = () => child.kill('SIGKILL');
  options.signal?.addEventListener('abort', kill);
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  // A git that ends before it has read everything breaks the pipe: its exit code tells, not the pipe.
  child.stdin.on('error', () => undefined).end(options.input ?? '');
  try {
    for await (const chunk of child.stdout) yield chunk as Buffer;
    const exitCode = await exited;
    options.signal?.throwIfAborted();
    if (exitCode !== 0) throw new GitError(args, exitCode, stderr);
  } finally {
    options.signal?.removeEventListener('abort', kill);
    if (child.exitCode === null && child.signalCode === null) {
      kill();
      await exited.catch(() => undefined);
    }
  }
}
