import { existsSync, mkdirSync, readdirSync, readFileSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { type BitbucketSimulator, startBitbucketSimulator } from '../simulators/bitbucket/simulator.ts';
import { writeSyntheticRepository } from '../simulators/git/synthetic-repository.ts';
import { type Folder, SatelliteProcess, satelliteFolder } from '../simulators/satellite-process.ts';
import { type SeiSimulator, startSeiSimulator } from '../simulators/sei/simulator.ts';
import { temporaryFolder } from './support/main-job.ts';

// The built program as a process, as an operator runs it.
const isBuilt = existsSync(fileURLToPath(new URL('../../dist/main.js', import.meta.url)));
if (!isBuilt) process.stdout.write('skipped: the daemon as a process, as there is no build (npm run build)\n');
const testBuilt = isBuilt ? test : test.skip;

const commits = 300;
let history: Awaited<ReturnType<typeof temporaryFolder>>;
let bitbucket: BitbucketSimulator;
let sei: SeiSimulator;
let folder: Folder;
const running = new Set<SatelliteProcess>();

beforeAll(async () => {
  history = await temporaryFolder();
  const options = { seed: 4, commits, files: 8, mergeEvery: 15, authors: 3, intervalMs: 3_600_000 };
  await writeSyntheticRepository(join(history.path, 'ledger.git'), { ...options, startMs: Date.UTC(2026, 0, 1) });
});
afterAll(() => history.remove());

beforeEach(async () => {
  bitbucket = await startBitbucketSimulator({
    repositories: [{ projectKey: 'PAY', slug: 'ledger', gitDir: join(history.path, 'ledger.git') }],
    credentials: [{ kind: 'basic', username: 'u', password: 'p' }],
    latencyMs: 5,
  });
  sei = await startSeiSimulator();
  folder = await satelliteFolder({
    sei,
    bitbucket: { url: bitbucket.url, username: 'u', password: 'p' },
    integrationId: '4711',
    metadata: { backfill_days: 365 * 60 },
    satellite: { scheduling_interval: 1 },
  });
});
afterEach(async () => {
  for (const each of running) each.child.kill('SIGKILL');
  running.clear();
  await bitbucket.close();
  await sei.close();
  await folder.remove();
});

/** Its log is read by its messages. */
function start(...args: string[]) {
  return startWith({}, ...args);
}

function startWith(env: NodeJS.ProcessEnv, ...args: string[]) {
  const satellite = new SatelliteProcess(folder.path, args, { env });
  running.add(satellite);
  const finished = satellite.finished();
  let log = '';
  satellite.child.stderr?.on('data', (text: string) => {
    log += text;
  });
  const logged = async (...texts: string[]) => {
    const isTold = () => log.split('\n').some((line) => texts.every((text) => line.includes(text)));
    for (let waits = 0; !isTold(); waits++) {
      if (waits > 400) throw new Error(`'${texts.join("' with '")}' was never logged:\n${log}`);
      await delay(50);
    }
  };
  return { child: satellite.child, finished, logged };
}

testBuilt(
  'SIGHUP reads the configuration again and keeps the running job; a bad file is refused and changes nothing',
  async () => {
    const satellite = start('run');
    const jobId = sei.addJob({ integrationId: '4711' });
    await satellite.logged('Scan begins');
    satellite.child.kill('SIGHUP');
    await satellite.logged('The configuration is read again');

    const file = join(folder.path, 'satellite.yml');
    const good = readFileSync(file, 'utf8');
    writeFileSync(file, good.replace('4711', '<INTEGRATION_ID>'));
    satellite.child.kill('SIGHUP');
    await satellite.logged('The new configuration is refused; the old one stays');
    // Where, what, and what to write instead.
    await satellite.logged('satellite.yml:1:');
    await satellite.logged('integrations[0].id: a placeholder was left in');
    await satellite.logged('expected the id that Harness shows for the integration');

    expect(await sei.waitForJob(jobId)).toMatchObject({ status: 'SUCCESS', attempts: 1 });
    expect(sei.ingested(jobId).commits).toHaveLength(commits);
    expect(sei.agents()).toHaveLength(1);
    satellite.child.kill('SIGTERM');
    expect(await satellite.finished).toMatchObject({ exitCode: 0, signal: null });
    expect(sei.violations).toEqual([]);
  },
);

testBuilt(
  'a clock that is set stops nothing: rounds go on at once, and the schedule counts from the new time',
  async () => {
    const file = join(folder.path, 'satellite.yml');
    const yml = JSON.parse(readFileSync(file, 'utf8')) as { satellite: object };
    writeFileSync(file, JSON.stringify({ ...yml, satellite: { ...yml.satellite, schedule: '* * * * *' } }));
    const preload = new URL('../crash/preload/clock.ts', import.meta.url).href;
    // Two days forward, four days back, and from there minutes: one may find the scan before still running.
    const minutes = [12, 16, 20, 24, 28].map((second) => `${second}000:60000`);
    const jumps = ['4000:172800000', '8000:-345600000', ...minutes].join();
    const env = { NODE_OPTIONS: `--import=${preload}`, CRASH_CLOCK_JUMPS: jumps };
    const satellite = startWith(env, 'run');
    await satellite.logged('"bySeconds":172800');
    const roundsAt = async (atLeast: number) => {
      const began = performance.now();
      while (sei.requests.list < atLeast) await delay(20);
      return performance.now() - began;
    };
    expect(await roundsAt(sei.requests.list + 2)).toBeLessThan(10_000);
    // The second line of a kind is held back: the date of the others shows it.
    const earlier = new Date(Date.now() - 172_800_000).toISOString().slice(0, 10);
    await satellite.logged(`"timestamp":"${earlier}`);
    expect(await roundsAt(sei.requests.list + 2)).toBeLessThan(10_000);
    await satellite.logged(`"timestamp":"${earlier}`, 'Scan begins');
    satellite.child.kill('SIGTERM');
    expect((await satellite.finished).exitCode).toBe(0);
  },
);

testBuilt('a single run says meanwhile that it is still there: SEI would give its job to another', async () => {
  const jobId = sei.addJob({ integrationId: '4711' });
  bitbucket.fault({ match: '/diff', delayMs: 3_500, times: 1 });
  expect((await start('run', '--once').finished).exitCode).toBe(0);
  expect(sei.jobs().find(({ jobId: id }) => id === jobId)).toMatchObject({ status: 'SUCCESS' });
  // One belongs to the round that finds nothing more.
  expect(sei.requests.heartbeat).toBeGreaterThanOrEqual(3);
  expect(sei.violations).toEqual([]);
});

testBuilt('what an interrupted support-bundle has left in the data directory is removed', async () => {
  const dataDir = join(folder.path, 'data');
  for (const [name, minutesAgo] of [
    ['satellite-summary-old', 11],
    ['satellite-summary-new', 1],
  ] as const) {
    mkdirSync(join(dataDir, name), { recursive: true });
    writeFileSync(join(dataDir, name, 'satellite.db'), 'names');
    const at = new Date(Date.now() - minutesAgo * 60_000);
    utimesSync(join(dataDir, name), at, at);
  }
  const { exitCode, stderr } = await start('run', '--once').finished;
  expect(exitCode).toBe(0);
  expect(stderr).toContain('SEI has no job for this satellite');
  expect(readdirSync(dataDir).filter((name) => name.startsWith('satellite-summary-'))).toEqual([
    'satellite-summary-new',
  ]);
});

testBuilt('a scan that was missed while the machine slept is made up for, once', async () => {
  const file = join(folder.path, 'satellite.yml');
  const yml = JSON.parse(readFileSync(file, 'utf8')) as { satellite: object };
  // Once in four years: by itself it is not due in any test.
  writeFileSync(file, JSON.stringify({ ...yml, satellite: { ...yml.satellite, schedule: '0 2 29 2 *' } }));
  const preload = new URL('../crash/preload/clock.ts', import.meta.url).href;
  const env = { NODE_OPTIONS: `--import=${preload}`, CRASH_CLOCK_JUMPS: `3000:${9 * 365 * 86_400_000}` };
  const satellite = startWith(env, 'run');
  await satellite.logged('Scan done');
  await delay(3_000);
  satellite.child.kill('SIGTERM');
  const { exitCode, stderr } = await satellite.finished;
  expect([exitCode, stderr.split('Scan begins').length - 1]).toEqual([0, 1]);
  expect(stderr.indexOf('CLOCK_SET')).toBeLessThan(stderr.indexOf('Scan begins'));
});

testBuilt('a second satellite on the same data directory ends with 75 and says who holds it', async () => {
  const first = start('run');
  await first.logged('Registered with SEI');
  const second = await start('run').finished;
  expect(second.exitCode).toBe(75);
  expect(second.stderr).toContain(`process ${first.child.pid} on `);
  first.child.kill('SIGTERM');
  expect((await first.finished).exitCode).toBe(0);
});

testBuilt('a damaged store is told, set aside, and the next job fills what is missing', async () => {
  const firstJob = sei.addJob({ integrationId: '4711' });
  expect((await start('run', '--once').finished).exitCode).toBe(0);
  const path = join(folder.path, 'data', 'satellite.db');
  const bytes = readFileSync(path);
  bytes.fill(0x55, 4096, 12_288);
  writeFileSync(path, bytes);
  expect((await start('store', 'verify').finished).exitCode).toBe(74);

  const secondJob = sei.addJob({ integrationId: '4711' });
  const again = await start('run', '--once').finished;
  expect(again.exitCode).toBe(0);
  expect(again.stderr).toContain('STORE_DAMAGED');
  expect(readdirSync(join(folder.path, 'data')).some((name) => name.startsWith('satellite.db.damaged-'))).toBe(true);
  expect(sei.ingested(secondJob).commits).toHaveLength(sei.ingested(firstJob).commits.length);
  const verified = await start('store', 'verify').finished;
  expect([verified.exitCode, verified.stdout]).toEqual([0, `${path} is sound\n`]);
});

/** A job that was taken on and not yet done, and what SEI asked for in it is not what was written any more. */
async function storeWithAFlippedBit(): Promise<string> {
  sei.addJob({ integrationId: '4711' });
  const end = sei.fault({ match: 'push', hang: true });
  const satellite = start('run');
  while (sei.requests.push === 0) await delay(20);
  satellite.child.kill('SIGTERM');
  await satellite.finished;
  end();
  sei.forgetAgents();
  const path = join(folder.path, 'data', 'satellite.db');
  const database = new DatabaseSync(path);
  database.exec(`UPDATE jobs SET query = replace(query, 'integration_id', 'integration_ie')`);
  database.close();
  return path;
}

const isAside = () => readdirSync(join(folder.path, 'data')).some((name) => name.startsWith('satellite.db.damaged-'));

testBuilt.each([[['run', '--once']], [['scan', '--integration', '4711', '--from', '2000-01-01']]])(
  'a value that only a job reads and that is damaged: %j sets the store aside and goes on',
  async (args) => {
    await storeWithAFlippedBit();
    const secondJob = sei.addJob({ integrationId: '4711' });
    const finished = start(...args).finished;
    const { exitCode, stderr, seconds } = await finished;
    expect([exitCode, stderr.includes('it is set aside')]).toEqual([0, true]);
    expect(seconds).toBeLessThan(30);
    expect(isAside()).toBe(true);
    if (args[0] === 'run') expect(sei.ingested(secondJob).commits).toHaveLength(commits);
  },
);

testBuilt('a value that only a job reads and that is damaged does not keep the satellite from starting', async () => {
  await storeWithAFlippedBit();
  const satellite = start('run');
  await satellite.logged('it is set aside');
  const job = sei.addJob({ integrationId: '4711' });
  expect(await sei.waitForJob(job)).toMatchObject({ status: 'SUCCESS' });
  expect(isAside()).toBe(true);
  satellite.child.kill('SIGTERM');
  expect((await satellite.finished).exitCode).toBe(0);
});

testBuilt('a damaged store is made anew offline, and remembers what SEI has', async () => {
  sei.addJob({ integrationId: '4711' });
  expect((await start('run', '--once').finished).exitCode).toBe(0);
  const path = join(folder.path, 'data', 'satellite.db');
  const bytes = readFileSync(path);
  const at = bytes.lastIndexOf('"f":[[');
  expect(at).toBeGreaterThan(0);
  bytes[at + 1] = 'g'.charCodeAt(0);
  writeFileSync(path, bytes);
  const repaired = await start('store', 'repair').finished;
  expect(repaired.exitCode).toBe(0);
  expect(repaired.stdout).toMatch(/coverage: 1 row\(s\) taken over/);
  expect((await start('store', 'verify').finished).exitCode).toBe(0);
  bitbucket.resetRequests();
  sei.addJob({ integrationId: '4711', from: Date.now() });
  expect((await start('run', '--once').finished).exitCode).toBe(0);
  expect(bitbucket.requests.count('commits')).toBe(1);
  expect(bitbucket.requests.count('raw-diff')).toBe(0);
});
