import { execFileSync } from 'node:child_process';
import { chmod, copyFile, cp, mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join, relative, resolve, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { productionPackages } from './production-packages.ts';
import { makeSbom, sha256 } from './sbom.ts';

/**
 * Makes a tarball that runs on a machine without Node.js: the program, its production packages, the Node.js of the
 * devDependencies, and what an operator needs. Nothing is downloaded, and the same commit gives the same bytes.
 *
 *   npm run package [-- --out DIR]
 */
const projectFolder = fileURLToPath(new URL('../..', import.meta.url));
const { values } = parseArgs({ options: { out: { type: 'string', default: join(projectFolder, 'dist-package') } } });

const inProject = (...parts: string[]) => join(projectFolder, ...parts);
const readJson = async (path: string) => JSON.parse(await readFile(path, 'utf8'));
const writeJson = (path: string, value: unknown) => writeFile(path, `${JSON.stringify(value, null, 2)}\n`);

async function fill(folder: string): Promise<void> {
  const { scripts, devDependencies, overrides, allowScripts, files, ...manifest } = await readJson(
    inProject('package.json'),
  );
  await writeJson(join(folder, 'package.json'), manifest);

  // Not into dist/, which others may be running.
  const tsc = inProject('node_modules', '.bin', 'tsc');
  execFileSync(tsc, ['-p', 'tsconfig.build.json', '--outDir', join(folder, 'dist')], {
    cwd: projectFolder,
    stdio: 'inherit',
  });

  for (const path of productionPackages(await readJson(inProject('package-lock.json')), projectFolder)) {
    await copyPackage(inProject(path), join(folder, path));
  }
  for (const path of ['schemas', 'config', 'satellite.yml.example', 'README.md', 'SECURITY.md', 'CHANGELOG.md']) {
    await cp(inProject(path), join(folder, path), { recursive: true });
  }

  const nodeBinary = inProject('node_modules', 'node', 'bin', 'node');
  await mkdir(join(folder, 'bin'));
  await copyFile(nodeBinary, join(folder, 'bin', 'node'));
  await copyFile(inProject('test', 'package', 'satellite.sh'), join(folder, 'satellite'));
  for (const path of ['bin/node', 'satellite', 'dist/main.js']) await chmod(join(folder, path), 0o755);
  await writeJson(join(folder, 'sbom.cdx.json'), makeSbom({ folder, name: manifest.name, nodeBinary }));
}

/** Packages within it are on the list themselves, if they are needed. */
async function copyPackage(from: string, to: string): Promise<void> {
  const isOwn = (path: string) => !relative(from, path).split(sep).includes('node_modules');
  await cp(from, to, { recursive: true, dereference: true, filter: isOwn });
}

function pack(folder: string, tarball: string): void {
  execFileSync('tar', [
    ...['--create', '--file', tarball, '--use-compress-program', 'gzip -n'],
    ...['--sort=name', `--mtime=@${commitTime()}`, '--owner=0', '--group=0', '--numeric-owner', '--format=gnu'],
    // Whatever umask this was made with.
    '--mode=u+rwX,go+rX,go-w',
    ...['--directory', join(folder, '..'), basename(folder)],
  ]);
}

/** Seconds since 1970: of the commit, or SOURCE_DATE_EPOCH, or 0 outside of git. */
function commitTime(): string {
  if (process.env.SOURCE_DATE_EPOCH) return process.env.SOURCE_DATE_EPOCH;
  try {
    const args = ['-C', projectFolder, 'log', '-1', '--format=%ct'];
    return execFileSync('git', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim() || '0';
  } catch {
    return '0';
  }
}

const { name, version } = await readJson(inProject('package.json'));
const out = resolve(values.out);
const scratch = await mkdtemp(join(tmpdir(), 'satellite-package-'));
try {
  const folder = join(scratch, `${name}-${version}`);
  await mkdir(folder);
  await fill(folder);
  const tarball = join(out, `${name}-${version}-${process.platform}-${process.arch}.tar.gz`);
  await mkdir(out, { recursive: true });
  pack(folder, tarball);
  await copyFile(join(folder, 'sbom.cdx.json'), join(out, `${name}-${version}.cdx.json`));
  await writeFile(`${tarball}.sha256`, `${sha256(tarball)}  ${basename(tarball)}\n`);
  const mebibytes = ((await stat(tarball)).size / 2 ** 20).toFixed(1);
  process.stdout.write(`${tarball} (${mebibytes} MiB)\n`);
} finally {
  await rm(scratch, { recursive: true });
}
