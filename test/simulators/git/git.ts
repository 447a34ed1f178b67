import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { once } from 'node:events';

/**
 * What a git process gets to see: no system or user configuration, no hooks of a template, no locale, no prompt.
 * The same command then gives the same bytes on every machine.
 */
export function gitEnvironment(): NodeJS.ProcessEnv {
  return {
    PATH: process.env.PATH,
    GIT_CONFIG_NOSYSTEM: '1',
    GIT_CONFIG_GLOBAL: '/dev/null',
    GIT_TERMINAL_PROMPT: '0',
    LC_ALL: 'C',
    TZ: 'UTC',
  };
}

/** A git process of which the caller reads stdout and writes stdin; `done` rejects with stderr when git fails. */
export interface GitProcess {
  readonly child: ChildProcessWithoutNullStreams;
  readonly done: Promise<void>;
}

/** Starts git with `args` as its argv (never a shell). */
export function startGit(args: readonly string[]): GitProcess {
  const child = spawn('git', args, { env: gitEnvironment(), stdio: 'pipe' });
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr = (stderr + text).slice(-4000);
  });
  // A git that ended early is reported once, by its exit status; the broken pipe is only its echo.
  child.stdin.on('error', () => {});
  const done = once(child, 'close').then(([code, signal]) => {
    if (code !== 0) throw new Error(`git ${args.join(' ')} ended with ${signal ?? code}: ${stderr.trim()}`);
  });
  done.catch(() => {});
  return { child, done };
}

/** Runs git to its end and gives its stdout as text. Throws when it fails. */
export async function runGit(args: readonly string[]): Promise<string> {
  const { child, done } = startGit(args);
  child.stdin.end();
  const chunks: Buffer[] = [];
  for await (const chunk of child.stdout as AsyncIterable<Buffer>) chunks.push(chunk);
  await done;
  return Buffer.concat(chunks).toString('utf8');
}

/** An empty bare repository at `dir` whose default branch is `main`, packed at once whatever its size. */
export async function initBareRepository(dir: string): Promise<void> {
  await runGit(['init', '--quiet', '--bare', '--template=', '--initial-branch=main', '--', dir]);
  await runGit(['--git-dir', dir, 'config', 'fastimport.unpackLimit', '0']);
}
