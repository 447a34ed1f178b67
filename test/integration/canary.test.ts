import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';
import { expect, test } from '@jest/globals';
import { ScratchRepository } from '../simulators/bitbucket/scratch-repository.ts';
import { startBitbucketSimulator } from '../simulators/bitbucket/simulator.ts';
import { startSeiSimulator } from '../simulators/sei/simulator.ts';
import { spellingsOf } from '../support/spellings.ts';
import { CertificateWorkshop } from './network/certificates.ts';
import {
  type Canary,
  echoOf,
  findCanaries,
  type Place,
  startRecordingProxy,
  watchProcesses,
} from './support/canaries.ts';
import { temporaryFolder } from './support/main-job.ts';

const program = fileURLToPath(new URL('../../dist/main.js', import.meta.url));

const secret = {
  seiKey: 'canary-sei-key+51f0c2/aa==',
  password: 'canary & <pass> "wörd" \\77ab %41',
  token: 'canary-token-40c2-d00d',
  tokenBeside: 'canary-unused-token-8d1e',
  firstKey: 'canary-first-of-keys-5c5c',
  secondKey: 'canary-second-of-keys-6d6d',
  proxyPassword: 'canary:proxy/p@55 wörd',
  environmentProxy: 'canary-of-the-environment-1b2c',
  otherApplication: 'canary-of-jira-33e1-74aa',
  encryption: 'canary encryption 90b7',
};
const secrets: Canary[] = Object.entries(secret).map(([name, value]) => ({ name, value }));

/** What Bitbucket shows, and what SEI is to have of it: everything else stays where it is. */
const contents: Canary[] = [
  { name: 'source line', value: 'canary source line 71c0 = 1;' },
  { name: 'removed source line', value: 'canary removed line 6e1d = 2;' },
  { name: 'comment', value: 'canary comment that nobody else reads 22fa' },
  { name: 'inline comment', value: 'canary inline comment b8c4' },
  // Spooled pages are in the store, and SQLite does not wipe what it deletes.
  {
    name: 'commit message',
    value: 'canary message of a commit 0d5e',
    allowedIn: ['sent to SEI', 'store', 'scan --out'],
  },
  { name: 'title', value: 'canary title of a pull request c9a1', allowedIn: ['sent to SEI', 'store', 'scan --out'] },
  { name: 'description', value: 'canary description 4f7b', allowedIn: ['sent to SEI', 'store', 'scan --out'] },
];

async function repository(folder: string): Promise<ScratchRepository> {
  const git = await ScratchRepository.create(join(folder, 'ledger.git'));
  const at = Math.floor(Date.now() / 1000) - 3600;
  const text = (name: string) => `${contents.find((one) => one.name === name)?.value ?? ''}\n`;
  await git.commit(
    { branch: 'main', at, files: { 'src/a.c': text('removed source line') }, message: 'first' },
    { branch: 'main', at: at + 60, files: { 'src/a.c': text('source line') }, message: text('commit message') },
    { branch: 'feature', from: 'main', at: at + 120, files: { 'src/b.c': text('source line') }, message: 'feature' },
  );
  return git;
}

test('no secret, source line or comment leaves by any way, whatever the servers repeat', async () => {
  await using cleanUp = new AsyncDisposableStack();
  const folder = await temporaryFolder();
  cleanUp.defer(() => folder.remove());
  const workshop = cleanUp.use(await CertificateWorkshop.open());
  const certificate = await workshop.selfSigned();
  const keyLine = (await readFile(certificate.keyFile, 'utf8')).split('\n')[1] ?? '';
  const canaries = [...secrets, ...contents, { name: 'private key', value: keyLine }];
  const git = await repository(folder.path);
  // The password of an encrypted file is known where one is read only.
  const known = secrets.filter(({ name }) => name !== 'encryption');
  const messages = [
    ...echoOf([...known, { name: 'login', value: `satellite:${secret.password}` }]),
    // Each secret where the satellite cuts a message: in its middle.
    ...known.map(({ value }, index) => `${'.'.repeat(185 - index)}${value} and more`),
  ];

  const bitbucket = await startBitbucketSimulator({
    repositories: [
      { projectKey: 'PAY', slug: 'ledger', gitDir: git.gitDir },
      { projectKey: 'PAY', slug: 'moved', gitDir: git.gitDir },
      ...messages.map((_, index) => ({ projectKey: 'PAY', slug: `broken-${index}`, gitDir: git.gitDir })),
    ],
    credentials: [
      { kind: 'basic', username: 'satellite', password: secret.password },
      { kind: 'bearer', token: secret.token },
      { kind: 'basic', username: 'second', password: secret.secondKey },
    ],
  });
  cleanUp.defer(() => bitbucket.close());
  const play = bitbucket.pullRequests('PAY', 'ledger');
  const value = (name: string) => contents.find((one) => one.name === name)?.value ?? '';
  const id = await play.open({
    from: 'feature',
    author: 'ada',
    title: value('title'),
    description: value('description'),
    reviewers: ['grace'],
  });
  await play.comment(id, 'grace', value('comment'));
  await play.comment(id, 'grace', value('inline comment'), { inline: { path: 'src/b.c', line: 1 } });

  const sei = await startSeiSimulator({ apiKey: secret.seiKey });
  cleanUp.defer(() => sei.close());
  const proxyLogin = `proxy-user:${secret.proxyPassword}`;
  const proxy = await startRecordingProxy(proxyLogin);
  cleanUp.defer(() => proxy.close());

  const dataDir = join(folder.path, 'data');
  await mkdir(dataDir, { mode: 0o700 });
  await writeFile(join(folder.path, 'sei-key'), `${secret.seiKey}\n`, { mode: 0o600 });
  const port = await freePort();
  const integration = (name: string, login: object) => ({
    id: name,
    application: 'bitbucket_server',
    url: bitbucket.url,
    tls: { cert_file: certificate.certFile, key_file: certificate.keyFile },
    rate_limit: { max_in_flight: 2 },
    ...login,
    metadata: {
      backfill_days: 30,
      fetch_pr_commits: true,
      ...(name === 'basic' ? {} : { repos: 'ledger, moved' }),
      ...(name === 'git' ? { commit_source: 'git' } : {}),
    },
  });
  const yml = {
    satellite: {
      tenant: sei.tenant,
      api_key_file: 'sei-key',
      url: sei.url,
      data_dir: dataDir,
      listen: `127.0.0.1:${port}`,
      log: { level: 'debug', format: 'json' },
      proxy: {
        host: '127.0.0.1',
        port: proxy.port,
        username: 'proxy-user',
        password: secret.proxyPassword,
      },
    },
    integrations: [
      // biome-ignore lint/suspicious/noTemplateCurlyInString: it is the satellite that fills it in
      integration('basic', { username: 'satellite', password: '${CANARY_PASSWORD}', token: secret.tokenBeside }),
      integration('git', { username: 'satellite', password: secret.password }),
      integration('bearer', { authentication: 'bearer', token: secret.token }),
      integration('several', {
        authentication: 'multiple_api_keys',
        keys: [
          { username: 'first', api_key: secret.firstKey },
          { username: 'second', api_key: secret.secondKey },
        ],
      }),
      { id: 'jira', application: 'jira', api_key: secret.otherApplication },
    ],
    jira: { api_key: secret.otherApplication },
  };
  const config = join(folder.path, 'satellite.yml');
  await writeFile(config, JSON.stringify(yml, undefined, 2), { mode: 0o600 });

  const places: Place[] = [];
  const env = {
    PATH: process.env.PATH,
    CANARY_PASSWORD: secret.password,
    HTTPS_PROXY: `http://u:${secret.environmentProxy}@127.0.0.1:1`,
  };
  const run = async (name: string, args: readonly string[], more: { env?: object; stopAfterMs?: number } = {}) => {
    const child = spawn(process.execPath, [program, ...args], {
      cwd: folder.path,
      env: { ...env, ...more.env },
      detached: true,
    });
    const processes = watchProcesses(child.pid);
    child.stdin.end();
    if (more.stopAfterMs !== undefined) setTimeout(() => child.kill('SIGTERM'), more.stopAfterMs);
    const [stdout, stderr] = await Promise.all([child.stdout.toArray(), child.stderr.toArray(), once(child, 'close')]);
    const output = { stdout: Buffer.concat(stdout), stderr: Buffer.concat(stderr) };
    places.push({ name: `${name}: stdout`, bytes: output.stdout }, { name: `${name}: stderr`, bytes: output.stderr });
    places.push({ name: `${name}: processes`, bytes: processes() });
    return { exitCode: child.exitCode, stdout: String(output.stdout), stderr: String(output.stderr) };
  };
  const withConfig = (...args: string[]) => [...args, '--config', config];

  const echo = messages.join(' ');
  const json = (message: string) =>
    JSON.stringify({ errors: [{ message, exceptionName: `com.example.${secret.token}Exception` }] });
  const html = { 'content-type': 'text/html', 'x-arequestid': '@CANARY7x1' };
  for (const resource of ['repos', 'branches', 'commits', 'pull-requests', 'activities']) {
    bitbucket.fault({ match: resource, times: 1, status: 503, headers: html, body: `<html>${echo}</html>` });
    const headers = { 'x-arequestid': '@C' };
    bitbucket.fault({ match: resource, times: 1, status: 502, headers, body: json(`${secret.password} ${echo}`) });
    bitbucket.fault({ match: resource, times: 1, status: 429, headers: { 'retry-after': '0' }, body: json(echo) });
  }
  for (const [index, message] of messages.entries()) {
    bitbucket.fault({ match: `/broken-${index}/`, status: 500, body: json(message) });
  }
  const location = `${bitbucket.url}/${encodeURIComponent(secret.password)}?token=${secret.token}`;
  bitbucket.fault({ match: '/moved/pull-requests', status: 302, headers: { location } });
  bitbucket.fault({ match: 'raw-diff', times: 2, status: 500, body: json(echo) });
  for (const match of ['register', 'list', 'push', 'report'] as const) {
    sei.fault({ match, times: 1, status: 500, headers: html, body: `<html>${echo}</html>` });
  }

  const jobs = ['basic', 'git', 'bearer', 'several'].map((name) =>
    sei.addJob({ integrationId: name, shouldFetchRepos: true }),
  );
  const main = await run('run --once', withConfig('run', '--once'));
  expect(
    sei
      .jobs()
      .filter(({ jobId }) => jobs.includes(jobId))
      .map(({ status }) => status),
  ).toEqual(Array(4).fill('SUCCESS'));
  expect(main.exitCode).toBe(0);
  // The echoes did arrive, and what is not secret in them is shown.
  expect(main.stderr).toMatch(/"code":"BITBUCKET_SERVER_ERROR"[^\n]*\*\*\*/);
  expect(main.stderr).toContain('"requestId":"@C');
  expect(main.stderr).toContain('A request is made again');
  expect(main.stderr).toContain('One of several credentials is refused; the others go on');
  expect(
    sei
      .jobs()
      .flatMap(({ failures }) => failures)
      .map(({ message }) => message)
      .join('\n'),
  ).toContain('***');
  for (const line of main.stderr.trim().split('\n')) JSON.parse(line);

  proxy.refuse(echo);
  const stopping = run('run without a way', withConfig('run'), { stopAfterMs: 8_000 });
  const served = `http://127.0.0.1:${port}`;
  const readyz = await until(async () => (await (await fetch(`${served}/readyz`)).text()).includes('SEI'));
  expect(readyz).toBe(true);
  for (const path of ['/', '/livez', '/readyz', '/metrics', '/status.json']) {
    places.push({ name: `served at ${path}`, bytes: Buffer.from(await (await fetch(served + path)).arrayBuffer()) });
  }
  await run('status', withConfig('status'));
  await run('status --json', withConfig('status', '--json'));
  await run('support-bundle beside it', withConfig('support-bundle', '--output', join(folder.path, 'beside.tar.gz')));
  places.push({ name: 'bundle beside it', bytes: gunzipSync(await readFile(join(folder.path, 'beside.tar.gz'))) });
  const stopped = await stopping;
  expect(stopped).toMatchObject({ exitCode: 0, stderr: expect.stringContaining('"message":"Satellite stops"') });
  await run('check without a way', withConfig('check'));
  proxy.refuse(undefined);
  await run('check', withConfig('check'));
  await run('check --json', withConfig('check', '--json'));
  await run('validate', withConfig('validate'));
  await run('store verify', withConfig('store', 'verify'));
  const out = join(folder.path, 'pages');
  await run('scan --out', withConfig('scan', '--integration', 'basic', '--out', out));
  bitbucket.fault({ match: 'repos', status: 302, headers: { location: `http://other.example.com/${secret.token}` } });
  await run('scan', withConfig('scan', '--integration', 'basic'));

  // A file that cannot be used, with secrets in the wrong places.
  const broken = JSON.stringify({ ...yml, satellite: { ...yml.satellite, url: `https://u:${secret.token}@` } });
  await writeFile(join(folder.path, 'broken.yml'), broken, { mode: 0o600 });
  await run('validate, broken', ['validate', '--config', join(folder.path, 'broken.yml')]);
  await run('run, broken', ['run', '--once', '--config', join(folder.path, 'broken.yml')]);
  const password = { env: { ENCRYPTION_PASSWORD: secret.encryption } };
  await run('encrypt', ['encrypt', config, '--out', join(folder.path, 'encrypted.yml')], password);
  await run('validate, encrypted', ['validate', '--config', join(folder.path, 'encrypted.yml')], password);

  const bundle = join(folder.path, 'bundle.tar.gz');
  const bundled = await run('support-bundle', withConfig('support-bundle', '--output', bundle));
  expect(bundled.exitCode).toBe(0);

  // One line for each place that the satellite writes to or serves.
  places.push({ name: 'sent to SEI', bytes: proxy.sent() });
  places.push({ name: 'reports', bytes: Buffer.from(JSON.stringify([sei.jobs(), sei.agents()])) });
  places.push({ name: 'support bundle', bytes: gunzipSync(await readFile(bundle)) });
  const clones = join(dataDir, 'clones');
  for (const file of await readdir(clones, { recursive: true, withFileTypes: true })) {
    // The objects are source by intention, packed; all beside them says where they came from.
    if (!file.isFile() || /[\\/]objects(?:[\\/]|$)/.test(file.parentPath)) continue;
    places.push({ name: `clone: ${file.name}`, bytes: await readFile(join(file.parentPath, file.name)) });
  }
  for (const file of await readdir(dataDir)) {
    if (file === 'clones') continue;
    const name = file.startsWith('satellite.db') ? 'store' : `data directory: ${file}`;
    places.push({ name, bytes: await readFile(join(dataDir, file)) });
  }
  for (const file of await readdir(out, { recursive: true, withFileTypes: true })) {
    if (file.isFile()) places.push({ name: 'scan --out', bytes: await readFile(join(file.parentPath, file.name)) });
  }
  expect(places.map(({ name }) => name)).toEqual(
    expect.arrayContaining(['store', 'data directory: satellite.log', 'clone: config']),
  );
  // Git was at work, and seen.
  const processes = places.find(({ name }) => name === 'run --once: processes')?.bytes.toString('latin1');
  expect(processes).toMatch(/git\0[\s\S]*fetch/);
  expect(findCanaries(canaries, places)).toEqual([]);

  // The search does find: what SEI is to have is there.
  const allowed = contents
    .filter(({ allowedIn }) => allowedIn !== undefined)
    .map(({ name, value: text }) => ({ name, value: text }));
  const found = findCanaries(
    allowed,
    places.filter(({ name }) => name === 'sent to SEI' || name === 'scan --out'),
  );
  for (const { name } of allowed) {
    expect(found.some((line) => line.startsWith(name) && line.endsWith('sent to SEI'))).toBe(true);
    expect(found.some((line) => line.startsWith(name) && line.endsWith('scan --out'))).toBe(true);
  }
  expect(spellingsOf(secret.token).size).toBeGreaterThan(25);
}, 300_000);

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  return port;
}

/** Whether it came to be so within ten seconds; what cannot be asked yet is not so yet. */
async function until(isSo: () => Promise<boolean>): Promise<boolean> {
  for (let tries = 0; tries < 100; tries++) {
    if (await isSo().catch(() => false)) return true;
    await delay(100);
  }
  return false;
}
