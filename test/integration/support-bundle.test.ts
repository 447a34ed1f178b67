import { execFileSync, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { Store } from '../../src/store/store.ts';
import { satelliteYml } from '../simulators/satellite-process.ts';
import { temporaryFolder } from './support/main-job.ts';

const program = fileURLToPath(new URL('../../src/main.ts', import.meta.url));
const apiKey = 'the-key-of-sei-1234';
const password = 'the-password-5678';

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
beforeEach(async () => {
  folder = await temporaryFolder();
});
afterEach(() => folder.remove());

async function configured(satellite: object = {}): Promise<string> {
  const dataDir = join(folder.path, 'data');
  await mkdir(dataDir, { recursive: true });
  const yml = satelliteYml({
    sei: { url: 'https://sei.example.com/gratis/sei/api', tenant: 'acct', apiKey },
    bitbucket: { url: 'https://bitbucket.example.com', username: 'reader', password },
    integrationId: '4711',
    metadata: { fetch_comit_files: true },
    satellite: { data_dir: dataDir, listen: 'off', ...satellite },
  });
  await writeFile(join(folder.path, 'satellite.yml'), yml, { mode: 0o600 });
  return dataDir;
}

async function bundle(output = 'bundle.tar.gz') {
  const child = spawn(process.execPath, [program, 'support-bundle', '--output', output], {
    cwd: folder.path,
    env: { PATH: process.env.PATH },
  });
  const [stdout, stderr] = await Promise.all([child.stdout.toArray(), child.stderr.toArray()]);
  if (child.exitCode === null) await new Promise((resolve) => child.once('close', resolve));
  return {
    exitCode: child.exitCode,
    stdout: Buffer.concat(stdout).toString(),
    stderr: Buffer.concat(stderr).toString(),
  };
}

function unpacked(): Record<string, string> {
  const tar = (...args: string[]) => execFileSync('tar', args, { cwd: folder.path, encoding: 'utf8' });
  const names = tar('-tzf', 'bundle.tar.gz').trim().split('\n');
  return Object.fromEntries(
    names.map((name) => [name.replace('satellite-support/', ''), tar('-xzOf', 'bundle.tar.gz', name)]),
  );
}

test('where nothing runs: versions, configuration, what validate says, the last log lines and the store', async () => {
  const dataDir = await configured();
  const store = new Store(join(dataDir, 'satellite.db'));
  const job = { id: 'j1', integrationId: '4711', origin: 'sei', controllerName: 'c', query: {}, isFull: true } as const;
  store.jobs.add({ ...job, fromMs: 1, toMs: 2, fetchRepositories: true, createdAtMs: 3 });
  store.jobs.addFailure('j1', { message: 'PAY/ledger commits: X', url: 'https://bitbucket.example.com' });
  store.close();
  await writeFile(join(dataDir, 'satellite.log'), `{"message":"kept","error":"it was ${password}"}\n`);

  const { exitCode, stdout, stderr } = await bundle();
  expect([exitCode, stderr]).toEqual([0, '']);
  const files = unpacked();
  expect(Object.keys(files)).toEqual([
    'contents.txt',
    'versions.json',
    'validate.txt',
    'config.json',
    'log.jsonl',
    'store.json',
  ]);
  expect(stdout).toContain(files['contents.txt']);
  expect(stdout).toMatch(/ {2}put in {4}log\.jsonl +the last log lines\n/);
  expect(stdout).toMatch(/ {2}left out {2}metrics\.txt +metrics of the running satellite: satellite\.listen is off/);
  expect(JSON.parse(files['versions.json'] ?? '')).toMatchObject({ node: process.versions.node, sqlite: /^3\./ });
  expect(files['validate.txt']).toMatch(/unknown key, did you mean fetch_commit_files\?[\s\S]*is valid/);
  expect(JSON.parse(files['config.json'] ?? '')).toMatchObject({
    satellite: { tenant: 'acct', apiKey: '***' },
    integrations: [{ allCredentials: [{ kind: 'basic', username: 'reader', password: '***' }] }],
  });
  expect(files['log.jsonl']).toBe('{"message":"kept","error":"it was ***"}\n');
  expect(JSON.parse(files['store.json'] ?? '')).toMatchObject({
    state: 'free',
    content: { jobs: [{ id: 'j1', failed: 0 }], failures: [{ message: 'PAY/ledger commits: X' }] },
  });
  const all = Object.values(files).join('\n') + stdout;
  expect(all).not.toContain(apiKey);
  expect(all).not.toContain(password);
  expect((await stat(join(folder.path, 'bundle.tar.gz'))).mode & 0o777).toBe(0o600);
});

test('while a satellite works on the store: also what is only in its log yet, and nothing is changed', async () => {
  const dataDir = await configured();
  const path = join(dataDir, 'satellite.db');
  const store = new Store(path);
  try {
    const job = {
      id: 'j2',
      integrationId: '4711',
      origin: 'sei',
      controllerName: 'c',
      query: {},
      isFull: false,
    } as const;
    store.jobs.add({ ...job, fromMs: 1, toMs: 2, fetchRepositories: false, createdAtMs: 3 });
    // By another process: one that closes a file loses the locks that it has on it.
    const sums = () => execFileSync('cksum', [path, `${path}-wal`], { encoding: 'utf8' });
    const before = sums();
    expect((await bundle()).exitCode).toBe(0);
    expect(JSON.parse(unpacked()['store.json'] ?? '')).toMatchObject({
      state: 'in use',
      holder: expect.stringContaining(`process ${process.pid} on `),
      content: { jobs: [{ id: 'j2' }] },
    });
    expect(sums()).toBe(before);
  } finally {
    store.close();
  }
});

test('metrics and status come from the satellite that works on the data directory, and from nobody else', async () => {
  const status = { live: true, ready: true, parts: [], instance: 'mine' };
  const answers: Record<string, string> = {
    '/metrics': `# HELP\nsatellite_build_info{by="${password}"} 1\n`,
    '/status.json': JSON.stringify(status),
  };
  const server = createServer(({ url = '' }, response) => response.end(answers[url]));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const served = (instance: string) => ({ instance, host: '127.0.0.1', port, config: 'satellite.yml' });
  try {
    const dataDir = await configured({ listen: `127.0.0.1:${port}` });
    new Store(join(dataDir, 'satellite.db')).close();
    expect((await bundle()).stdout).toMatch(/left out {2}metrics\.txt .*another satellite answers there/);
    await rm(join(folder.path, 'bundle.tar.gz'));
    await writeFile(join(dataDir, 'satellite.serving'), JSON.stringify(served('one that is no more')));
    expect((await bundle()).stdout).toMatch(/left out {2}status\.json .*another satellite answers there/);
    await rm(join(folder.path, 'bundle.tar.gz'));
    await writeFile(join(dataDir, 'satellite.serving'), JSON.stringify(served('mine')));
    await bundle();
    expect(unpacked()['metrics.txt']).toBe('# HELP\nsatellite_build_info{by="***"} 1\n');
    expect(JSON.parse(unpacked()['status.json'] ?? '')).toEqual(status);
    await rm(join(folder.path, 'bundle.tar.gz'));
    answers['/metrics'] = 'x'.repeat(5 * 2 ** 20);
    expect((await bundle()).stdout).toMatch(/left out {2}metrics\.txt .*too long/);
    await rm(join(folder.path, 'bundle.tar.gz'));
    answers['/status.json'] = '<html>another program</html>';
    expect((await bundle()).stdout).toMatch(/left out {2}status\.json .*what answers there is no satellite/);
  } finally {
    server.close();
  }
});

// Root may write wherever it likes.
(process.getuid?.() === 0 && !existsSync('/usr/bin/setpriv') ? test.skip : test)(
  'where neither /tmp nor the working directory can be written, the data directory will do',
  async () => {
    const dataDir = await configured();
    new Store(join(dataDir, 'satellite.db')).close();
    const command = [process.execPath, program, 'support-bundle', '--config', join(folder.path, 'satellite.yml')];
    if (process.getuid?.() === 0) {
      execFileSync('chown', ['-R', '65532', folder.path]);
      command.unshift('setpriv', '--reuid=65532', '--clear-groups', '--');
    }
    const nowhere = join(folder.path, 'nowhere');
    const [name = '', ...args] = command;
    const stdout = execFileSync(name, args, {
      cwd: '/',
      env: { PATH: process.env.PATH, TMPDIR: nowhere },
      encoding: 'utf8',
    });
    expect(stdout).toContain(`${dataDir}/satellite-support-`);
    expect(stdout).toContain('the store is free');
    const [file = ''] = (await readdir(dataDir)).filter((each) => each.endsWith('.tar.gz'));
    const store = execFileSync('tar', ['-xzOf', join(dataDir, file), 'satellite-support/store.json'], {
      encoding: 'utf8',
    });
    expect(JSON.parse(store)).toMatchObject({ state: 'free', content: { jobs: [] } });
    expect((await readdir(dataDir)).filter((each) => each.startsWith('satellite-summary-'))).toEqual([]);
  },
);

test('with a configuration that cannot be used it says what is wrong with it', async () => {
  await writeFile(join(folder.path, 'satellite.yml'), `satellite:\n  api_key: ${apiKey}\n  urll: x\n`, { mode: 0o600 });
  const { exitCode, stdout } = await bundle();
  expect(exitCode).toBe(0);
  // Of a file that cannot be used nobody can say that it switches anything off.
  expect(stdout).toMatch(/left out {2}status\.json .*there is none in .*; the configuration, .*, cannot be used/);
  const files = unpacked();
  expect(files['validate.txt']).toMatch(/satellite\.yml:.*tenant/);
  expect(files['config.json']).toBeUndefined();
  expect(Object.values(files).join('\n')).not.toContain(apiKey);
});

test('a damaged store is said to be one', async () => {
  const dataDir = await configured();
  await writeFile(join(dataDir, 'satellite.db'), 'no database at all'.repeat(500));
  expect((await bundle()).exitCode).toBe(0);
  expect(JSON.parse(unpacked()['store.json'] ?? '')).toMatchObject({
    state: 'unreadable',
    reason: expect.stringContaining('STORE_DAMAGED'),
  });
});

test('a file that exists is not replaced', async () => {
  await configured();
  await writeFile(join(folder.path, 'bundle.tar.gz'), 'mine');
  const { exitCode, stderr } = await bundle();
  expect(exitCode).toBe(74);
  expect(stderr).toContain('bundle.tar.gz cannot be written (EEXIST)');
  expect(await readFile(join(folder.path, 'bundle.tar.gz'), 'utf8')).toBe('mine');
});
