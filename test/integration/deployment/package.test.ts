import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { access, mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { type Lock, productionPackages } from '../../package/production-packages.ts';
import type { Sbom } from '../../package/sbom.ts';
import { run } from './program.ts';

const projectFolder = fileURLToPath(new URL('../../..', import.meta.url));
const { name, version } = JSON.parse(await readFile(join(projectFolder, 'package.json'), 'utf8'));

let scratch: string;
let tarball: string;
let installed: string;
/** The launcher's two tools and the shell; above all, no node. */
let barePath: string;

beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'satellite-packaged-'));
  const out = join(scratch, 'out');
  execFileSync('npm', ['run', '--silent', 'package', '--', '--out', out], { cwd: projectFolder, stdio: 'pipe' });
  tarball = join(out, `${name}-${version}-${process.platform}-${process.arch}.tar.gz`);
  execFileSync('tar', ['-xzf', tarball, '-C', scratch]);
  installed = join(scratch, `${name}-${version}`);
  barePath = join(scratch, 'coreutils');
  await mkdir(barePath);
  for (const tool of ['dirname', 'readlink']) {
    const path = ['/usr/bin', '/bin'].map((folder) => join(folder, tool)).find(existsSync);
    await symlink(path ?? tool, join(barePath, tool));
  }
}, 180_000);
afterAll(() => rm(scratch, { recursive: true }));

const packaged = (args: readonly string[], program = join(installed, 'satellite')) =>
  run(program, args, { PATH: barePath });

test('it runs on a machine without Node.js', async () => {
  expect(await packaged(['--version'])).toEqual({ exitCode: 0, stdout: `${version}\n`, stderr: '' });
});

test('it runs through a link from elsewhere', async () => {
  const link = join(scratch, 'linked');
  await symlink(join(installed, 'satellite'), link);
  expect(await packaged(['--version'], link)).toMatchObject({ exitCode: 0, stdout: `${version}\n` });
});

test('it has all that the program loads', async () => {
  const path = join(scratch, 'satellite.yml');
  const config = `satellite:
  tenant: aBcDeFgHiJkLmNoPqRsTuV
  api_key: a-key-5f1c
  url: https://app.harness.io/gratis/sei/api
integrations:
  - id: "4711"
    application: bitbucket_server
    url: https://bitbucket.example.com
    username: sei-reader
    api_key: another-key-7d2e
`;
  await writeFile(path, config, { mode: 0o600 });
  expect(await packaged(['validate', '--strict', '--config', path])).toMatchObject({ exitCode: 0, stderr: '' });
  expect(JSON.parse((await packaged(['schema'])).stdout)).toHaveProperty('properties.satellite');
});

test('a configuration that is wrong ends it with 78', async () => {
  const path = join(scratch, 'wrong.yml');
  await writeFile(path, 'satellite: {}\n', { mode: 0o600 });
  expect(await packaged(['run', '--config', path])).toMatchObject({ exitCode: 78 });
});

test('it has what an operator needs, and none of the tests and tools', async () => {
  expect((await readdir(installed)).sort()).toEqual([
    'CHANGELOG.md',
    'README.md',
    'SECURITY.md',
    'bin',
    'config',
    'dist',
    'node_modules',
    'package.json',
    'satellite',
    'satellite.yml.example',
    'sbom.cdx.json',
    'schemas',
  ]);
  for (const path of ['config/systemd/satellite.service', 'config/kubernetes/30-statefulset.yaml', 'dist/main.js']) {
    await access(join(installed, path));
  }
  for (const tool of ['typescript', 'jest', 'kubernetes-models', 'node', '.bin']) {
    expect(existsSync(join(installed, 'node_modules', tool))).toBe(false);
  }
});

test('it says nothing about where it was made', async () => {
  for (const path of await readdir(installed, { recursive: true })) {
    const file = join(installed, path);
    if (path.startsWith('node_modules/') || path === 'bin/node' || !(await stat(file)).isFile()) continue;
    expect([path, (await readFile(file)).includes(projectFolder.replace(/\/$/, '/'))]).toEqual([path, false]);
  }
});

test('the list of materials has exactly the packages that are in it, and the Node.js with its checksum', async () => {
  const sbom: Sbom = JSON.parse(await readFile(join(installed, 'sbom.cdx.json'), 'utf8'));
  expect(sbom).toMatchObject({
    bomFormat: 'CycloneDX',
    metadata: { component: { type: 'application', name, version } },
  });
  const lock: Lock = JSON.parse(await readFile(join(projectFolder, 'package-lock.json'), 'utf8'));
  const folders = productionPackages(lock, projectFolder);
  const packed = folders.map(
    (folder) => `${folder.replace(/^.*node_modules\//, '')}@${lock.packages[folder]?.version}`,
  );
  const listed = sbom.components
    .filter(({ purl }) => purl?.startsWith('pkg:npm/'))
    .map((each) => `${each.name}@${each.version}`);
  expect([...new Set(listed)].sort()).toEqual([...new Set(packed)].sort());
  for (const folder of folders) await access(join(installed, folder, 'package.json'));

  const node = sbom.components.find((component) => component.name === 'node');
  const digest = createHash('sha256').update(await readFile(join(installed, 'bin', 'node')));
  expect(node).toMatchObject({
    version: process.versions.node,
    hashes: [{ alg: 'SHA-256', content: digest.digest('hex') }],
  });
});

test('the checksum beside the tarball is its own', async () => {
  const digest = createHash('sha256')
    .update(await readFile(tarball))
    .digest('hex');
  expect(await readFile(`${tarball}.sha256`, 'utf8')).toMatch(new RegExp(`^${digest}  `));
});
