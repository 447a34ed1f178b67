import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { ScratchRepository } from '../simulators/bitbucket/scratch-repository.ts';
import { gitEnvironment } from '../simulators/git/git.ts';
import { writeSyntheticRepository } from '../simulators/git/synthetic-repository.ts';
import { writeTrickyRepository } from '../simulators/git/tricky-repository.ts';
import { integrationId, setUp, temporaryFolder, wholeHistory } from './support/main-job.ts';

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
beforeAll(async () => {
  folder = await temporaryFolder();
});
afterAll(() => folder.remove());

type World = Awaited<ReturnType<typeof setUp>>;
type Repositories = Parameters<typeof setUp>[0];

const users = [
  { name: 'ada', emailAddress: 'ADA@example.org', displayName: 'Ada L.', id: 11 },
  { name: 'ghopper', emailAddress: 'grace@example.org', displayName: 'Grace H.', id: 12 },
  { name: 'author3', emailAddress: 'author3@example.org', displayName: 'The third', id: 13 },
];

/** One world that reads by git and one that reads by REST, over the same repositories. */
async function bothWorlds(repositories: Repositories, metadata: object = wholeHistory) {
  const world = (commitSource: string) =>
    setUp(repositories, { metadata: { ...metadata, commit_source: commitSource }, bitbucket: { users } });
  const byGit = await world('git');
  const byRest = await world('rest');
  return {
    byGit,
    byRest,
    /** A job in each; the records of both, which have to be the same. */
    async scan(window: object) {
      const commits = [];
      const pullRequests = [];
      for (const each of [byGit, byRest]) {
        const job = each.sei.addJob({ integrationId, ...window });
        expect(await each.runOnce()).toBe(0);
        commits.push(commitsOf(each, job));
        pullRequests.push(pullRequestsOf(each, job));
        expect(each.sei.violations).toEqual([]);
        expect(each.sei.jobs().flatMap(({ failures }) => failures)).toEqual([]);
      }
      const [git = [], rest = []] = commits;
      expect(git).toEqual(rest);
      // Their commits are counted one by one, not with the rest of the range.
      expect(pullRequests[0]).toEqual(pullRequests[1]);
      expect(warningsOf(byGit)).toEqual([]);
      return git;
    },
    async close() {
      await byGit.close();
      await byRest.close();
    },
  };
}

/** But for the port that each Bitbucket has. */
function onTheWire(world: World, value: unknown): unknown {
  return JSON.parse(JSON.stringify(value).replaceAll(world.bitbucket.url, 'http://bitbucket'));
}

function pullRequestsOf(world: World, job: string) {
  const listed = onTheWire(world, world.sei.ingested(job).pullRequests) as {
    repositoryId: number;
    pullRequest: { id: number };
  }[];
  return listed.sort((a, b) => a.repositoryId - b.repositoryId || a.pullRequest.id - b.pullRequest.id);
}

function commitsOf(world: World, job: string) {
  const commits = onTheWire(world, world.sei.ingested(job).commits) as { commit: { id: string; commitUrl: string } }[];
  return commits.sort((a, b) => (a.commit.commitUrl < b.commit.commitUrl ? -1 : 1));
}

function warningsOf(world: World): unknown[] {
  return world.logged.filter(({ level }) => level === 'warn').map(({ fields }) => (fields as { code?: string }).code);
}

function gitIn(gitDir: string, ...args: string[]): string {
  const who = { NAME: 'Ada', EMAIL: 'ada@example.org', DATE: `${Math.floor(Date.now() / 1000)} +0000` };
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

test('everything odd that a repository can hold: the same records by git and by REST, first and later', async () => {
  const tricky = await writeTrickyRepository(join(folder.path, 'tricky.git'), { seed: 5 });
  const worlds = await bothWorlds([{ projectKey: 'PAY', slug: 'ledger', gitDir: tricky.gitDir }]);
  try {
    const to = Date.now();
    const first = await worlds.scan({ to });
    expect(first).toHaveLength(tricky.mainCount);
    const { counts } = worlds.byGit.bitbucket.requests;
    expect(counts['raw-diff'] ?? 0).toBeLessThan(tricky.commitCount / 4);
    expect(counts).toMatchObject({ 'git-info-refs': 1 });

    const pushed = gitIn(tricky.gitDir, 'commit-tree', 'main^{tree}', '-p', 'main', '-m', 'pushed later');
    gitIn(tricky.gitDir, 'update-ref', 'refs/heads/main', pushed);
    expect(await worlds.scan({ from: to })).toHaveLength(1);

    // Nothing is new: the clone is left alone.
    worlds.byGit.bitbucket.resetRequests();
    expect(await worlds.scan({ from: Date.now() })).toHaveLength(0);
    expect(worlds.byGit.bitbucket.requests.counts['git-info-refs'] ?? 0).toBe(0);
  } finally {
    await worlds.close();
  }
});

test('all branches, merges, people without an account, several repositories, a fork and an empty one', async () => {
  const made = await writeSyntheticRepository(join(folder.path, 'synthetic.git'), {
    seed: 3,
    commits: 260,
    files: 12,
    mergeEvery: 5,
    startMs: Date.UTC(2025, 0, 1),
    intervalMs: 3_600_000,
    authors: 7,
  });
  const tricky = await writeTrickyRepository(join(folder.path, 'branches.git'), { seed: 8 });
  const empty = await ScratchRepository.create(join(folder.path, 'empty.git'));
  const worlds = await bothWorlds(
    [
      { projectKey: 'PAY', slug: 'ledger', gitDir: made.gitDir },
      { projectKey: '~ada', slug: 'ledger-fork', gitDir: made.gitDir, originOf: { projectKey: 'PAY', slug: 'ledger' } },
      { projectKey: 'PAY', slug: 'odd name+1', gitDir: tricky.gitDir },
      { projectKey: 'PAY', slug: 'empty', gitDir: empty.gitDir },
    ],
    { ...wholeHistory, branches: 'all' },
  );
  try {
    const to = Date.now();
    expect((await worlds.scan({ to })).length).toBeGreaterThan(2 * made.commitCount + tricky.mainCount);

    // A branch that was rewritten, one that is new, and the first commit of what was empty.
    const [name = ''] = Object.keys(tricky.branches).filter((branch) => branch.startsWith('feature/'));
    const rewritten = gitIn(tricky.gitDir, 'commit-tree', 'main^{tree}', '-p', 'main', '-m', 'rewritten');
    gitIn(tricky.gitDir, 'update-ref', `refs/heads/${name}`, rewritten);
    const fresh = gitIn(tricky.gitDir, 'commit-tree', 'main^{tree}', '-p', 'main~3', '-m', 'fresh');
    gitIn(tricky.gitDir, 'update-ref', 'refs/heads/fresh/one', fresh);
    const [begun = ''] = await empty.commit({ branch: 'main', files: { 'a.txt': 'a\n' }, at: 1_000_000_000 });
    const ids = (await worlds.scan({ from: to })).map(({ commit }) => commit.id);
    expect(ids).toEqual(expect.arrayContaining([rewritten, fresh, begun]));
  } finally {
    await worlds.close();
  }
});

test('a forced push, seen and unseen by the clone; and a window that begins in the middle of a merged history', async () => {
  const made = await writeSyntheticRepository(join(folder.path, 'windows.git'), {
    seed: 4,
    commits: 240,
    files: 10,
    mergeEvery: 4,
    startMs: Date.UTC(2025, 0, 1),
    intervalMs: 3_600_000,
    authors: 5,
  });
  const worlds = await bothWorlds([{ projectKey: 'PAY', slug: 'ledger', gitDir: made.gitDir }], { backfill_days: 5 });
  try {
    const from = Date.UTC(2025, 0, 6, 12, 30);
    const to = Date.now();
    const first = await worlds.scan({ from, to });
    expect(first.length).toBeGreaterThan(80);
    expect(first.length).toBeLessThan(200);

    const base = gitIn(made.gitDir, 'rev-parse', 'main~5');
    const rewritten = gitIn(made.gitDir, 'commit-tree', 'main^{tree}', '-p', base, '-m', 'rewritten');
    gitIn(made.gitDir, 'update-ref', 'refs/heads/main', rewritten);
    expect((await worlds.scan({ from: to })).map(({ commit }) => commit.id)).toEqual([rewritten]);

    const again = gitIn(made.gitDir, 'commit-tree', 'main^{tree}', '-p', base, '-m', 'and again');
    gitIn(made.gitDir, 'update-ref', 'refs/heads/main', again);
    gitIn(made.gitDir, 'reflog', 'expire', '--expire=now', '--all');
    gitIn(made.gitDir, 'gc', '--prune=now', '--quiet');
    const ids = (await worlds.scan({ from: to })).map(({ commit }) => commit.id);
    expect(ids).toContain(again);
  } finally {
    await worlds.close();
  }
});

test('what is not UTF-8, has no name, or was written on the other side of the date line', async () => {
  const repository = await ScratchRepository.create(join(folder.path, 'encodings.git'));
  const tree = await repository.git('hash-object', '-t', 'tree', '-w', '/dev/null');
  const raw = (lines: string[]) => {
    const input = Buffer.from(lines.join('\n'), 'latin1');
    const args = ['--git-dir', repository.gitDir, 'hash-object', '-t', 'commit', '-w', '--stdin', '--literally'];
    return execFileSync('git', args, { input, encoding: 'utf8', env: gitEnvironment() }).trim();
  };
  const heads = [
    ['author J\xfcrgen <j@example.org> 1700000000 +1400', 'committer J\xfcrgen <j@example.org> 1700000000 -1130'],
    ['author  <> 1700000100 +0000', 'committer Nobody <> 1700000100 +0000'],
    ['author A B  <a b@example.org> 0 -0000', 'committer Ada <ada@EXAMPLE.org> 1700000200 +0545'],
  ];
  const ends = [
    ['encoding ISO-8859-1', '', 'Gr\xfc\xdfe\n\n\n'],
    ['', '\n\n  leading lines stay\n\ttab'],
    ['', 'not UTF-8, and nobody says so: \xfc\xff'],
  ];
  let parent: string | undefined;
  for (const [index, head] of heads.entries()) {
    const parents: string[] = parent === undefined ? [] : [`parent ${parent}`];
    parent = raw([`tree ${tree}`, ...parents, ...head, ...(ends[index] ?? [])]);
  }
  gitIn(repository.gitDir, 'update-ref', 'refs/heads/main', parent ?? '');
  const worlds = await bothWorlds([{ projectKey: 'PAY', slug: 'old', gitDir: repository.gitDir }]);
  try {
    expect(await worlds.scan({ to: Date.now() })).toHaveLength(3);
  } finally {
    await worlds.close();
  }
});
