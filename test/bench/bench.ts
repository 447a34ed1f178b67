/**
 * Memory and speed of the built satellite against the simulators: `npm run bench`. Figures hold for one machine and one
 * run; ratios and limits are what to look at.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startBitbucketSimulator } from '../simulators/bitbucket/simulator.ts';
import { writeSyntheticRepository } from '../simulators/git/synthetic-repository.ts';
import { SatelliteProcess, satelliteFolder } from '../simulators/satellite-process.ts';
import { startSeiSimulator } from '../simulators/sei/simulator.ts';

const memoryLimitMib = 256;
const repositoryCount = 20;
const commitsEach = 500;
/** With every sixth commit of the main line a merge, 500 commits hold 50 pull requests or a few more. */
const mergeEvery = 6;
const username = 'satellite';
const password = 'bench-password';
const integrationId = '4711';

const say = (text: string) => process.stdout.write(`${text}\n`);

await using cleanUp = new AsyncDisposableStack();
const made = await mkdtemp(join(tmpdir(), 'satellite-bench-'));
cleanUp.defer(() => rm(made, { recursive: true, force: true }));
const repositories = [];
let pullRequests = 0;
for (let index = 0; index < repositoryCount; index++) {
  const slug = `bench-${index}`;
  const { gitDir, merges } = await writeSyntheticRepository(join(made, `${slug}.git`), {
    seed: index + 1,
    commits: commitsEach,
    files: 50,
    mergeEvery,
    startMs: Date.UTC(2026, 0, 1),
    intervalMs: 600_000,
    authors: 10,
  });
  pullRequests += merges.length;
  repositories.push({ projectKey: 'BENCH', slug, gitDir });
}
const bitbucket = await startBitbucketSimulator({
  repositories,
  credentials: [{ kind: 'basic', username, password }],
});
cleanUp.defer(() => bitbucket.close());
const sei = await startSeiSimulator();
cleanUp.defer(() => sei.close());
const folder = await satelliteFolder({
  sei,
  bitbucket: { url: bitbucket.url, username, password },
  integrationId,
  metadata: { backfill_days: 365 * 60 },
});
cleanUp.defer(() => folder.remove());

say(`${repositoryCount} repositories, ${repositoryCount * commitsEach} commits, ${pullRequests} pull requests\n`);
say('scan         requests  seconds  CPU s  peak MiB  commits  pull requests');
let isWithin = true;
let fromMs: number | undefined;
for (const name of ['first', 'quiet'] as const) {
  bitbucket.resetRequests();
  const toMs = Date.now();
  const jobId = sei.addJob({ integrationId, to: toMs, ...(fromMs === undefined ? {} : { from: fromMs }) });
  fromMs = toMs;
  const { exitCode, seconds, cpuSeconds, peakRssBytes } = await new SatelliteProcess(folder.path, [
    'run',
    '--once',
  ]).finished();
  const { commits, pullRequests: ingestedPullRequests } = sei.ingested(jobId);
  const peakMib = Math.round((peakRssBytes ?? Number.NaN) / 2 ** 20);
  isWithin &&= exitCode === 0 && !(peakMib > memoryLimitMib);
  say(
    [
      name.padEnd(12),
      String(bitbucket.requests.total).padStart(9),
      seconds.toFixed(1).padStart(8),
      (cpuSeconds ?? Number.NaN).toFixed(1).padStart(6),
      String(peakMib).padStart(9),
      String(commits.length).padStart(8),
      String(ingestedPullRequests.length).padStart(14),
    ].join(' '),
  );
}
for (const violation of sei.violations) say(`violation: ${violation}`);
say(`\nlimit: ${memoryLimitMib} MiB ${isWithin ? 'kept' : 'NOT KEPT'}`);
if (!isWithin || sei.violations.length > 0) process.exitCode = 1;
