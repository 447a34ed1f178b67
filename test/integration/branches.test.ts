import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
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
