import { randomUUID } from 'node:crypto';
import { existsSync, statSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { startSyntheticBitbucket } from '../../simulators/bitbucket-synthetic.ts';
import { satelliteYml } from '../../simulators/satellite-process.ts';
import { type SeiSimulator, startSeiSimulator } from '../../simulators/sei/simulator.ts';
import type { Check, Outcome } from '../check.ts';
import { program, Satellite } from '../satellite.ts';
import { integrationId } from '../world.ts';

const mib = 2 ** 20;
const pageBytes = 2 * mib;
const maxMib = 256;
const maxReadyMs = 5_000;

/** What a start finds. */
interface Backlog {
  readonly pages: number;
  readonly commitFilesMib: number;
  readonly pullRequests: number;
}

const backlogs: Readonly<Record<'short' | 'long', readonly Backlog[]>> = {
  short: [{ pages: 100, commitFilesMib: 56, pullRequests: 10_000 }],
  long: [
    { pages: 1_024, commitFilesMib: 0, pullRequests: 0 },
    { pages: 512, commitFilesMib: 1_024, pullRequests: 500_000 },
  ],
};

/** A start with gigabytes of pages that SEI has not taken yet, of counted files and of what a scan has found out. */
export const backlogCheck: Check = {
  name: 'backlog',
  minutes: { short: 4, long: 15 },
  run: async ({ folder, isLong }) => {
    const figures: string[] = [];
    const problems: string[] = [];
    for (const backlog of backlogs[isLong ? 'long' : 'short']) {
      const outcome = await startWith(backlog, join(folder, String(backlog.pages)));
      figures.push(outcome.figure);
      problems.push(...outcome.problems);
    }
    return { figure: figures.join('; '), problems };
  },
};

async function startWith({ pages, commitFilesMib, pullRequests }: Backlog, folder: string): Promise<Outcome> {
  await using sei = await startSeiSimulator();
  await using bitbucket = await startSyntheticBitbucket([]);
  await mkdir(folder);
  await writeConfiguration(folder, bitbucket.url, sei, {});
  const path = join(folder, 'data', 'satellite.db');
  await fillWithCommitFiles(path, commitFilesMib * mib);
  const jobId = await fillStore(path, sei.tenant, pages, pullRequests);
  const satellite = new Satellite(folder);
  const problems: string[] = [];
  const readyMs = await Promise.race([satellite.ready, satellite.ended.then(() => Number.NaN)]);
  if (!(readyMs <= maxReadyMs)) problems.push(`ready after ${readyMs} ms: ${satellite.tail()}`);
  const job = await sei.waitForJob(jobId, 6 * 60_000).catch((error: Error) => {
    problems.push(error.message);
  });
  if (job !== undefined && job.status !== 'SUCCESS') problems.push(`the job is ${job.status}`);
  const pushed = sei.pages(jobId).length;
  if (pushed !== pages) problems.push(`${pushed} of ${pages} pages arrived`);
  problems.push(...sei.violations.slice(0, 3));
  // What the job has found out is taken over as SEI acknowledges it.
  await delay(2_000);
  satellite.measure();
  const { exitCode } = await satellite.kill('SIGTERM');
  if (exitCode !== 0) problems.push(`SIGTERM: exit code ${exitCode}`);
  const left = await jobsIn(path);
  if (left > 0) problems.push('the job is still there');
  const peak = Math.round(satellite.peakRssBytes / mib);
  if (peak > maxMib) problems.push(`${peak} MiB of memory`);
  const content =
    `${(pages * pageBytes) / mib} MiB of pages, ${commitFilesMib} MiB of counted files, ` +
    `${pullRequests} pull requests`;
  return { figure: `${content}: ready after ${(readyMs / 1000).toFixed(1)} s, ${peak} MiB`, problems };
}

const capBytes = 64 * mib;

/**
 * SEI takes nothing for a while: the store grows to its cap and no further, the crawl waits, is stopped and waits again, and
 * goes on as soon as there is room.
 */
export const storeCapCheck: Check = {
  name: 'store-cap',
  minutes: { short: 4, long: 4 },
  run: async ({ folder }): Promise<Outcome> => {
    const project = { key: 'BULK', repositories: 60, commits: 2_000, pullRequests: 0 };
    await using sei = await startSeiSimulator();
    await using bitbucket = await startSyntheticBitbucket([project]);
    await writeConfiguration(folder, bitbucket.url, sei, { store: { max_bytes: capBytes } });
    const away = sei.fault({ match: 'push', status: 503, headers: { 'Retry-After': '1' } });
    await fillWithCommitFiles(join(folder, 'data', 'satellite.db'), capBytes / 2);
    const jobId = sei.addJob({ integrationId });
    const problems: string[] = [];
    let satellite = new Satellite(folder);
    let largest = 0;
    const measure = () => {
      largest = Math.max(
        largest,
        ['', '-wal'].reduce((sum, suffix) => sum + sizeOf(folder, suffix), 0),
      );
    };
    const watching = setInterval(measure, 200);
    const untilAtCap = async () => {
      const line = await satellite.line(({ code }) => code === 'STORE_AT_CAP', 60_000);
      await delay(1_000);
      const before = bitbucket.requests;
      await delay(3_000);
      const asked = bitbucket.requests - before;
      if (asked > 5) problems.push(`${asked} requests were made while the store was full`);
      return { pages: Number(line.pages), bytes: Number(line.bytes) };
    };
    try {
      const { bytes } = await untilAtCap();
      if (!(bytes > capBytes * 0.75)) problems.push(`the crawl waits with ${bytes} bytes of pages`);
      satellite.measure();
      const firstPeakRssBytes = satellite.peakRssBytes;
      const stoppedAtMs = performance.now();
      const { exitCode } = await satellite.kill('SIGTERM');
      const stopMs = performance.now() - stoppedAtMs;
      if (exitCode !== 0 || stopMs > 10_000) problems.push(`SIGTERM: exit code ${exitCode} after ${stopMs} ms`);
      satellite = new Satellite(folder);
      satellite.peakRssBytes = firstPeakRssBytes;
      const { pages } = await untilAtCap();
      const stood = { requests: bitbucket.requests, pushes: sei.requests.push };
      // Slow enough that it can be seen which comes first.
      sei.fault({ match: 'push', delayMs: 250 });
      away();
      const goesOn = () => bitbucket.requests - stood.requests > 5;
      for (let waitedMs = 0; !goesOn() && waitedMs < 60_000; waitedMs += 20) await delay(20);
      const pushed = sei.requests.push - stood.pushes;
      if (pushed > pages / 2) problems.push(`the crawl went on only after ${pushed} of ${pages} pages`);
      const { status, exception } = await sei.waitForJob(jobId, 150_000);
      if (status !== 'SUCCESS') problems.push(`the job is ${status}: ${exception?.message}`);
      let commits = 0;
      for (const { records } of sei.namedFiles(jobId)) {
        for (const record of records as { commits?: unknown[] }[]) commits += record.commits?.length ?? 0;
      }
      const wanted = project.repositories * project.commits;
      if (commits !== wanted) problems.push(`${commits} of ${wanted} commits arrived`);
      problems.push(...sei.violations.slice(0, 3));
      satellite.measure();
    } finally {
      clearInterval(watching);
      await satellite.kill('SIGTERM');
    }
    // The log of SQLite and the pages that were filling when the cap was reached come on top.
    if (largest > capBytes * 1.25) problems.push(`the store took ${Math.round(largest / mib)} MiB`);
    const peak = Math.round(satellite.peakRssBytes / mib);
    if (peak > maxMib) problems.push(`${peak} MiB of memory`);
    return {
      figure: `cap ${capBytes / mib} MiB, largest ${Math.round(largest / mib)} MiB, ${peak} MiB of memory`,
      problems,
    };
  },
};

function sizeOf(folder: string, suffix: string): number {
  const file = join(folder, 'data', `satellite.db${suffix}`);
  return existsSync(file) ? statSync(file).size : 0;
}

async function writeConfiguration(folder: string, url: string, sei: SeiSimulator, more: object): Promise<void> {
  const yml = satelliteYml({
    sei,
    bitbucket: { url, username: 'satellite', password: 'any' },
    integrationId,
    metadata: { backfill_days: 36_500, fetch_commit_files: false },
    satellite: {
      data_dir: join(folder, 'data'),
      listen: 'off',
      scheduling_interval: 1,
      log: { format: 'json' },
      ...more,
    },
  });
  await writeFile(join(folder, 'satellite.yml'), yml, { mode: 0o600 });
}

type StoreModule = typeof import('../../../src/store/store.ts');

/** By the program's own store: a job that is crawled, its pages, and what it will remember of pull requests. */
async function fillStore(path: string, tenant: string, pages: number, pullRequests: number): Promise<string> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const { Store } = (await import(join(dirname(program), 'store/store.js'))) as StoreModule;
  const store = new Store(path);
  const key = { tenant_id: tenant, integration_id: integrationId };
  const id = randomUUID();
  store.jobs.add({
    id,
    integrationId,
    origin: 'schedule',
    controllerName: 'BitbucketServerIterativeScanController',
    query: { integration_key: key, from: 1, to: 2, should_fetch_repos: false },
    isFull: false,
    fromMs: 1,
    toMs: 2,
    fetchRepositories: false,
    createdAtMs: Date.now(),
  });
  store.slices.setDiscovered(id, Date.now());
  for (let number = 0; number < pages; number++) {
    store.pages.add({ jobId: id, dataType: 'commits', number }, 1, pageOf(key, number));
  }
  const found = { fingerprint: 'f'.repeat(43), isOpen: false, readAtMs: 1, sentMs: 1 };
  store.transaction(() => {
    for (let n = 0; n < pullRequests; n++) store.pullRequests.addFound(id, 1 + (n % 1_000), { ...found, id: 1 + n });
  });
  store.close();
  return id;
}

async function jobsIn(path: string): Promise<number> {
  const { Store } = (await import(join(dirname(program), 'store/store.js'))) as StoreModule;
  const store = new Store(path);
  const { length } = store.jobs.list();
  store.close();
  return length;
}

/** Counted files that others have left: they give way to pages. */
async function fillWithCommitFiles(path: string, bytes: number): Promise<void> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const { Store } = (await import(join(dirname(program), 'store/store.js'))) as StoreModule;
  const store = new Store(path);
  const files = { f: [[null, 'f'.repeat(3_500), 1, 0]] };
  store.transaction(() => {
    for (let number = 0; number < bytes / 4_096; number++) {
      store.commitFiles.add(number.toString(16).padStart(40, '0'), files);
    }
  });
  store.close();
}

/** One commit with a very long message. */
function pageOf(key: object, number: number): Buffer {
  const metadata = {
    integration_key: key,
    integration_type: 'bitbucket_server',
    data_type: 'commits',
    page_number: number,
  };
  const person = { name: 'Ada', emailAddress: 'ada@example.com' };
  const sha = number.toString(16).padStart(40, '0');
  const commit = {
    ...{ id: sha, displayId: sha.slice(0, 11), author: person, committer: person },
    ...{ authorTimestamp: 1_700_000_000_000, committerTimestamp: 1_700_000_000_000, parents: [] },
    ...{ projectName: 'Bulk', repoName: 'bulk', commitUrl: 'http://127.0.0.1/', message: 'm'.repeat(pageBytes - 900) },
  };
  const project = { key: 'BULK', name: 'Bulk' };
  const record = { project, repository: { slug: 'bulk', id: 1, name: 'bulk', project }, commits: [commit] };
  return Buffer.from(JSON.stringify({ _metadata: metadata, records: [record], count: 1 }));
}
