import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';

export interface GitRun {
  readonly args: readonly string[];
  /** Also the repository, where there is one. */
  readonly cwd: string;
  /** Kills git and whatever it has started. */
  readonly signal: AbortSignal;
  readonly input?: string;
  /** Beside what every git gets; told through the environment, so that nothing of it stands in argv or on disk. */
  readonly config?: Readonly<Record<string, string>>;
}

/** Thrown when git ends with anything but 0: the clone is damaged, the disk is full, or what was asked for is not there. */
export class GitError extends Error {
  readonly exitCode: number | null;

  constructor(args: readonly string[], exitCode: number | null, stderr: string) {
    super(
      `git ${args.find((arg) => !arg.startsWith('-'))} ended with ${exitCode ?? 'a signal'}${stderr === '' ? '' : `: ${stderr}`}`,
    );
    this.name = 'GitError';
    this.exitCode = exitCode;
  }
}

/** Git knows this object without having it. */
const emptyTree = '4b825dc642cb6eb9a060e54bf8d69288fbee4904';

/**
 * What git gets to see of the world: no configuration but this, no hook, no helper that could be asked for or told of a
 * password, no protocol but http, no proxy (it only ever speaks with the relay on this machine). `diff.context` and the
 * empty attributes make it count lines as the server does for `contextLines=0`.
 */
const fixedConfig: Readonly<Record<string, string>> = {
  'core.hooksPath': '/dev/null',
  'core.attributesFile': '/dev/null',
  'core.fsmonitor': 'false',
  'core.askPass': '',
  'core.deltaBaseCacheLimit': '16m',
  'core.packedGitWindowSize': '16m',
  'core.packedGitLimit': '128m',
  'credential.helper': '',
  'diff.context': '0',
  'diff.renames': 'true',
  'fetch.recurseSubmodules': 'false',
  'fetch.unpackLimit': '1',
  'fetch.writeCommitGraph': 'false',
  'gc.auto': '0',
  'http.followRedirects': 'false',
  'http.proxy': '',
  'i18n.logOutputEncoding': 'UTF-8',
  'log.mailmap': 'false',
  'log.showRoot': 'true',
  'log.showSignature': 'false',
  'maintenance.auto': 'false',
  'pack.deltaCacheSize': '16m',
  'pack.threads': '1',
  'pack.windowMemory': '16m',
  'protocol.allow': 'never',
  'protocol.http.allow': 'always',
  'protocol.version': '2',
  'safe.directory': '*',
  'submodule.recurse': 'false',
  'transfer.bundleURI': 'false',
  'transfer.unpackLimit': '1',
};

function environment(config: Readonly<Record<string, string>> = {}): NodeJS.ProcessEnv {
  const entries = Object.entries({ ...fixedConfig, ...config });
  return {
    PATH: process.env.PATH,
    HOME: '/nonexistent',
    XDG_CONFIG_HOME: '/nonexistent',
    LC_ALL: 'C',
    TZ: 'UTC',
    GIT_ALLOW_PROTOCOL: 'http',
    GIT_ASKPASS: '',
    GIT_ATTR_NOSYSTEM: '1',
    GIT_ATTR_SOURCE: emptyTree,
    GIT_CONFIG_GLOBAL: '/dev/null',
    GIT_CONFIG_NOSYSTEM: '1',
    GIT_LFS_SKIP_SMUDGE: '1',
    GIT_NO_REPLACE_OBJECTS: '1',
    GIT_OPTIONAL_LOCKS: '0',
    GIT_TERMINAL_PROMPT: '0',
    GIT_CONFIG_COUNT: String(entries.length),
    ...Object.fromEntries(
      entries.flatMap(([key, value], index) => [
        [`GIT_CONFIG_KEY_${index}`, key],
        [`GIT_CONFIG_VALUE_${index}`, value],
      ]),
    ),
  };
}

/**
 * Standard output as it comes. Whoever stops reading ends git.
 *
 * @throws GitError at the end of the output, where git failed
 */
export async function* streamGit(run: GitRun): AsyncGenerator<Buffer, void, undefined> {
  run.signal.throwIfAborted();
  // A group of its own: git leaves the network to a process beside it, which has to end with it.
  const child = spawn('git', run.args, {
    cwd: run.cwd,
    env: environment(run.config),
    stdio: ['pipe', 'pipe', 'pipe'],
    detached: true,
  });
  const closed = once(child, 'close');
  closed.catch(() => undefined);
  const kill = () => killGroup(child);
  run.signal.addEventListener('abort', kill, { once: true });
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr = (stderr + text).slice(-2_000);
  });
  // A git that ends before it has read everything breaks the pipe: its exit code tells, not the pipe.
  child.stdin.on('error', () => undefined).end(run.input ?? '');
  try {
    for await (const chunk of child.stdout) yield chunk as Buffer;
    const [exitCode] = (await closed) as [number | null];
    run.signal.throwIfAborted();
    if (exitCode !== 0) throw new GitError(run.args, exitCode, said(stderr));
  } finally {
    run.signal.removeEventListener('abort', kill);
    if (child.exitCode === null && child.signalCode === null) {
      kill();
      await closed.catch(() => undefined);
    }
  }
}

/** For short answers. */
export async function runGit(run: GitRun): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of streamGit(run)) chunks.push(chunk);
  return Buffer.concat(chunks).toString('utf8');
}

/** Of the git that is installed here; undefined: there is none that will do. */
export async function gitVersion(): Promise<string | undefined> {
  try {
    const answer = await runGit({ args: ['version'], cwd: '/', signal: AbortSignal.timeout(10_000) });
    const [version, major, minor] = /(\d+)\.(\d+)[\w.]*/.exec(answer) ?? [];
    return Number(major) * 1000 + Number(minor) >= leastVersion ? version : undefined;
  } catch {
    return undefined;
  }
}

/** 2.31: configuration through the environment, and merges against their first parent. */
const leastVersion = 2_031;

function killGroup({ pid }: ChildProcess): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // It has ended meanwhile.
  }
}

/** What the server says in between is left out, and so is what could colour a terminal. */
function said(stderr: string): string {
  return stderr
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('remote:'))
    .join('; ')
    .replace(/[^\x20-\x7e]+/g, ' ')
    .slice(-300);
}
