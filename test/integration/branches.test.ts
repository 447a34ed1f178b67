import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { ScratchRepository } from '../simulators/bitbucket/scratch-repository.ts';
import { gitEnvironment } from '../simulators/git/git.ts';
import { type TrickyRepository, writeTrickyRepository } from '../simulators/git/tricky-repository.ts';
import { gitTruth } from '../simulators/git/truth.ts';
import {
  expectedCommit,
  ingestedCommit,
  integrationId,
  setUp,
  temporaryFolder,
  wholeHistory,
} from './support/main-job.ts';

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let tricky: TrickyRepository;
beforeAll(async () => {
  folder = await temporaryFolder();
});
afterAll(() => folder.remove());

const sorted = (ids: readonly string[]) => [...ids].sort();

function git(gitDir: string, ...args: string[]): string {
  const who = { NAME: 'Ada', EMAIL: 'ada@example.org', DATE: '2024-05-01T00:00:00Z' };
  const env = Object.fromEntries(
    Object.entries(who).flatMap(([key, value]) => [
      [`GIT_AUTHOR_${key}`, value],
      [`GIT_COMMITTER_${key}`, value],
    ]),
  );
  return execFileSync('git', ['--git-dir', gitDir, ...args], {
    encoding: 'utf8',
    env: { ...gitEnvironment(), ...env },
  }).trim();
}

async function worldOf(name: string, branches: unknown) {
  tricky = await writeTrickyRepository(join(folder.path, name), { seed: 11 });
  return setUp([{ projectKey: 'PAY', slug: 'ledger', gitDir: tricky.gitDir }], {
    metadata: { ...wholeHistory, fetch_prs: false, fetch_tags: false, branches },
  });
}

test('all branches: every commit of each, once, as git has them, and nothing of a branch that has not moved', async () => {
  const world = await worldOf('all.git', 'all');
  try {
    const to = Date.now();
    const first = world.sei.addJob({ integrationId, to });
    expect(await world.runOnce()).toBe(0);
    const truth = await gitTruth(tricky.gitDir, '--branches');
    const byId = (a: { id: unknown }, b: { id: unknown }) => String(a.id).localeCompare(String(b.id));
    const ingested = world.sei.ingested(first).commits.map(({ commit }) => ingestedCommit(commit as never));
    expect(ingested.sort(byId)).toEqual(truth.map(expectedCommit).sort(byId));
    expect(truth.length).toBeGreaterThan(tricky.mainCount);

    const [name = ''] = Object.keys(tricky.branches).filter((branch) => branch !== 'main');
    const old = tricky.branches[name] ?? '';
    const pushed = git(tricky.gitDir, 'commit-tree', `${old}^{tree}`, '-p', old, '-m', 'pushed to a branch');
    git(tricky.gitDir, 'update-ref', `refs/heads/${name}`, pushed);
    const fresh = git(tricky.gitDir, 'commit-tree', `${old}^{tree}`, '-p', 'main', '-m', 'a new branch');
    git(tricky.gitDir, 'update-ref', 'refs/heads/fresh/one', fresh);
    git(tricky.gitDir, 'update-ref', 'refs/heads/fresh/two', fresh);
    world.bitbucket.resetRequests();
    const second = world.sei.addJob({ integrationId, from: to });
    expect(await world.runOnce()).toBe(0);
    const commits = world.sei.ingested(second).commits.map(({ commit }) => commit.id);
    expect(sorted(commits)).toEqual(sorted([pushed, fresh]));
    expect(world.bitbucket.requests.counts).toMatchObject({ branches: 1, commits: 3, 'raw-diff': 2 });

    world.bitbucket.resetRequests();
    world.sei.addJob({ integrationId, from: Date.now() });
    expect(await world.runOnce()).toBe(0);
    expect(world.bitbucket.requests.counts).toMatchObject({ branches: 1 });
    expect(world.bitbucket.requests.counts).not.toHaveProperty('commits');

    const onMain = git(tricky.gitDir, 'commit-tree', 'main^{tree}', '-p', 'main', '-m', 'pushed to main');
    git(tricky.gitDir, 'update-ref', 'refs/heads/main', onMain);
    world.bitbucket.resetRequests();
    const last = world.sei.addJob({ integrationId, from: Date.now() });
    expect(await world.runOnce()).toBe(0);
    expect(world.sei.ingested(last).commits.map(({ commit }) => commit.id)).toEqual([onMain]);
    expect(world.bitbucket.requests.counts).toMatchObject({ branches: 1, commits: 1, 'raw-diff': 1 });
    expect(world.sei.violations).toEqual([]);
  } finally {
    await world.close();
  }
});

test('globs: the branches they name and the default one, after a forced push as well', async () => {
  const world = await worldOf('globs.git', ['feature/*', 'gh-pages']);
  try {
    const to = Date.now();
    const first = world.sei.addJob({ integrationId, to });
    expect(await world.runOnce()).toBe(0);
    const named = Object.keys(tricky.branches).filter(
      (branch) => branch.startsWith('feature/') || branch === 'gh-pages',
    );
    expect(named).toHaveLength(3);
    const idsOf = async (...refs: string[]) => sorted((await gitTruth(tricky.gitDir, refs)).map(({ id }) => id));
    const ids = (job: string) => sorted(world.sei.ingested(job).commits.map(({ commit }) => commit.id));
    expect(ids(first)).toEqual(await idsOf('main', ...named.map((name) => `refs/heads/${name}`)));

    const [name = ''] = named;
    const rewritten = git(tricky.gitDir, 'commit-tree', 'main^{tree}', '-p', 'main', '-m', 'rewritten');
    git(tricky.gitDir, 'update-ref', `refs/heads/${name}`, rewritten);
    git(tricky.gitDir, 'gc', '--prune=now', '--quiet');
    const second = world.sei.addJob({ integrationId, from: to });
    expect(await world.runOnce()).toBe(0);
    expect(ids(second)).toEqual([rewritten]);
    expect(world.sei.jobs().every(({ failures }) => failures.length === 0)).toBe(true);
    expect(world.sei.violations).toEqual([]);
  } finally {
    await world.close();
  }
});

/** Two repositories, of which the first alone has a release/1; and what a scan says of the names of branches. */
async function worldOfTwo(name: string, branches: unknown) {
  const repositories = [];
  for (const slug of ['ledger', 'other']) {
    const scratch = await ScratchRepository.create(join(folder.path, `${name}-${slug}.git`));
    await scratch.commit({ branch: 'main', files: { a: slug } });
    if (slug === 'ledger') await scratch.commit({ branch: 'release/1', from: 'main', files: { b: 'b' } });
    repositories.push({ projectKey: 'PAY', slug, gitDir: scratch.gitDir });
  }
  const world = await setUp(repositories, {
    metadata: { ...wholeHistory, fetch_prs: false, fetch_tags: false, branches },
  });
  const warnings = () =>
    world.logged
      .filter(({ fields }) => (fields as { code?: string } | undefined)?.code === 'NAME_NOT_FOUND')
      .map(({ level, fields }) => `${level} ${(fields as { warning: string }).warning}`);
  return { ...world, warnings };
}

test('a scan says once of each name that no repository has a branch for it', async () => {
  const world = await worldOfTwo('names', ['main', 'release/*', 'nonexistent-branch', 'releese/*']);
  try {
    const jobId = world.sei.addJob({ integrationId });
    expect(await world.runOnce()).toBe(0);
    expect(world.warnings()).toEqual(
      ['nonexistent-branch', 'releese/*'].map(
        (entry) => `warn metadata.branches: '${entry}' matches no branch in any repository that the scan has read`,
      ),
    );
    expect(world.sei.ingested(jobId).commits).toHaveLength(3);
  } finally {
    await world.close();
  }
});

test('a scan that goes on after a restart says nothing of names: it lists the rest of the repositories only', async () => {
  const world = await worldOfTwo('restart', ['release/*']);
  try {
    world.bitbucket.fault({ match: '/other/branches', hang: true, times: 1 });
    const jobId = world.sei.addJob({ integrationId });
    const daemon = await world.newDaemon();
    const ended = daemon.once().catch(() => undefined);
    const { requests } = world.bitbucket;
    for (let waits = 0; (requests.counts['raw-diff'] ?? 0) < 2 && waits < 500; waits++) await delay(10);
    await delay(50);
    await daemon.stop();
    await ended;
    world.bitbucket.resetRequests();
    expect(await world.runOnce()).toBe(0);
    expect(requests.counts).toMatchObject({ branches: 1 });
    expect(world.sei.ingested(jobId).commits).toHaveLength(3);
    expect(world.warnings()).toEqual([]);
  } finally {
    await world.close();
  }
});
