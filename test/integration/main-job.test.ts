import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { gitEnvironment } from '../simulators/git/git.ts';
import { writeSyntheticRepository } from '../simulators/git/synthetic-repository.ts';
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

const projectFolder = fileURLToPath(new URL('../..', import.meta.url));

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let tricky: TrickyRepository;
beforeAll(async () => {
  folder = await temporaryFolder();
  tricky = await writeTrickyRepository(join(folder.path, 'tricky.git'), { seed: 7 });
});
afterAll(() => folder.remove());

const byId = <T extends { id?: unknown }>(items: readonly T[]) =>
  [...items].sort((a, b) => String(a.id).localeCompare(String(b.id)));

/** Undefined where the project does not lie in a git repository with its whole history. */
function ownGitDir(): string | undefined {
  const ask = (...args: string[]) =>
    execFileSync('git', ['-C', projectFolder, 'rev-parse', ...args], {
      encoding: 'utf8',
      env: gitEnvironment(),
      stdio: ['ignore', 'pipe', 'ignore'],
    }).trim();
  try {
    ask('--verify', 'HEAD');
    return ask('--is-shallow-repository') === 'false' ? ask('--absolute-git-dir') : undefined;
  } catch {
    return undefined;
  }
}

async function expectWholeHistory(gitDir: string, bitbucketOptions: object = {}) {
  const world = await setUp([{ projectKey: 'PAY', slug: 'ledger', gitDir }], { bitbucket: bitbucketOptions });
  try {
    const jobId = world.sei.addJob({ integrationId, shouldFetchRepos: true });
    expect(await world.runOnce()).toBe(0);
    const job = await world.sei.waitForJob(jobId);
    expect(world.sei.violations).toEqual([]);
    expect(job).toMatchObject({ status: 'SUCCESS', failures: [] });
    const ingested = world.sei.ingested(jobId);
    const truth = await gitTruth(gitDir, 'HEAD');
    expect(byId(ingested.commits.map(({ commit }) => ingestedCommit(commit as never)))).toEqual(
      byId(truth.map(expectedCommit)),
    );
    return { ...world, ingested, truth };
  } finally {
    await world.close();
  }
}

describe('a whole history, commit for commit as git has it', () => {
  test('everything odd that a history can hold, by the raw diff', async () => {
    const { ingested, truth } = await expectWholeHistory(tricky.gitDir);
    expect(truth).toHaveLength(tricky.mainCount);
    // The cases are really in there.
    const files = truth.flatMap((commit) => commit.files);
    expect(files.some(({ status }) => status === 'R')).toBe(true);
    expect(files.some(({ binary }) => binary)).toBe(true);
    expect(files.some(({ destinationPath }) => /[^ -~]/.test(destinationPath ?? ''))).toBe(true);
    expect(files.some(({ destinationPath }) => /["\\\t\n]/.test(destinationPath ?? ''))).toBe(true);
    expect(truth.some((commit) => commit.files.length === 0)).toBe(true);
    expect(truth.some(({ parents }) => parents.length > 2)).toBe(true);
    expect(truth.some(({ parents }) => parents.length === 0)).toBe(true);
    expect(ingested.tags.map(({ tag }) => tag.displayId).sort()).toEqual(tricky.tags.map(({ name }) => name).sort());
    expect(ingested.repositories.map(({ details }) => [details.name, details.defaultBranch])).toEqual([
      ['ledger', 'main'],
    ]);
    expect(JSON.stringify(ingested)).not.toContain(tricky.canary);
  });

  test('the same by the JSON diff of a server that has no raw one, with filtered pages and small caps', async () => {
    await expectWholeHistory(tricky.gitDir, {
      rawDiff: false,
      filteredPages: true,
      caps: { commits: 7, tags: 2, diffLines: 1_000_000 },
      contextPath: '/bitbucket',
    });
  });

  const gitDir = ownGitDir();
  if (gitDir === undefined) process.stdout.write("skipped: this project's own history, as it is not here in full\n");
  (gitDir === undefined ? test.skip : test)("this project's own history", async () => {
    await expectWholeHistory(gitDir ?? '');
  });
});

test('pull requests, one for each merge of the default branch, as git has them', async () => {
  const gitDir = join(folder.path, 'merges.git');
  const { merges } = await writeSyntheticRepository(gitDir, {
    seed: 3,
    commits: 120,
    files: 10,
    mergeEvery: 5,
    startMs: Date.UTC(2026, 0, 1),
    intervalMs: 3_600_000,
    authors: 4,
  });
  const world = await setUp([{ projectKey: 'PAY', slug: 'ledger', gitDir }]);
  try {
    const jobId = world.sei.addJob({ integrationId });
    expect(await world.runOnce()).toBe(0);
    expect(world.sei.violations).toEqual([]);
    const ingested = world.sei.ingested(jobId).pullRequests.map(({ pullRequest }) => pullRequest);
    expect(merges.length).toBeGreaterThan(10);
    expect(ingested).toHaveLength(merges.length);
    for (const merge of merges) {
      const pullRequest = ingested.find(({ fromRef }) => fromRef.latestCommit === merge.sideTipId);
      expect(pullRequest).toMatchObject({ state: 'MERGED', updatedDate: merge.mergedMs });
      const merged = pullRequest?.activities?.find(({ action }) => action === 'MERGED');
      expect(merged).toMatchObject({ createdDate: merge.mergedMs, commit: { id: merge.id } });
      const truth = await gitTruth(gitDir, `${merge.firstParentId}..${merge.sideTipId}`);
      expect(byId((pullRequest?.commits ?? []).map((commit) => ingestedCommit(commit as never)))).toEqual(
        byId(truth.map(expectedCommit)),
      );
    }
  } finally {
    await world.close();
  }
});

describe('the flags of metadata', () => {
  test('what is switched off is neither asked for nor sent, and a merge still counts as one', async () => {
    const world = await setUp([{ projectKey: 'PAY', slug: 'ledger', gitDir: tricky.gitDir }], {
      metadata: {
        ...wholeHistory,
        fetch_commits: false,
        fetch_commit_files: false,
        fetch_tags: false,
        fetch_pr_commits: false,
        fetch_pr_reviews: false,
      },
    });
    try {
      const jobId = world.sei.addJob({ integrationId });
      expect(await world.runOnce()).toBe(0);
      expect(world.sei.violations).toEqual([]);
      const { commits, tags, pullRequests } = world.sei.ingested(jobId);
      expect([commits.length, tags.length]).toEqual([0, 0]);
      const merged = pullRequests.filter(({ pullRequest }) => pullRequest.state === 'MERGED');
      expect(merged.length).toBeGreaterThan(0);
      for (const { pullRequest } of merged) {
        expect(pullRequest.activities?.map(({ action }) => action)).toEqual(['MERGED']);
        expect(pullRequest).not.toHaveProperty('commits');
      }
      expect(Object.keys(world.bitbucket.requests.counts).sort()).toEqual([
        'activities',
        'application-properties',
        'pull-requests',
        'rate-limit-settings',
        'repos',
      ]);
    } finally {
      await world.close();
    }
  });
});

test('an incremental scan brings what came since, commits that were merged late with old dates included', async () => {
  const gitDir = join(folder.path, 'late.git');
  await writeSyntheticRepository(gitDir, {
    seed: 5,
    commits: 30,
    files: 5,
    mergeEvery: 0,
    startMs: Date.UTC(2026, 0, 1),
    intervalMs: 3_600_000,
    authors: 2,
  });
  const git = (...args: string[]) =>
    execFileSync('git', ['--git-dir', gitDir, ...args], {
      encoding: 'utf8',
      env: {
        ...gitEnvironment(),
        GIT_AUTHOR_NAME: 'Late',
        GIT_AUTHOR_EMAIL: 'late@example.org',
        GIT_COMMITTER_NAME: 'Late',
        GIT_COMMITTER_EMAIL: 'late@example.org',
        GIT_AUTHOR_DATE: '2020-01-01T00:00:00Z',
        GIT_COMMITTER_DATE: '2020-01-01T00:00:00Z',
      },
    }).trim();
  const world = await setUp([{ projectKey: 'PAY', slug: 'ledger', gitDir }]);
  try {
    const firstTo = Date.UTC(2026, 5, 1);
    world.sei.addJob({ integrationId, to: firstTo });
    expect(await world.runOnce()).toBe(0);

    const head = git('rev-parse', 'main');
    const tree = git('rev-parse', 'main^{tree}');
    const old = git('commit-tree', tree, '-p', git('rev-parse', 'main~20'), '-m', 'six years old, merged today');
    const merge = git('commit-tree', tree, '-p', head, '-p', old, '-m', 'late merge');
    git('update-ref', 'refs/heads/main', merge);
    world.bitbucket.resetRequests();
    const second = world.sei.addJob({ integrationId, from: firstTo });
    expect(await world.runOnce()).toBe(0);
    const { commits } = world.sei.ingested(second);
    expect(commits.map(({ commit }) => commit.id).sort()).toEqual([merge, old].sort());

    world.bitbucket.resetRequests();
    const third = world.sei.addJob({ integrationId, from: Date.now() });
    expect(await world.runOnce()).toBe(0);
    expect(world.sei.jobs().find(({ jobId }) => jobId === third)).toMatchObject({
      status: 'SUCCESS',
      result: { empty: true },
    });
    // A quiet repository costs one request for its commits and one or two for its pull requests.
    expect(world.bitbucket.requests.counts).toEqual({
      'application-properties': 1,
      'rate-limit-settings': 1,
      repos: 1,
      commits: 1,
      'pull-requests': 1,
    });
    expect(world.sei.violations).toEqual([]);
  } finally {
    await world.close();
  }
});

test('a repository that cannot be read is reported, the rest arrives, and its gap is filled by the next scan', async () => {
  const world = await setUp([
    { projectKey: 'PAY', slug: 'ledger', gitDir: tricky.gitDir },
    { projectKey: 'PAY', slug: 'closed', gitDir: tricky.gitDir },
  ]);
  try {
    const open = world.bitbucket.refuseRepository('PAY', 'closed', 'permission401');
    const firstTo = Date.now();
    const first = world.sei.addJob({ integrationId, to: firstTo });
    expect(await world.runOnce()).toBe(0);
    const job = world.sei.jobs().find(({ jobId }) => jobId === first);
    expect(job?.status).toBe('SUCCESS');
    expect(job?.failures.map(({ message }) => message)).toEqual(
      expect.arrayContaining([expect.stringMatching(/^PAY\/closed commits: BITBUCKET_FORBIDDEN: /)]),
    );
    const names = (id: string) => new Set(world.sei.ingested(id).commits.map(({ repository }) => repository));
    expect([...names(first)]).toEqual(['ledger']);

    open();
    const second = world.sei.addJob({ integrationId, from: firstTo });
    expect(await world.runOnce()).toBe(0);
    expect(world.sei.jobs().find(({ jobId }) => jobId === second)).toMatchObject({ status: 'SUCCESS', failures: [] });
    const tags = world.sei.ingested(second).tags.map(({ repository, tag }) => `${repository} ${tag.displayId}`);
    expect(tags.sort()).toEqual(tricky.tags.map(({ name }) => `closed ${name}`).sort());
    const closed = world.sei.ingested(second).commits.filter(({ repository }) => repository === 'closed');
    expect(closed.map(({ commit }) => commit.id).sort()).toEqual(
      (await gitTruth(tricky.gitDir, 'HEAD')).map(({ id }) => id).sort(),
    );
    expect(world.sei.violations).toEqual([]);
  } finally {
    await world.close();
  }
});

test('a repository that was not even visible is complete after the first scan that sees it', async () => {
  const world = await setUp([
    { projectKey: 'PAY', slug: 'ledger', gitDir: tricky.gitDir },
    { projectKey: 'PAY', slug: 'hidden', gitDir: tricky.gitDir },
  ]);
  try {
    const show = world.bitbucket.refuseRepository('PAY', 'hidden', 'gone404', { listed: false });
    const firstTo = Date.now();
    world.sei.addJob({ integrationId, to: firstTo });
    expect(await world.runOnce()).toBe(0);
    show();
    const second = world.sei.addJob({ integrationId, from: firstTo });
    expect(await world.runOnce()).toBe(0);
    const { commits, pullRequests } = world.sei.ingested(second);
    expect(commits.filter(({ repository }) => repository === 'hidden')).toHaveLength(tricky.mainCount);
    expect(pullRequests.filter(({ repository }) => repository === 'hidden').length).toBeGreaterThan(0);
    expect(commits.filter(({ repository }) => repository === 'ledger')).toHaveLength(0);
    expect(world.sei.violations).toEqual([]);
  } finally {
    await world.close();
  }
});

test('commits whose diffs cannot be made are one warning for their repository, and each a failure of the job', async () => {
  const world = await setUp([{ projectKey: 'PAY', slug: 'ledger', gitDir: tricky.gitDir }], {
    metadata: { ...wholeHistory, fetch_prs: false },
  });
  try {
    world.bitbucket.fault({ match: /^(?:raw-diff|diff)$/, status: 500, headers: { 'x-arequestid': '@7x1' } });
    const jobId = world.sei.addJob({ integrationId });
    expect(await world.runOnce()).toBe(0);
    const commits = world.sei.ingested(jobId).commits.length;
    expect(commits).toBe(tricky.mainCount);
    const job = world.sei.jobs().find((one) => one.jobId === jobId);
    const count = job?.failures.length ?? 0;
    expect(count).toBeGreaterThan(commits / 2);
    expect(world.logged.filter(({ level }) => level === 'warn')).toEqual([
      {
        level: 'warn',
        message: 'Some items could not be read in full; the failures of the job name them',
        fields: {
          code: 'BITBUCKET_SERVER_ERROR',
          count,
          first: expect.stringContaining('BITBUCKET_SERVER_ERROR: no diff, so there are no line counts'),
          jobId,
          repository: 'PAY/ledger',
          dataType: 'commits',
        },
      },
    ]);
  } finally {
    await world.close();
  }
});

test('a throttled or repeated request is a line with code, path and delay', async () => {
  const world = await setUp([{ projectKey: 'PAY', slug: 'ledger', gitDir: tricky.gitDir }], {
    metadata: { ...wholeHistory, fetch_prs: false, fetch_tags: false },
  });
  try {
    world.bitbucket.fault({ match: 'branches', times: 1, status: 503, headers: { 'x-arequestid': '@7x2' } });
    world.bitbucket.fault({ match: 'commits', times: 1, status: 429, headers: { 'retry-after': '0' } });
    world.sei.addJob({ integrationId });
    expect(await world.runOnce()).toBe(0);
    const lines = world.logged.filter(({ fields }) => fields !== undefined && 'path' in fields);
    const about = { integrationId, delayMs: expect.any(Number) };
    expect(lines).toMatchObject([
      {
        level: 'debug',
        fields: {
          ...about,
          code: 'BITBUCKET_SERVER_ERROR',
          path: 'projects/PAY/repos/ledger/branches',
          requestId: '@7x2',
        },
      },
      { level: 'warn', fields: { ...about, code: 'BITBUCKET_THROTTLED', path: 'projects/PAY/repos/ledger/commits' } },
    ]);
  } finally {
    await world.close();
  }
});

test('refused credentials fail the job with one request, and the next job without any', async () => {
  const world = await setUp([{ projectKey: 'PAY', slug: 'ledger', gitDir: tricky.gitDir }], {
    bitbucket: { credentials: [{ kind: 'basic', username: 'somebody', password: 'else' }] },
  });
  const daemon = await world.newDaemon();
  try {
    world.sei.addJob({ integrationId });
    expect(await daemon.once()).toBe(1);
    world.sei.addJob({ integrationId });
    expect(await daemon.once()).toBe(2);
    expect(world.bitbucket.requests.total).toBe(1);
    for (const { status, exception } of world.sei.jobs()) {
      expect(status).toBe('FAILURE');
      expect(exception?.message).toMatch(/BITBUCKET_CREDENTIALS_REFUSED/);
    }
  } finally {
    await daemon.stop();
    await world.close();
  }
});

test('pages that SEI refuses for their size are cut smaller until it takes them', async () => {
  const gitDir = join(folder.path, 'many.git');
  const { commitCount } = await writeSyntheticRepository(gitDir, {
    seed: 4,
    commits: 900,
    files: 10,
    mergeEvery: 0,
    startMs: Date.UTC(2026, 0, 1),
    intervalMs: 3_600_000,
    authors: 4,
  });
  const world = await setUp([{ projectKey: 'PAY', slug: 'ledger', gitDir }], {
    sei: { maxPushBytes: 130_000 },
    metadata: wholeHistory,
  });
  try {
    const jobId = world.sei.addJob({ integrationId });
    expect(await world.runOnce()).toBe(0);
    expect(world.sei.violations).toEqual([]);
    expect(world.sei.pages(jobId).length).toBeGreaterThan(8);
    expect(world.sei.ingested(jobId).commits).toHaveLength(commitCount);
    const codes = world.logged.map(({ fields }) => (fields as { code?: string } | undefined)?.code);
    expect(codes).toContain('SEI_PAGE_TOO_LARGE');
  } finally {
    await world.close();
  }
});

test('a satellite that is stopped in the middle of a job goes on with it as the same agent, and nothing is missing', async () => {
  const gitDir = join(folder.path, 'stopped.git');
  await writeSyntheticRepository(gitDir, {
    seed: 9,
    commits: 300,
    files: 10,
    mergeEvery: 20,
    startMs: Date.UTC(2026, 0, 1),
    intervalMs: 3_600_000,
    authors: 4,
  });
  const world = await setUp([{ projectKey: 'PAY', slug: 'ledger', gitDir }], {
    satellite: { push: { max_page_bytes: 65_536 } },
  });
  try {
    const jobId = world.sei.addJob({ integrationId });
    let starts = 0;
    for (; starts < 50; starts++) {
      const daemon = await world.newDaemon();
      const ended = daemon.once().then(
        () => true,
        () => false,
      );
      const stopAfterMs = new Promise<boolean>((resolve) => setTimeout(() => resolve(false), 150 + 40 * starts));
      const isDone = await Promise.race([ended, stopAfterMs]);
      await daemon.stop();
      await ended;
      if (isDone) break;
    }
    expect(starts).toBeGreaterThan(1);
    expect(world.sei.jobs().find((job) => job.jobId === jobId)?.status).toBe('SUCCESS');
    expect(world.sei.agents()).toHaveLength(1);
    const { commits } = world.sei.ingested(jobId);
    expect(commits.map(({ commit }) => commit.id).sort()).toEqual(
      (await gitTruth(gitDir, 'HEAD')).map(({ id }) => id).sort(),
    );
    expect(world.sei.violations).toEqual([]);
  } finally {
    await world.close();
  }
});

test('lets go of its connections to Bitbucket when a job has ended, while it lives on', async () => {
  const world = await setUp([{ projectKey: 'PAY', slug: 'ledger', gitDir: tricky.gitDir }]);
  try {
    const daemon = await world.newDaemon();
    const jobId = world.sei.addJob({ integrationId });
    const most = { connections: 0 };
    world.bitbucket.fault({
      match: 'raw-diff',
      skip: 10,
      times: 1,
      meanwhile: async () => {
        most.connections = await world.bitbucket.connections();
      },
    });
    await daemon.once();
    expect(world.sei.jobs().find((job) => job.jobId === jobId)?.status).toBe('SUCCESS');
    expect(most.connections).toBeGreaterThan(0);
    for (let waits = 0; (await world.bitbucket.connections()) > 0 && waits < 100; waits++) await delay(20);
    expect(await world.bitbucket.connections()).toBe(0);
    await daemon.stop();
  } finally {
    await world.close();
  }
});
