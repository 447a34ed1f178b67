import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { existsSync, statSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { startSyntheticBitbucket } from '../../simulators/bitbucket-synthetic.ts';
import { satelliteYml } from '../../simulators/satellite-process.ts';
import { type SeiSimulator, startSeiSimulator } from '../../simulators/sei/simulator.ts';
import type { Check, Outcome } from '../check.ts';
import type { Content } from '../fill-store.ts';
import { Satellite } from '../satellite.ts';
import { integrationId } from '../world.ts';

const mib = 2 ** 20;
const pageBytes = 2 * mib;
const maxMib = 256;
const maxReadyMs = 5_000;
const maxDrainMs = 4 * 60_000;

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
  minutes: { short: 6, long: 15 },
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
  const jobId = randomUUID();
  const job = { id: jobId, tenant: sei.tenant, integrationId, pages, pageBytes, pullRequests };
  await fill({ path, commitFilesBytes: commitFilesMib * mib, job });
  const satellite = new Satellite(folder);
  const problems: string[] = [];
  const readyMs = await Promise.race([satellite.ready, satellite.ended.then(() => Number.NaN)]);
  if (!(readyMs <= maxReadyMs)) problems.push(`ready after ${readyMs} ms: ${satellite.tail()}`);
  const view = await sei.waitForJob(jobId, maxDrainMs).catch((error: Error) => {
    problems.push(error.message);
  });
  if (view !== undefined && view.status !== 'SUCCESS') problems.push(`the job is ${view.status}`);
  const pushed = sei.pages(jobId).length;
  if (pushed !== pages) problems.push(`${pushed} of ${pages} pages arrived`);
  problems.push(...sei.violations.slice(0, 3));
  // What the job has found out is taken over as SEI acknowledges it: the signal comes in the middle of that.
  await delay(1_000);
  satellite.measure();
  const stopped = await satellite.stop();
  problems.push(...stopped.problems);
  const left = leftIn(path);
  if (left.jobs > 0) problems.push('the job is still there');
  if (left.pullRequests !== pullRequests) problems.push(`${left.pullRequests} pull requests are remembered`);
  const peak = Math.round(satellite.peakRssBytes / mib);
  if (peak > maxMib) problems.push(`${peak} MiB of memory`);
  const content =
    `${(pages * pageBytes) / mib} MiB of pages, ${commitFilesMib} MiB of counted files, ` +
    `${pullRequests} pull requests`;
  return {
    figure: `${content}: ready after ${(readyMs / 1000).toFixed(1)} s, ended after ${(stopped.tookMs / 1000).toFixed(1)} s, ${peak} MiB`,
    problems,
  };
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
    // Counted files that others have left: they give way to pages.
    await fill({ path: join(folder, 'data', 'satellite.db'), commitFilesBytes: capBytes / 2 });
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
      const stopped = await satellite.stop();
      problems.push(...stopped.problems);
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
      problems.push(...(await satellite.stop()).problems);
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

/** In a process of its own, while the servers here go on. */
async function fill(content: Content): Promise<void> {
  const script = fileURLToPath(new URL('../fill-store.ts', import.meta.url));
  await promisify(execFile)(process.execPath, [script, JSON.stringify(content)]);
}

/** What has become of a job and of what it had found out, in a store that nobody has open. */
function leftIn(path: string): { readonly jobs: number; readonly pullRequests: number } {
  using database = new DatabaseSync(path, { readOnly: true });
  const count = (table: string) => Number(database.prepare(`SELECT count(*) AS n FROM ${table}`).get()?.n);
  return { jobs: count('jobs'), pullRequests: count('pull_requests') };
}
