import { join } from 'node:path';
import { Bitbucket } from './bitbucket.ts';
import { whyNoGitSource } from './git-availability.ts';
import { plainGit } from './plain-git.ts';
import { median, type Row, shown } from './report.ts';
import { type BenchRepository, writeRepositories } from './repositories.ts';
import type { ScanFigures } from './satellite-scan.ts';
import type { Surroundings } from './surroundings.ts';

const latencyMs = 10;
const latency = { everyMs: latencyMs };
const commitsOnly = { fetch_prs: false, fetch_tags: false };
const pairs = 3;

/** One repository with a long history: processor and memory by REST, and `commit_source: git` beside REST and plain git. */
export async function history(surroundings: Surroundings): Promise<void> {
  const { dir, isQuick, report } = surroundings;
  const repositories = await writeRepositories(join(dir, 'history'), [
    { projectKey: 'LONG', repositories: 1, commitsEach: isQuick ? 1000 : 10_000, mergeEvery: 6 },
  ]);
  const [repository] = repositories;
  if (repository === undefined) throw new Error('there is no repository');
  report.say(
    `\nHistory: one repository of ${repository.commits} commits and ${repository.pullRequests} pull requests; ${latencyMs} ms latency`,
  );
  const rest = await byRest(surroundings, repositories);
  const git = await byGit(surroundings, repository);

  const rows: Row[] = [
    row('REST, with pull requests', rest.everything),
    row('REST, commits only', rest.commits),
    git.satellite === undefined
      ? { 'one long history': 'git, commits only', ...nothing }
      : row('git, commits only', git.satellite),
    ...(git.plainSeconds === undefined
      ? []
      : [{ 'one long history': 'git clone --bare + git log', ...nothing, seconds: shown(git.plainSeconds, 1) }]),
  ];
  report.table('One long history', rows);
  const per10000 = (rest.everything.cpuSeconds * 10_000) / repository.commits;
  report.say(
    `\nSeconds are of the whole process. By REST, ${shown(per10000, 1)} CPU s for 10,000 commits with their pull requests; the server\n` +
      'answers from memory. By git it runs git for each clone.',
  );
  if (git.reason !== undefined) report.say(`commit_source: git is ${git.reason}`);
  report.atMost('REST, MiB of memory', rest.everything.peakRssMib, 256, 'exact');
  if (git.satellite === undefined || git.ratio === undefined) return;
  report.atMost('git source, times the time of plain git', git.ratio, 1.5, 'timed', 2);
  const fewer = rest.commits.requests.length / git.satellite.requests.length;
  report.atLeast('git source, times fewer requests than REST', fewer, isQuick ? 5 : 50, 'exact');
  report.atMost('git source, MiB of memory', git.satellite.peakRssMib, 256, 'exact');
}

const nothing = { requests: '', seconds: '', 'CPU s': '', 'peak MiB': '' };

function row(name: string, { requests, processSeconds, cpuSeconds, peakRssMib }: ScanFigures): Row {
  return {
    'one long history': name,
    requests: shown(requests.length),
    seconds: shown(processSeconds, 1),
    'CPU s': shown(cpuSeconds, 1),
    'peak MiB': shown(peakRssMib),
  };
}

async function byRest({ satellites }: Surroundings, repositories: readonly BenchRepository[]) {
  await using bitbucket = await Bitbucket.start({ repositories, fromMemory: true });
  const order = { bitbucket, toMs: Date.now() };
  await satellites.scan(order);
  const everything = await satellites.scan({ ...order, latency });
  const commits = await satellites.scan({ ...order, latency, metadata: commitsOnly });
  return { everything, commits };
}

interface ByGit {
  readonly satellite?: ScanFigures;
  readonly plainSeconds?: number;
  /** Of pairs, so that both met the machine in the same mood. */
  readonly ratio?: number;
  readonly reason?: string;
}

async function byGit({ satellites, dir }: Surroundings, repository: BenchRepository): Promise<ByGit> {
  await using bitbucket = await Bitbucket.start({ repositories: [repository], fromMemory: false, latencyMs });
  const { projectKey, slug } = repository;
  const reason = await whyNoGitSource(bitbucket, projectKey, slug);
  if (reason !== undefined) return { reason };
  const order = { bitbucket, latency, toMs: Date.now(), metadata: { ...commitsOnly, commit_source: 'git' } };
  const measured: { satellite: ScanFigures; plainSeconds: number }[] = [];
  for (let pair = 0; pair < pairs; pair++) {
    const satellite = await satellites.scan(order);
    if (satellite.commits !== repository.commits) throw new Error(`git source: ${satellite.commits} commits`);
    const plainSeconds = await plainGit(`${bitbucket.url}/scm/${projectKey}/${slug}.git`, dir);
    measured.push({ satellite, plainSeconds });
  }
  const [first] = measured;
  return {
    ...(first === undefined ? {} : { satellite: first.satellite }),
    plainSeconds: median(measured.map((each) => each.plainSeconds)),
    ratio: median(measured.map((each) => each.satellite.processSeconds / each.plainSeconds)),
  };
}
