/**
 * The satellite's whole job on git repositories of yours: `npm run demo -- [path/to/repository …]`, by default on this
 * project's own history. Everything happens on loopback and nothing is kept.
 */
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { startBitbucketSimulator } from '../simulators/bitbucket/simulator.ts';
import { gitEnvironment } from '../simulators/git/git.ts';
import { writeSyntheticRepository } from '../simulators/git/synthetic-repository.ts';
import { SatelliteProcess, satelliteFolder } from '../simulators/satellite-process.ts';
import { type SeiSimulator, startSeiSimulator } from '../simulators/sei/simulator.ts';

const integrationId = '4711';
const username = 'satellite';
const password = 'demo-7f3b9c1e';

/** Reaches back further than any repository: the demo shows whole histories. */
const backfillDays = 365 * 60;

const say = (text: string) => process.stdout.write(`${text}\n`);

await using cleanUp = new AsyncDisposableStack();
const gitDirs = await repositories(process.argv.slice(2));
const bitbucket = await startBitbucketSimulator({
  repositories: gitDirs.map((gitDir) => ({ projectKey: 'DEMO', slug: slugOf(gitDir), gitDir })),
  credentials: [{ kind: 'basic', username, password }],
});
cleanUp.defer(() => bitbucket.close());
const sei = await startSeiSimulator();
cleanUp.defer(() => sei.close());
const jobId = sei.addJob({ integrationId, shouldFetchRepos: true });
const folder = await satelliteFolder({
  sei,
  bitbucket: { url: bitbucket.url, username, password },
  integrationId,
  metadata: { backfill_days: backfillDays },
  satellite: { log: { format: 'text' } },
});
cleanUp.defer(() => folder.remove());

say(`Bitbucket   ${bitbucket.url} with ${gitDirs.length} repositories`);
say(`SEI         ${sei.url}, a job waits`);
say('Satellite   run --once\n');
const satellite = new SatelliteProcess(folder.path, ['run', '--once'], { stdio: ['ignore', 'pipe', 'inherit'] });
const { exitCode, seconds, peakRssBytes } = await satellite.finished();

const job = sei.jobs().find((candidate) => candidate.jobId === jobId);
say(`\nWhat SEI has ingested (job ${job?.status}):\n`);
table(sei, jobId);
say(`\nRequests    ${bitbucket.requests.total} to Bitbucket${byResource(bitbucket.requests.counts)}`);
say(`            ${sei.requests.total} to SEI, ${sei.requests.push} of them pages`);
say(`Time        ${seconds.toFixed(1)} s`);
say(
  `Peak memory ${peakRssBytes === undefined ? 'not known on this system' : `${Math.round(peakRssBytes / 2 ** 20)} MiB`}`,
);
for (const { message } of job?.failures ?? []) say(`Not read    ${message}`);
for (const violation of sei.violations) say(`Violation   ${violation}`);
if (exitCode !== 0 || job?.status !== 'SUCCESS' || sei.violations.length > 0) process.exitCode = 1;

async function repositories(paths: readonly string[]): Promise<string[]> {
  if (paths.length > 0) return paths.map((path) => resolve(path));
  const own = fileURLToPath(new URL('../..', import.meta.url));
  if (existsSync(join(own, '.git')) && hasHistory(own)) return [own];
  say('This folder is no git repository with a history: a synthetic one is made.');
  const made = await mkdtemp(join(tmpdir(), 'satellite-demo-'));
  cleanUp.defer(() => rm(made, { recursive: true, force: true }));
  const options = { seed: 1, commits: 200, files: 20, mergeEvery: 10, authors: 5 };
  const gitDir = join(made, 'synthetic.git');
  await writeSyntheticRepository(gitDir, { ...options, startMs: Date.UTC(2026, 0, 1), intervalMs: 3_600_000 });
  return [gitDir];
}

function hasHistory(folder: string): boolean {
  try {
    execFileSync('git', ['-C', folder, 'rev-parse', '--verify', 'HEAD'], { stdio: 'ignore', env: gitEnvironment() });
    return true;
  } catch {
    return false;
  }
}

function slugOf(path: string): string {
  return (basename(path).replace(/\.git$/, '') || basename(resolve(path, '..'))).toLowerCase();
}

function table({ ingested }: SeiSimulator, id: string): void {
  const { commits, pullRequests, tags, repositories } = ingested(id);
  const names = new Set([...commits, ...pullRequests, ...tags, ...repositories].map(({ repository }) => repository));
  const rows = [...names].sort().map((name) => {
    const own = commits.filter(({ repository }) => repository === name).map(({ commit }) => commit);
    const of = (list: readonly { repository: string }[]) => list.filter(({ repository }) => repository === name).length;
    return {
      repository: name,
      commits: own.length,
      files: own.reduce((sum, { files }) => sum + (files?.length ?? 0), 0),
      'lines added': own.reduce((sum, { additions }) => sum + (additions ?? 0), 0),
      'lines removed': own.reduce((sum, { deletions }) => sum + (deletions ?? 0), 0),
      'pull requests': of(pullRequests),
      tags: of(tags),
      repositories: of(repositories),
    };
  });
  const columns = Object.keys(rows[0] ?? { repository: '' }) as (keyof (typeof rows)[number])[];
  const widths = columns.map((column) => Math.max(column.length, ...rows.map((row) => String(row[column]).length)));
  const line = (cells: readonly (string | number)[]) =>
    say(
      cells
        .map((cell, at) => (at === 0 ? String(cell).padEnd(widths[at] ?? 0) : String(cell).padStart(widths[at] ?? 0)))
        .join('  '),
    );
  line(columns);
  for (const row of rows) line(columns.map((column) => row[column]));
}

function byResource(counts: Readonly<Record<string, number>>): string {
  const sorted = Object.entries(counts).sort(([, a], [, b]) => b - a);
  return sorted.length === 0 ? '' : ` (${sorted.map(([resource, count]) => `${count} ${resource}`).join(', ')})`;
}
