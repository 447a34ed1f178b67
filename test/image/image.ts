/** The checks themselves, in namespaces of their own: started by `main.ts`, with a folder that it deletes. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { chmodSync, lstatSync, mkdirSync, readFileSync, statSync } from 'node:fs';
import { freemem } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { productionPackages } from '../package/production-packages.ts';
import { fillBase } from './base-image.ts';
import { fillContext } from './build-context.ts';
import { Buildah, type ImageFacts } from './buildah.ts';
import type { Container } from './container.ts';
import { bytesOf, filesIn, filesWith, installedPackages } from './image-files.ts';
import { addJob, commitCount, openWorld, succeeded, userId, type World } from './world.ts';

const projectFolder = fileURLToPath(new URL('../..', import.meta.url)).replace(/\/$/, '');
const canary = 'canary-5e0c7d51-of-a-checkout';
const labels = { version: '0.1.0-image.1', revision: '0123456789abcdef', created: '2026-01-02T03:04:05Z' };
const mebibytes = (bytes: number) => `${(bytes / 2 ** 20).toFixed(1)} MiB`;

let failed = 0;

/** One line: what was found, or why it is not well. */
async function check(name: string, find: () => string | Promise<string>): Promise<boolean> {
  const startedMs = performance.now();
  const seconds = () => `${((performance.now() - startedMs) / 1000).toFixed(1)} s`.padStart(7);
  try {
    const found = await find();
    process.stdout.write(`  ok    ${name.padEnd(22)} ${seconds()}  ${found}\n`);
    return true;
  } catch (error) {
    failed++;
    const reason = error instanceof Error ? error.message : String(error);
    process.stdout.write(`  FAIL  ${name.padEnd(22)} ${seconds()}  ${reason.replaceAll('\n', '\n        ')}\n`);
    return false;
  }
}

const folder = process.argv[2] ?? '';
const inFolder = (name: string) => {
  mkdirSync(join(folder, name), { recursive: true });
  return join(folder, name);
};

async function build(buildah: Buildah): Promise<boolean> {
  const built = await check('base', async () => {
    const base = inFolder('base');
    await fillBase(base);
    execFileSync('chroot', [base, '/bin/sh', '-c', 'npm --version'], {
      env: { PATH: process.env.PATH },
      stdio: 'pipe',
    });
    await buildah.imageOf(base, 'localhost/base');
    return `${mebibytes(bytesOf(base))} of this machine's own files, Node.js ${process.version}`;
  });
  if (!built) return false;
  try {
    await buildah.run(['run', await buildah.run(['from', '--pull-never', 'localhost/base']), 'node', '--version']);
  } catch (error) {
    process.stdout.write(`skipped: the rest, since buildah may not run here: ${(error as Error).message}\n`);
    return false;
  }
  return check('build', async () => {
    const context = inFolder('context');
    await fillContext(context, projectFolder, canary);
    const registry = execFileSync('npm', ['config', 'get', 'registry'], {
      cwd: projectFolder,
      encoding: 'utf8',
    }).trim();
    const buildArgs = {
      NODE_IMAGE: 'localhost/base',
      NPM_REGISTRY: registry,
      VERSION: labels.version,
      REVISION: labels.revision,
      CREATED: labels.created,
    };
    await buildah.build({ context, name: 'localhost/satellite', buildArgs });
    return 'Dockerfile, npm ci with the registry of this machine';
  });
}

async function checkFacts(config: ImageFacts['Docker']['config']): Promise<void> {
  await check('OCI labels', () => {
    const prefix = 'org.opencontainers.image.';
    const own = Object.entries(config.Labels).filter(([key]) => key.startsWith(prefix));
    const found = Object.fromEntries(own.map(([key, value]) => [key.slice(prefix.length), value]));
    assert.deepEqual(found, {
      title: 'ingestion-satellite',
      description: 'Crawls an on-prem Bitbucket Data Center and pushes to Harness SEI',
      ...labels,
      'base.name': 'localhost/base',
    });
    return Object.keys(found).join(', ');
  });
  await check('user', () => {
    assert.equal(config.User, `${userId}:${userId}`);
    return config.User;
  });
  await check('entry point', () => {
    assert.deepEqual(config.Entrypoint, ['node', '--max-old-space-size=128', '/app/dist/main.js']);
    assert.deepEqual(config.Cmd, ['run']);
    return JSON.stringify([...config.Entrypoint, ...config.Cmd]);
  });
  await check('volume', () => {
    assert.deepEqual(Object.keys(config.Volumes), ['/var/lib/satellite']);
    return '/var/lib/satellite';
  });
  await check('health check', () => {
    const { Test = [] } = config.Healthcheck ?? {};
    assert.deepEqual([Test[0], ...Test.slice(-3)], ['CMD', '/app/dist/main.js', 'status', '--probe']);
    return JSON.stringify(Test);
  });
}

async function checkFiles(root: string, imageBytes: number): Promise<void> {
  const app = join(root, 'app');
  await check('size', () => {
    const appBytes = bytesOf(app);
    assert.ok(appBytes < 20 * 2 ** 20, `/app has ${mebibytes(appBytes)}`);
    return `${mebibytes(imageBytes)}, of which ${mebibytes(appBytes)} in ${filesIn(app).length} files are the program and its packages`;
  });
  await check('only the program', () => {
    const tops = [...new Set(filesIn(app).map((file) => file.split('/')[0]))].sort();
    assert.deepEqual(tops, ['dist', 'node_modules', 'package.json', 'schemas']);
    const ownFiles = filesIn(app).filter((file) => !file.startsWith('node_modules/'));
    assert.deepEqual(
      ownFiles.filter((file) => /(^|\/)\.|\.ts$|\.test\.|(^|\/)test\//.test(file)),
      [],
    );
    return `${ownFiles.length} files of its own, no test, no source, no .git`;
  });
  await check('no dev dependencies', () => {
    const lock = JSON.parse(readFileSync(join(projectFolder, 'package-lock.json'), 'utf8'));
    const found = installedPackages(app);
    const expected = productionPackages(lock, projectFolder);
    const more = found.filter((name) => !expected.includes(name)).slice(0, 5);
    const missing = expected.filter((name) => !found.includes(name));
    assert.deepEqual({ more, missing }, { more: [], missing: [] });
    return `${found.length} packages, all of production`;
  });
  await check('no secret', async () => {
    assert.deepEqual(await filesWith(root, canary), []);
    return `${filesIn(root).length} files searched for what lies about in a checkout`;
  });
  await check('no npm, no setuid', () => {
    const files = filesIn(root);
    assert.deepEqual(
      files.filter((file) => /(^|\/)(npm|npx)(-cli\.js)?$/.test(file)),
      [],
    );
    assert.deepEqual(
      files.filter((file) => (lstatSync(join(root, file)).mode & 0o6000) !== 0),
      [],
    );
    return 'nothing installs packages or changes users';
  });
  await check('files are root’s', () => {
    const { uid, gid, mode } = statSync(join(root, 'var/lib/satellite'));
    assert.deepEqual([uid, gid, mode & 0o777], [userId, userId, 0o700]);
    const writable = filesIn(app).filter((file) => {
      const { uid: owner, mode: own } = lstatSync(join(app, file));
      return owner !== 0 || (own & 0o022) !== 0;
    });
    assert.deepEqual(writable, []);
    return `/app is not the user's, /var/lib/satellite is (0700)`;
  });
}

async function checkRuns(world: World, config: ImageFacts['Docker']['config']): Promise<void> {
  const container = world.container('rest');
  await check('who it is', async () => {
    const script = `
      const { CapEff, NoNewPrivs } = Object.fromEntries(fs.readFileSync('/proc/self/status', 'utf8').split('\\n').map((line) => line.split(':\\t')));
      const writable = ['/', '/app', '/tmp', '/etc', '/levelops', '/var/lib/satellite'].filter((path) => {
        try { fs.writeFileSync(path + '/probe', ''); fs.rmSync(path + '/probe'); return true; } catch { return false; }
      });
      console.log(JSON.stringify({ pid: process.pid, uid: process.getuid(), gid: process.getgid(), groups: process.getgroups(), CapEff, NoNewPrivs, writable }));`;
    const found = JSON.parse(succeeded(await container.runInstead(['node', '-e', script])));
    assert.deepEqual(found, {
      ...{ pid: 1, uid: userId, gid: userId, groups: [userId], CapEff: '0000000000000000', NoNewPrivs: '1' },
      writable: ['/var/lib/satellite'],
    });
    return `user ${found.uid}, process 1, no capability; writable: ${found.writable.join()}`;
  });
  await check('--version', async () => {
    const version = succeeded(await container.run(['--version']));
    assert.equal(version, labels.version);
    return version;
  });
  await check('validate', async () => succeeded(await container.run(['validate'])).replaceAll('\n', ', '));
  await check(
    'check',
    async () =>
      succeeded(await container.run(['check']))
        .split('\n')
        .at(-1) ?? '',
  );
  await check('run --once', async () => (await world.job(container)).text);
  await check('git', async () => succeeded(await container.runInstead(['git', '--version'])));
  await check('commit_source: git', async () => {
    const diffs = () => world.bitbucket.requests.counts['raw-diff'] ?? 0;
    const before = diffs();
    assert.ok(before > 0);
    const { text, stderr } = await world.job(world.container('git', { commit_source: 'git' }));
    assert.ok(!stderr.includes('GIT_'), stderr);
    assert.equal(diffs() - before, 0);
    return `${text}, no diff asked for by REST`;
  });
  await checkService(world, world.container('service'), config);
}

async function checkService(world: World, container: Container, config: ImageFacts['Docker']['config']): Promise<void> {
  const probe = config.Healthcheck?.Test.slice(1) ?? [];
  const jobId = addJob(world);
  const running = container.start([]);
  const exec = (command: readonly string[]) => container.exec(running, command);
  await check('ready', async () => {
    const startedMs = performance.now();
    for (;;) {
      const answer = await exec([...probe, 'ready']);
      if (answer.exitCode === 0)
        return `${answer.stdout.trim()} after ${((performance.now() - startedMs) / 1000).toFixed(1)} s`;
      assert.ok(performance.now() - startedMs < 30_000, `${answer.stdout}${answer.stderr}\n${running.output}`);
      await new Promise((resolve) => setTimeout(resolve, 500));
    }
  });
  await check('health check runs', async () => succeeded(await exec(probe)));
  await check('satellite status', async () => {
    const [first = ''] = succeeded(await exec(['satellite', 'status'])).split('\n');
    assert.match(first, /: ready$/);
    return first;
  });
  await check('a job of SEI', async () => {
    const { status } = await world.sei.waitForJob(jobId, 30_000);
    assert.equal(status, 'SUCCESS');
    assert.equal(world.sei.ingested(jobId).commits.length, commitCount);
    return `${status}: ${commitCount} commits`;
  });
  await check('memory', () => {
    const peak = running.peakRssBytes;
    assert.ok(peak < 256 * 2 ** 20, mebibytes(peak));
    return `${mebibytes(peak)} at its most`;
  });
  await check('stop', async () => {
    const { exitCode, stderr } = await running.stop();
    assert.equal(exitCode, 0, stderr);
    return 'SIGTERM to process 1, exit code 0';
  });
  await check('health check fails', async () => {
    const { exitCode } = await container.runInstead(probe);
    assert.equal(exitCode, 69);
    return 'exit code 69 where nothing runs';
  });
}

/** Copies of whole root file systems are made one after the other: in memory where there is plenty, which goes with the namespace. */
function useMemory(): void {
  const needed = 8 * 2 ** 30;
  if (freemem() > needed) execFileSync('mount', ['-t', 'tmpfs', '-o', `mode=0755,size=${needed / 2}`, 'tmpfs', folder]);
  else chmodSync(folder, 0o755);
}

async function main(): Promise<void> {
  const startedMs = performance.now();
  useMemory();
  const buildah = new Buildah(folder);
  if (!(await build(buildah))) return;
  const { config } = (await buildah.inspect('localhost/satellite')).Docker;
  const root = await buildah.mount('localhost/satellite');
  await checkFacts(config);
  await checkFiles(root, await buildah.sizeBytes('localhost/satellite'));
  const world = await openWorld({ folder, root, config });
  try {
    await checkRuns(world, config);
  } finally {
    await world.close();
  }
  const seconds = ((performance.now() - startedMs) / 1000).toFixed(0);
  process.stdout.write(`${failed === 0 ? 'all is well' : `${failed} failed`}, ${seconds} s\n`);
}

await main();
// The containers that still run after a failure end with the namespaces.
process.exit(failed === 0 ? 0 : 1);
