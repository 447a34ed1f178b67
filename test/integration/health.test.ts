import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { Ajv } from 'ajv';
import { canMount, seenBy, withDisk } from '../crash/namespace.ts';
import { type BitbucketSimulator, startBitbucketSimulator } from '../simulators/bitbucket/simulator.ts';
import { writeSyntheticRepository } from '../simulators/git/synthetic-repository.ts';
import { type Folder, SatelliteProcess, satelliteFolder } from '../simulators/satellite-process.ts';
import { type SeiSimulator, startSeiSimulator } from '../simulators/sei/simulator.ts';
import { temporaryFolder } from './support/main-job.ts';
import { ask, viewsOf } from './support/views.ts';

// The built program as a process, made to fail in each way that health knows, and looked at from all sides.

const isBuilt = existsSync(fileURLToPath(new URL('../../dist/main.js', import.meta.url)));
if (!isBuilt) process.stdout.write('skipped: health of the process, as there is no build (npm run build)\n');
const testBuilt = isBuilt ? test : test.skip;
if (!canMount) process.stdout.write('skipped: health on a full disk, as unshare -m is not allowed here\n');

/** What every outage must be seen and forgotten within. */
const noticeMs = 30_000;

let history: Awaited<ReturnType<typeof temporaryFolder>>;
let bitbucket: BitbucketSimulator;
let sei: SeiSimulator;
let folder: Folder;
let port: number;
const running = new Set<SatelliteProcess>();

beforeAll(async () => {
  history = await temporaryFolder();
  const options = { seed: 4, commits: 60, files: 8, mergeEvery: 15, authors: 3, intervalMs: 3_600_000 };
  for (const name of ['ledger', 'tokens']) {
    await writeSyntheticRepository(join(history.path, `${name}.git`), { ...options, startMs: Date.UTC(2026, 0, 1) });
  }
});
afterAll(() => history.remove());

beforeEach(async () => {
  bitbucket = await startBitbucketSimulator({
    repositories: ['ledger', 'tokens'].map((slug) => ({
      projectKey: 'PAY',
      slug,
      gitDir: join(history.path, `${slug}.git`),
    })),
    credentials: [{ kind: 'basic', username: 'u', password: 'p' }],
  });
  sei = await startSeiSimulator();
  port = await freePort();
  folder = await satelliteFolder({
    sei,
    bitbucket: { url: bitbucket.url, username: 'u', password: 'p' },
    integrationId: '4711',
    metadata: { backfill_days: 365 * 60 },
    satellite: { scheduling_interval: 1, listen: `127.0.0.1:${port}` },
  });
});

/** Changes what is in `satellite:` of the file. */
function configure(satellite: object): void {
  const file = join(folder.path, 'satellite.yml');
  const config = JSON.parse(readFileSync(file, 'utf8'));
  writeFileSync(file, JSON.stringify({ ...config, satellite: { ...config.satellite, ...satellite } }));
}

afterEach(async () => {
  for (const each of running) each.child.kill('SIGKILL');
  running.clear();
  await bitbucket.close();
  await sei.close();
  await folder.remove();
});

interface StartOptions {
  readonly wrapper?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port: free } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return free;
}

function start(args: readonly string[], options: StartOptions = {}) {
  const satellite = new SatelliteProcess(folder.path, args, options);
  running.add(satellite);
  return { child: satellite.child, finished: satellite.finished() };
}

async function satelliteSays(...args: string[]) {
  const { exitCode, stdout, stderr } = await start(args).finished;
  return { exitCode, stdout, stderr };
}

/** Waits until all five views, `satellite status` among them, say the same, and it is this. */
async function expectAllToSay(ready: boolean, failing: readonly string[], options: StartOptions = {}): Promise<void> {
  const view = { ready, failing: [...failing].sort() };
  const wanted = { live: true, json: view, readyz: view, metrics: view, page: view, status: view };
  const deadlineMs = performance.now() + noticeMs;
  let views: unknown;
  while (performance.now() < deadlineMs) {
    try {
      // The cheap views first: starting a process for each look would take both cores.
      views = await viewsOf(port);
      expect(views).toEqual(wanted);
      const status = await start(['status'], options).finished;
      views = await viewsOf(port, status.stdout);
      expect(views).toEqual(wanted);
      expect(status.exitCode).toBe(ready ? 0 : 1);
      return;
    } catch {
      await delay(200);
    }
  }
  expect(views).toEqual(wanted);
}

async function stop(satellite: ReturnType<typeof start>): Promise<void> {
  satellite.child.kill('SIGTERM');
  expect((await satellite.finished).exitCode).toBe(0);
}

const outageMs = 4 * noticeMs;

testBuilt(
  'SEI is away and comes back; a refused key is another matter; however long the interval is',
  async () => {
    // The default, between whose rounds all of this happens.
    configure({ scheduling_interval: 60 });
    const satellite = start(['run']);
    await expectAllToSay(true, []);
    const mend = sei.fault({ match: /./, status: 503 });
    await expectAllToSay(false, ['SEI']);
    expect((await ask(port, '/readyz')).body).toMatch(
      /^not ready\nSEI: failing since 20\S+Z: SEI_SERVER_ERROR: .*\(503\)\n$/,
    );
    mend();
    await expectAllToSay(true, []);
    const allow = sei.fault({ match: /./, status: 401 });
    await expectAllToSay(false, ['API key of SEI']);
    expect(await satelliteSays('status', '--probe')).toMatchObject({
      exitCode: 0,
      stdout: expect.stringMatching(/^live, not ready: API key of SEI: failing since .*SEI_KEY_REFUSED.*\n$/),
    });
    expect((await satelliteSays('status', '--probe', 'ready')).exitCode).toBe(1);
    allow();
    await expectAllToSay(true, []);
    expect(await satelliteSays('status', '--probe')).toMatchObject({ exitCode: 0, stdout: 'live, ready\n' });
    await stop(satellite);
  },
  outageMs,
);

testBuilt(
  'Bitbucket is away while nothing is asked of it, and comes back',
  async () => {
    const satellite = start(['run']);
    await expectAllToSay(true, []);
    const mend = bitbucket.fault({ match: /./, status: 503 });
    await expectAllToSay(false, ['Bitbucket 4711']);
    mend();
    await expectAllToSay(true, []);
    // Nobody logged in for it.
    expect(bitbucket.requests.count('status')).toBeGreaterThan(0);
    expect(bitbucket.requests.total).toBe(bitbucket.requests.count('status'));
    satellite.child.kill('SIGTERM');
    const { exitCode, stderr } = await satellite.finished;
    expect(exitCode).toBe(0);
    const told = stderr.split('\n').filter((line) => line.includes('"message":"Bitbucket '));
    expect(told.map((line) => JSON.parse(line))).toMatchObject([
      { level: 'warn', message: 'Bitbucket does not answer; it is asked again', code: 'BITBUCKET_SERVER_ERROR' },
      { level: 'info', message: 'Bitbucket answers again', integrationId: '4711' },
    ]);
  },
  outageMs,
);

testBuilt(
  'refused credentials stay refused until the file is mended, over reloads of the same process',
  async () => {
    const file = join(folder.path, 'satellite.yml');
    const good = readFileSync(file, 'utf8');
    writeFileSync(file, good.replace('"api_key":"p"', '"api_key":"wrong"'));
    const satellite = start(['run']);
    await expectAllToSay(true, []);
    const failed = sei.addJob({ integrationId: '4711' });
    await sei.waitForJob(failed);
    await expectAllToSay(false, ['Credentials for Bitbucket 4711']);
    writeFileSync(file, good);
    satellite.child.kill('SIGHUP');
    await expectAllToSay(true, []);
    expect((await sei.waitForJob(sei.addJob({ integrationId: '4711' }))).status).toBe('SUCCESS');
    await expectAllToSay(true, []);
    await stop(satellite);
  },
  outageMs,
);

testBuilt(
  'SEI talks and takes no pages',
  async () => {
    const satellite = start(['run']);
    await expectAllToSay(true, []);
    const mend = sei.fault({ match: 'push', status: 503 });
    const jobId = sei.addJob({ integrationId: '4711' });
    await expectAllToSay(false, ['Delivery to SEI 4711']);
    // Numbers of the store may be two seconds old.
    await delay(2_500);
    const report = JSON.parse((await ask(port, '/status.json')).body);
    expect(report.spool.pages).toBeGreaterThan(0);
    expect(report.spool.oldestPageAgeSeconds).toBeLessThan(60);
    expect(report.integrations[0].running).toMatchObject({ commits: 120, repositories: 2, full: true });
    mend();
    await sei.waitForJob(jobId, 90_000);
    await expectAllToSay(true, []);
    await stop(satellite);
  },
  outageMs + 60_000,
);

testBuilt.each([
  ['fails', { status: 503 }, true],
  ['takes requests and answers none of them', { delayMs: 600_000 }, false],
])(
  'REST %s while /status says that all is well',
  async (_what, fault, canStop) => {
    const satellite = start(['run']);
    await expectAllToSay(true, []);
    const mend = bitbucket.fault({ match: /^\/rest\//, ...fault });
    sei.addJob({ integrationId: '4711' });
    await expectAllToSay(false, ['Requests to Bitbucket 4711']);
    // It stays so, through all the probes and beyond the end of the job.
    for (let looks = 0; looks < 40; looks++) {
      await delay(1_000);
      expect((await viewsOf(port)).json).toEqual({ ready: false, failing: ['Requests to Bitbucket 4711'] });
    }
    mend();
    if (canStop) {
      await expectAllToSay(true, []);
      await stop(satellite);
    }
  },
  outageMs + 60_000,
);

testBuilt(
  'pages that SEI does not take fill the room there is for them',
  async () => {
    configure({ store: { max_bytes: 64 * 2 ** 20 }, data_dir: join(folder.path, 'data') });
    expect((await satelliteSays('run', '--once')).exitCode).toBe(0);
    const store = new DatabaseSync(join(folder.path, 'data', 'satellite.db'));
    store.exec("INSERT INTO meta (key, value) VALUES ('ballast', hex(zeroblob(33554432)))");
    store.close();
    const satellite = start(['run']);
    await expectAllToSay(true, []);
    const mend = sei.fault({ match: 'push', status: 503 });
    const jobId = sei.addJob({ integrationId: '4711' });
    await expectAllToSay(false, ['Delivery to SEI 4711', 'Room for pages']);
    mend();
    expect((await sei.waitForJob(jobId, 90_000)).status).toBe('SUCCESS');
    await expectAllToSay(true, []);
    await stop(satellite);
  },
  outageMs + 90_000,
);

testBuilt(
  'a round with SEI that does not end makes the scheduler late, and never the process dead',
  async () => {
    const satellite = start(['run']);
    await expectAllToSay(true, []);
    configure({ scheduling_interval: 60 });
    satellite.child.kill('SIGHUP');
    await delay(2_000);
    const mend = sei.fault({ match: 'heartbeat', delayMs: 45_000, times: 1 });
    await expectAllToSay(false, ['Scheduler']);
    mend();
    await delay(15_000);
    await expectAllToSay(true, []);
    await stop(satellite);
  },
  outageMs,
);

(isBuilt && canMount ? test : test.skip)(
  'a full disk is noticed though nobody writes, and so is room on it',
  async () => {
    const dataDir = join(folder.path, 'data');
    mkdirSync(dataDir);
    const satellite = start(['run'], { wrapper: withDisk(dataDir, { mib: 2 }) });
    await expectAllToSay(true, []);
    const ballast = join(seenBy(satellite.child.pid, dataDir), 'ballast');
    try {
      writeFileSync(ballast, Buffer.alloc(4 * 2 ** 20));
    } catch {
      // Full.
    }
    const jobId = sei.addJob({ integrationId: '4711' });
    await expectAllToSay(false, ['Disk']);
    expect((await ask(port, '/readyz')).body).toContain('STORE_FULL');
    rmSync(ballast);
    expect((await sei.waitForJob(jobId, 60_000)).status).toBe('SUCCESS');
    await expectAllToSay(true, []);
    await stop(satellite);
  },
  outageMs + 60_000,
);

testBuilt('a reload leaves the port open, and what is counted is counted on', async () => {
  const satellite = start(['run']);
  await expectAllToSay(true, []);
  await sei.waitForJob(sei.addJob({ integrationId: '4711', shouldFetchRepos: true }));
  await delay(1_500);
  const pushed = /^satellite_records_pushed_total\{type="commits"\} (\d+)$/m;
  expect(pushed.exec((await ask(port, '/metrics')).body)?.[1]).toBe('120');
  let isReloading = true;
  const looking = (async () => {
    const answers = new Set<number>();
    while (isReloading) {
      answers.add((await ask(port, '/readyz')).status);
      await delay(5);
    }
    return answers;
  })();
  for (let times = 0; times < 3; times++) {
    satellite.child.kill('SIGHUP');
    await delay(700);
  }
  isReloading = false;
  expect([...(await looking)]).toEqual([200]);
  expect(pushed.exec((await ask(port, '/metrics')).body)?.[1]).toBe('120');
  // A new address is taken at once, and the old one given up.
  const [oldPort, newPort] = [port, await freePort()];
  const file = join(folder.path, 'satellite.yml');
  writeFileSync(file, readFileSync(file, 'utf8').replace(`127.0.0.1:${oldPort}`, `127.0.0.1:${newPort}`));
  satellite.child.kill('SIGHUP');
  port = newPort;
  await expectAllToSay(true, []);
  await expect(ask(oldPort, '/livez')).rejects.toThrow('ECONNREFUSED');
  await stop(satellite);
});

testBuilt(
  'a reload that ends the process ends it, though health is served',
  async () => {
    const satellite = start(['run']);
    await expectAllToSay(true, []);
    const file = join(folder.path, 'satellite.yml');
    const config = JSON.parse(readFileSync(file, 'utf8'));
    config.satellite.data_dir = join(file, 'no-folder');
    writeFileSync(file, JSON.stringify(config));
    satellite.child.kill('SIGHUP');
    expect((await satellite.finished).exitCode).toBe(74);
  },
  20_000,
);

testBuilt(
  'everything that happens in a job is counted where it happens',
  async () => {
    const refuse = bitbucket.fault({ match: /repos\/tokens\/commits/, status: 500 });
    bitbucket.fault({ match: 'branches', status: 429, times: 1, headers: { 'Retry-After': '1' } });
    const satellite = start(['run']);
    await expectAllToSay(true, []);
    const job = await sei.waitForJob(sei.addJob({ integrationId: '4711', shouldFetchRepos: true }));
    expect(job.failures).toHaveLength(1);
    await delay(2_500);
    const { body } = await ask(port, '/metrics');
    const sample = (series: string) =>
      Number(
        body
          .split('\n')
          .find((line) => line.startsWith(`${series} `))
          ?.split(' ')[1],
      );
    const crawled = (type: string) => sample(`satellite_records_crawled_total{type="${type}"}`);
    const pushed = (type: string) => sample(`satellite_records_pushed_total{type="${type}"}`);
    expect(crawled('commits')).toBe(60);
    expect(crawled('repositories')).toBe(2);
    for (const type of ['commits', 'pull_requests', 'repositories', 'tags']) expect(pushed(type)).toBe(crawled(type));
    expect(sample('satellite_pages_pushed_total')).toBe(sei.requests.push);
    expect(sample('satellite_pages_spooled_total')).toBe(sei.requests.push);
    expect(sample('satellite_jobs_total{outcome="partial"}')).toBe(1);
    expect(sample('satellite_throttled_total{leg="bitbucket"}')).toBe(1);
    expect(sample('satellite_rate_wait_seconds_total{leg="bitbucket"}')).toBeGreaterThan(0.5);
    for (const first of [2, 3, 4, 5]) {
      const answers = bitbucket.requests.list.filter(
        ({ resource, status }) => resource !== 'status' && Math.floor(status / 100) === first,
      );
      const counted = sample(`satellite_requests_total{leg="bitbucket",code_class="${first}xx"}`);
      expect([first, counted]).toEqual([first, answers.length]);
    }
    const statusRequests = bitbucket.requests.count('status');
    expect(sample('satellite_request_duration_seconds_count{leg="bitbucket"}')).toBe(
      bitbucket.requests.total - statusRequests,
    );
    expect(sample('satellite_errors_total{code="BITBUCKET_SERVER_ERROR"}')).toBe(1);
    expect(sample('satellite_repositories_covered')).toBe(2);
    expect(sample('satellite_repositories_failing')).toBe(1);
    expect(sample('satellite_coverage_lag_seconds')).toBeLessThan(30);
    expect(Date.now() / 1000 - sample('satellite_last_success_timestamp_seconds{leg="sei"}')).toBeLessThan(10);
    const { stdout, exitCode } = await satelliteSays('status');
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(
      /repositories {2}2 with SEI, 1 not read in full\n {2}WARN PAY\/tokens commits: .*\[BITBUCKET_SERVER_ERROR\]/,
    );

    // The reasons outlive the process; a repository that can be read again fails no more.
    await stop(satellite);
    const next = start(['run']);
    await expectAllToSay(true, []);
    expect((await satelliteSays('status')).stdout).toContain('PAY/tokens commits');
    refuse();
    await sei.waitForJob(sei.addJob({ integrationId: '4711' }));
    await delay(2_500);
    expect((await satelliteSays('status')).stdout).toContain('2 with SEI, none fails');
    await stop(next);
  },
  60_000,
);

testBuilt('what is printed as JSON is what the schema says', async () => {
  const satellite = start(['run']);
  await expectAllToSay(true, []);
  sei.fault({ match: 'push', status: 503 });
  sei.addJob({ integrationId: '4711' });
  await expectAllToSay(false, ['Delivery to SEI 4711']);
  const { stdout } = await satelliteSays('status', '--json');
  const schema = JSON.parse(readFileSync(new URL('../../schemas/status.schema.json', import.meta.url), 'utf8'));
  const isValid = new Ajv({ strict: true }).compile(schema);
  const isRight = isValid(JSON.parse(stdout));
  expect(isValid.errors).toBeNull();
  expect(isRight).toBe(true);
  satellite.child.kill('SIGKILL');
});

testBuilt('status says so where nothing runs, where something else answers, and where nothing listens', async () => {
  expect(await satelliteSays('status')).toMatchObject({
    exitCode: 69,
    stdout: '',
    stderr: expect.stringContaining(
      `No satellite answers at 127.0.0.1:${port} (satellite.listen): nothing listens there`,
    ),
  });
  expect((await satelliteSays('status', '--probe')).exitCode).toBe(69);
  const other = createServer((socket) => socket.end('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}'));
  await new Promise<void>((resolve) => other.listen(port, '127.0.0.1', resolve));
  expect(await satelliteSays('status')).toMatchObject({
    exitCode: 69,
    stderr: expect.stringContaining('no satellite'),
  });
  other.close();
  const file = join(folder.path, 'satellite.yml');
  writeFileSync(file, readFileSync(file, 'utf8').replace(`127.0.0.1:${port}`, 'off'));
  expect(await satelliteSays('status', '--probe')).toMatchObject({
    exitCode: 78,
    stderr: expect.stringContaining('satellite.listen is off'),
  });
});

testBuilt(
  'the probe finds the process that runs, whatever has become of its configuration since',
  async () => {
    const file = join(folder.path, 'satellite.yml');
    const dataDir = join(folder.path, 'data');
    configure({ data_dir: undefined });
    const env = { STATE_DIRECTORY: dataDir };
    const satellite = start(['run'], { env });
    const probe = async () => {
      const { exitCode, stdout } = await start(['status', '--probe', '--config', file], { env }).finished;
      return { exitCode, stdout };
    };
    await expectAllToSay(true, [], { env });
    const good = readFileSync(file, 'utf8');
    for (const changed of [
      good.replace(`127.0.0.1:${port}`, '127.0.0.1:1'),
      good.replace(`127.0.0.1:${port}`, 'off'),
      good.replace('scheduling_interval', 'sheduling').replace('"tenant"', '"tennant"'),
      '{',
    ]) {
      writeFileSync(file, changed);
      expect(await probe()).toEqual({ exitCode: 0, stdout: 'live, ready\n' });
    }
    const { stderr, exitCode } = await start(['status', '--config', file], { env }).finished;
    expect([exitCode, stderr]).toEqual([0, expect.stringContaining('runs with what it has read [CONFIG_INVALID]')]);

    // Another file is another satellite's.
    writeFileSync(join(folder.path, 'other.yml'), '{');
    const other = start(['status', '--probe', '--config', join(folder.path, 'other.yml')], { env });
    expect((await other.finished).exitCode).toBe(78);

    // What a crash leaves behind names nobody that answers.
    writeFileSync(file, good);
    satellite.child.kill('SIGKILL');
    await satellite.finished;
    expect((await probe()).exitCode).toBe(69);
  },
  outageMs,
);

testBuilt(
  'the answer of another satellite that has the port is not taken for our own',
  async () => {
    const first = start(['run']);
    await expectAllToSay(true, []);
    const file = join(folder.path, 'second.yml');
    const config = JSON.parse(readFileSync(join(folder.path, 'satellite.yml'), 'utf8'));
    const dataDir = join(folder.path, 'second');
    writeFileSync(file, JSON.stringify({ ...config, satellite: { ...config.satellite, data_dir: dataDir } }));
    const second = start(['run', '--config', file]);
    for (let looks = 0; looks < 100 && !existsSync(join(dataDir, 'satellite.db')); looks++) await delay(100);
    await delay(500);
    const asked = await start(['status', '--probe', '--config', file]).finished;
    expect([asked.exitCode, asked.stderr]).toEqual([69, expect.stringContaining('another satellite answers there')]);
    const bundled = await start(['support-bundle', '--config', file, '--output', join(folder.path, 'b.tgz')]).finished;
    expect(bundled.stdout).toMatch(/left out {2}metrics\.txt .*another satellite answers there/);
    // Once the first is gone, its port is had.
    await stop(first);
    for (let looks = 0; looks < 40; looks++) {
      if ((await start(['status', '--probe', '--config', file]).finished).exitCode === 0) break;
      await delay(250);
    }
    expect((await start(['status', '--probe', '--config', file]).finished).exitCode).toBe(0);
    await stop(second);
  },
  outageMs,
);

testBuilt(
  'status --watch goes on until nobody reads it, and --json is a line each time',
  async () => {
    const satellite = start(['run']);
    await expectAllToSay(true, []);
    const watching = start(['status', '--watch', '--json']);
    let seen = '';
    watching.child.stdout?.on('data', (text) => {
      seen += String(text);
    });
    for (let looks = 0; looks < 100 && seen.split('\n').length < 3; looks++) await delay(100);
    const lines = seen.split('\n').slice(0, 2);
    expect(lines.map((line) => JSON.parse(line).ready)).toEqual([true, true]);
    watching.child.stdout?.destroy();
    expect((await watching.finished).exitCode).toBe(0);
    const readable = start(['status', '--watch']);
    readable.child.stdout?.once('data', () => readable.child.kill('SIGINT'));
    expect(await readable.finished).toMatchObject({
      exitCode: 0,
      stdout: expect.stringMatching(/^satellite .*: ready$/m),
    });
    await stop(satellite);
  },
  outageMs,
);

testBuilt.each([['--json'], ['--watch']])('status --probe %s makes no sense', async (option) => {
  expect((await satelliteSays('status', '--probe', option)).exitCode).toBe(64);
});
