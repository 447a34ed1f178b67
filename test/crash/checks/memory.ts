import { statSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type SyntheticProject, startSyntheticBitbucket } from '../../simulators/bitbucket-synthetic.ts';
import { satelliteYml } from '../../simulators/satellite-process.ts';
import { type SeiSimulator, startSeiSimulator } from '../../simulators/sei/simulator.ts';
import type { Check, Context } from '../check.ts';
import { Satellite } from '../satellite.ts';

const maxMib = 256;
/** In a smaller file hardly a page has waited: the sink was not slower than the source. */
const leastStoreMib = 8;

/** Files cost a request a commit: one integration reads them of a few repositories, at the same time as the other reads all else. */
const integrations = { BULK: ['BULK', 'LARGE'], FILES: ['FILES'] };

interface Size {
  readonly projects: readonly SyntheticProject[];
  /** The sink is slower than the source. */
  readonly pushMs: number;
  readonly minutes: number;
}

const short: Size = {
  projects: [
    { key: 'BULK', repositories: 100, commits: 100, pullRequests: 18 },
    { key: 'LARGE', repositories: 1, commits: 60_000, pullRequests: 100 },
    { key: 'FILES', repositories: 5, commits: 150, pullRequests: 10 },
  ],
  pushMs: 400,
  minutes: 2,
};

const long: Size = {
  projects: [
    { key: 'BULK', repositories: 1_000, commits: 800, pullRequests: 50 },
    { key: 'LARGE', repositories: 1, commits: 200_000, pullRequests: 1_000 },
    { key: 'FILES', repositories: 40, commits: 500, pullRequests: 20 },
  ],
  pushMs: 1_500,
  minutes: 25,
};

/** Whatever is crawled, and however slowly it drains: the process stays as small as it is. */
export const memoryCheck: Check = {
  name: 'memory',
  minutes: { short: 5, long: 55 },
  run: async (context) => {
    const size = context.isLong ? long : short;
    const problems: string[] = [];
    const figures: string[] = [];
    for (const nodeOptions of ['', '--max-old-space-size=160']) {
      const crawl = await crawlAll(context, size, nodeOptions);
      problems.push(...crawl.problems.map((one) => `${nodeOptions || 'no options'}: ${one}`));
      figures.push(
        `${crawl.mib} MiB in ${crawl.seconds} s, ${crawl.storeMib} MiB of store${nodeOptions === '' ? '' : ` with ${nodeOptions}`}`,
      );
      if (crawl.storeMib < leastStoreMib)
        problems.push(`the sink kept up: the store had ${crawl.storeMib} MiB at most`);
      if (crawl.mib > maxMib) problems.push(`${crawl.mib} MiB of memory ${nodeOptions}`);
    }
    const all = `${total(size.projects, 'commits')} commits, ${total(size.projects, 'pullRequests')} pull requests`;
    return { figure: `${all}: ${figures.join(', ')}`, problems };
  },
};

function total(projects: readonly SyntheticProject[], kind: 'commits' | 'pullRequests'): number {
  return projects.reduce((sum, project) => sum + project.repositories * project[kind], 0);
}

async function crawlAll({ folder }: Context, { projects, pushMs, minutes }: Size, nodeOptions: string) {
  const startedAtMs = performance.now();
  await using bitbucket = await startSyntheticBitbucket(projects);
  await using sei = await startSeiSimulator();
  // However slow this machine is, that much waits before the first page is taken.
  const take = sei.fault({ match: 'push', status: 503 });
  sei.fault({ match: 'push', delayMs: pushMs });
  const home = join(folder, `memory${nodeOptions}`);
  await writeConfiguration(home, bitbucket.url, sei);
  const jobIds = Object.keys(integrations).map((integrationId) =>
    sei.addJob({ integrationId, shouldFetchRepos: true }),
  );
  const satellite = new Satellite(home, { env: nodeOptions === '' ? {} : { NODE_OPTIONS: nodeOptions } });
  const problems: string[] = [];
  const mib = () => Math.round(satellite.peakRssBytes / 2 ** 20);
  const seconds = () => Math.round((performance.now() - startedAtMs) / 1000);
  const { promise: brokenOff, reject: breakOff } = Promise.withResolvers<never>();
  const store = join(home, 'data', 'satellite.db');
  let storeBytes = 0;
  const watching = setInterval(() => {
    storeBytes = Math.max(storeBytes, statSync(store, { throwIfNoEntry: false })?.size ?? 0);
    if (storeBytes >= leastStoreMib * 2 ** 20) take();
    // What grows without an end need not be waited for.
    if (mib() > maxMib) breakOff(new Error(`broken off after ${seconds()} s`));
  }, 500);
  try {
    const died = satellite.ended.then(({ exitCode, signal, stderr }) => {
      throw new Error(`the satellite ended: ${exitCode ?? signal} ${stderr.slice(0, 300)}`);
    });
    const jobs = Promise.all(jobIds.map((id) => sei.waitForJob(id, minutes * 60_000)));
    const views = await Promise.race([jobs, died, brokenOff]);
    for (const { status, failures } of views) {
      if (status !== 'SUCCESS' || failures.length > 0) problems.push(`a job is ${status}, ${failures.length} failures`);
    }
    satellite.measure();
    problems.push(...count(sei, jobIds, projects, bitbucket.commitNumber));
    problems.push(...sei.violations.slice(0, 3));
  } catch (error) {
    problems.push(error instanceof Error ? error.message : String(error));
  } finally {
    clearInterval(watching);
    problems.push(...(await satellite.stop()).problems);
  }
  return { mib: mib(), storeMib: Math.round(storeBytes / 2 ** 20), seconds: seconds(), problems };
}

/** Each commit and each pull request once; one file at a time is looked at. */
function count(
  sei: SeiSimulator,
  jobIds: readonly string[],
  projects: readonly SyntheticProject[],
  numbersOf: (id: string) => { readonly repository: number; readonly commit: number },
): string[] {
  const seen = { commits: new Map<number, Set<number>>(), pullRequests: new Map<number, Set<number>>() };
  let repeated = 0;
  const note = (kind: keyof typeof seen, repository: number, number: number) => {
    const numbers = seen[kind].get(repository) ?? new Set();
    if (numbers.has(number)) repeated++;
    seen[kind].set(repository, numbers.add(number));
  };
  for (const jobId of jobIds) {
    for (const { records } of sei.namedFiles(jobId)) {
      for (const { repository, commits = [], pullRequests = [] } of records as SeiRecord[]) {
        for (const { id } of commits) note('commits', numbersOf(id).repository, numbersOf(id).commit);
        for (const { id } of pullRequests) note('pullRequests', repository.id, id);
      }
    }
  }
  const problems: string[] = repeated > 0 ? [`${repeated} items came twice`] : [];
  for (const kind of ['commits', 'pullRequests'] as const) {
    const wanted = total(projects, kind);
    const found = [...seen[kind].values()].reduce((sum, numbers) => sum + numbers.size, 0);
    if (found !== wanted) problems.push(`${found} of ${wanted} ${kind} arrived`);
  }
  return problems;
}

interface SeiRecord {
  readonly repository: { readonly id: number };
  readonly commits?: readonly { readonly id: string }[];
  readonly pullRequests?: readonly { readonly id: number }[];
}

/** Integrations of one server, each with projects of its own. */
async function writeConfiguration(home: string, url: string, sei: SeiSimulator): Promise<void> {
  const files = Object.entries(integrations).map(([integrationId, keys]) => {
    const yml = satelliteYml({
      sei,
      bitbucket: { url, username: 'satellite', password: 'any' },
      integrationId,
      metadata: { backfill_days: 36_500, projects: keys.join(','), fetch_commit_files: integrationId === 'FILES' },
      rateLimit: { max_in_flight: 8 },
      satellite: { data_dir: join(home, 'data'), listen: 'off', scheduling_interval: 1, log: { format: 'json' } },
    });
    return JSON.parse(yml) as { readonly integrations: readonly unknown[] };
  });
  await mkdir(home, { recursive: true });
  const text = JSON.stringify({ ...files[0], integrations: files.flatMap((file) => file.integrations) });
  await writeFile(join(home, 'satellite.yml'), text, { mode: 0o600 });
}
