/**
 * `commit_source: git` beside REST and beside plain git, over one repository: `node test/bench/git-source.ts [commits]`.
 * Figures hold for one machine and one run; ratios are what to look at. Needs `npm run build`.
 */
import { execFileSync, spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startBitbucketSimulator } from '../simulators/bitbucket/simulator.ts';
import { gitEnvironment } from '../simulators/git/git.ts';
import { writeSyntheticRepository } from '../simulators/git/synthetic-repository.ts';
import { SatelliteProcess, satelliteFolder } from '../simulators/satellite-process.ts';
import { startSeiSimulator } from '../simulators/sei/simulator.ts';

const commits = Number(process.argv[2] ?? 10_000);
const username = 'satellite';
const password = 'bench-password';
const integrationId = '4711';
const say = (text: string) => process.stdout.write(`${text}\n`);

await using cleanUp = new AsyncDisposableStack();
const made = await mkdtemp(join(tmpdir(), 'satellite-git-bench-'));
cleanUp.defer(() => rm(made, { recursive: true, force: true }));
const { gitDir } = await writeSyntheticRepository(join(made, 'bench.git'), {
  seed: 1,
  commits,
  files: 200,
  mergeEvery: 6,
  startMs: Date.UTC(2020, 0, 1),
  intervalMs: 600_000,
  authors: 30,
});

/** What anybody would do: clone over the same kind of connection, then have git count. */
async function plainGit(): Promise<number> {
  await using bitbucket = await startBitbucketSimulator({
    repositories: [{ projectKey: 'BENCH', slug: 'one', gitDir }],
    credentials: [{ kind: 'basic', username, password }],
  });
  const url = bitbucket.url.replace('://', `://${username}:${password}@`);
  const program = `set -e; git clone --bare --quiet "$1/scm/bench/one.git" "$2"; git --git-dir "$2" log --numstat --format=%H > /dev/null`;
  const begun = performance.now();
  // The simulator answers in this process, which therefore must not wait for it.
  const { promise, resolve } = Promise.withResolvers<number | null>();
  spawn('sh', ['-c', program, 'sh', url, join(made, 'plain.git')], { env: gitEnvironment(), stdio: 'inherit' }).once(
    'close',
    resolve,
  );
  if ((await promise) !== 0) throw new Error('plain git failed');
  return (performance.now() - begun) / 1000;
}

async function satellite(commitSource: 'rest' | 'git') {
  await using bitbucket = await startBitbucketSimulator({
    repositories: [{ projectKey: 'BENCH', slug: 'one', gitDir }],
    credentials: [{ kind: 'basic', username, password }],
    derivePullRequests: false,
  });
  const sei = await startSeiSimulator();
  const folder = await satelliteFolder({
    sei,
    bitbucket: { url: bitbucket.url, username, password },
    integrationId,
    metadata: { backfill_days: 365 * 60, commit_source: commitSource },
  });
  try {
    const job = sei.addJob({ integrationId, to: Date.now() });
    const { exitCode, seconds, cpuSeconds, peakRssBytes, stderr } = await new SatelliteProcess(folder.path, [
      'run',
      '--once',
    ]).finished();
    if (exitCode !== 0) throw new Error(stderr);
    const found = sei.ingested(job).commits.length;
    if (found !== commits) throw new Error(`${found} commits instead of ${commits}`);
    return {
      requests: bitbucket.requests.total,
      seconds,
      cpuSeconds,
      peakMib: Math.round((peakRssBytes ?? 0) / 2 ** 20),
    };
  } finally {
    await sei.close();
    await folder.remove();
  }
}

const plainSeconds = await plainGit();
const git = await satellite('git');
const rest = await satellite('rest');
say(`${commits} commits, ${execFileSync('git', ['version'], { encoding: 'utf8' }).trim()}\n`);
say('              requests  seconds  CPU s of the satellite  its peak MiB');
say(`plain git            -  ${plainSeconds.toFixed(1)}`);
for (const [name, row] of Object.entries({ git, rest })) {
  say(
    `${name.padEnd(12)} ${String(row.requests).padStart(9)}  ${row.seconds.toFixed(1).padStart(7)}  ${String(row.cpuSeconds).padStart(10)} ${String(row.peakMib).padStart(8)}`,
  );
}
say(
  `\n${(rest.requests / git.requests).toFixed(0)} times fewer requests than REST; ${(git.seconds / plainSeconds).toFixed(2)} times the time of plain git`,
);
