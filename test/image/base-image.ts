import { execFileSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, realpathSync, symlinkSync, writeFileSync } from 'node:fs';
import { chmod, cp } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';

/** What the Dockerfile and npm call, and git for `commit_source: git`. */
const programs = [
  'sh',
  'env',
  'rm',
  'cp',
  'ln',
  'ls',
  'cat',
  'id',
  'mkdir',
  'find',
  'chmod',
  'install',
  'touch',
  'git',
];

const authorities = '/etc/ssl/certs/ca-certificates.crt';

/**
 * A root file system out of this machine's own files that has what the Dockerfile expects of its base: Node.js, npm and
 * a shell, where the official image has them. Nothing is downloaded.
 *
 * @throws Error where this machine lacks one of them
 */
export async function fillBase(root: string): Promise<void> {
  for (const folder of ['usr/bin', 'usr/sbin', 'usr/lib', 'usr/lib64', 'usr/local/bin', 'usr/local/lib/node_modules']) {
    mkdirSync(join(root, folder), { recursive: true });
  }
  for (const folder of ['bin', 'sbin', 'lib', 'lib64']) symlinkSync(`usr/${folder}`, join(root, folder));
  for (const folder of ['dev', 'proc', 'sys', 'root', 'run', 'var/lib', 'etc/ssl/certs', 'tmp']) {
    mkdirSync(join(root, folder), { recursive: true });
  }
  await chmod(join(root, 'tmp'), 0o1777);
  writeFileSync(join(root, 'etc/passwd'), 'root:x:0:0:root:/root:/bin/sh\n');
  writeFileSync(join(root, 'etc/group'), 'root:x:0:\n');
  writeFileSync(join(root, 'etc/nsswitch.conf'), 'hosts: files dns\n');
  if (existsSync(authorities)) copyFileSync(authorities, join(root, authorities));

  for (const name of programs) addProgram(root, which(name), `/usr/bin/${name}`);
  addProgram(root, process.execPath, '/usr/local/bin/node');
  await addGitParts(root);
  await addNpm(root);

  // As `su` and `mount` of the official image: the Dockerfile takes the right away.
  const setuid = join(root, 'usr/bin/setuid-id');
  copyFileSync(which('id'), setuid);
  await chmod(setuid, 0o4755);
}

function which(name: string): string {
  return realpathSync(execFileSync('sh', ['-c', 'command -v "$1"', 'sh', name], { encoding: 'utf8' }).trim());
}

function addProgram(root: string, source: string, target: string): void {
  mkdirSync(dirname(join(root, target)), { recursive: true });
  copyFileSync(source, join(root, target));
  const libraries = execFileSync('ldd', [source], { encoding: 'utf8' }).matchAll(/(\/\S+) \(0x/g);
  for (const [, library = ''] of libraries) {
    const copy = join(root, library);
    if (existsSync(copy)) continue;
    mkdirSync(dirname(copy), { recursive: true });
    copyFileSync(library, copy);
  }
}

/** Git's way to http is a program of its own; the rest that is asked of it is built in. */
async function addGitParts(root: string): Promise<void> {
  const folder = execFileSync('git', ['--exec-path'], { encoding: 'utf8' }).trim();
  addProgram(root, join(folder, 'git-remote-http'), join(folder, 'git-remote-http'));
  symlinkSync('/usr/bin/git', join(root, folder, 'git'));
}

async function addNpm(root: string): Promise<void> {
  const cli = realpathSync(process.env.npm_execpath ?? which('npm'));
  const npm = join(dirname(cli), '..');
  await cp(npm, join(root, 'usr/local/lib/node_modules/npm'), { recursive: true });
  for (const name of ['npm', 'npx']) {
    symlinkSync(`../lib/node_modules/npm/bin/${name}-cli.js`, join(root, 'usr/local/bin', name));
  }
  if (basename(cli) !== 'npm-cli.js') throw new Error(`${cli} is not npm`);
}
