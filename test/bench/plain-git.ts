import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { credentials } from './bitbucket.ts';

/**
 * What a person would type: a bare clone, and the log with its line counts. Merges are compared with their first parent
 * and renames are looked for, as Bitbucket does; without that git would leave the merges out.
 *
 * @returns seconds
 */
export async function plainGit(url: string, dir: string): Promise<number> {
  const clone = join(dir, 'plain.git');
  const withCredentials = new URL(url);
  Object.assign(withCredentials, credentials);
  const startedAtMs = performance.now();
  await git(['clone', '--quiet', '--bare', withCredentials.href, clone]);
  await git(['--git-dir', clone, 'log', '--numstat', '-M', '--diff-merges=first-parent']);
  const seconds = (performance.now() - startedAtMs) / 1000;
  await rm(clone, { recursive: true, force: true });
  return seconds;
}

async function git(args: readonly string[]): Promise<void> {
  const child = spawn('git', args, {
    stdio: ['ignore', 'ignore', 'inherit'],
    env: { PATH: process.env.PATH, GIT_CONFIG_GLOBAL: '/dev/null', GIT_TERMINAL_PROMPT: '0' },
  });
  const [exitCode] = await once(child, 'close');
  if (exitCode !== 0) throw new Error(`git ${args[0]} ended with ${exitCode}`);
}
