import { cp } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { ScratchRepository } from '../simulators/bitbucket/scratch-repository.ts';
import { integrationId, setUp, temporaryFolder, wholeHistory } from './support/main-job.ts';

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
beforeAll(async () => {
  folder = await temporaryFolder();
});
afterAll(() => folder.remove());

/** A repository of three commits on main, and a world that has scanned it. */
async function scanned(name: string, metadata: object = {}) {
  const gitDir = join(folder.path, `${name}.git`);
  const scratch = await ScratchRepository.create(gitDir);
  const commits = [1, 2, 3].map((n) => ({ branch: 'main', files: { [`${n}.txt`]: `${n}\n` } }));
  const ids = await scratch.commit(...commits);
  const world = await setUp([{ projectKey: 'PAY', slug: 'ledger', gitDir }], {
    metadata: { ...wholeHistory, fetch_tags: false, ...metadata },
    bitbucket: { derivePullRequests: false },
  });
  let toMs: number | undefined;
  const scan = async () => {
    world.bitbucket.resetRequests();
    const fromMs = toMs;
    toMs = Date.now();
    const jobId = world.sei.addJob({ integrationId, to: toMs, ...(fromMs === undefined ? {} : { from: fromMs }) });
    expect(await world.runOnce()).toBe(0);
    expect(world.sei.violations).toEqual([]);
    expect(world.sei.jobs().at(-1)).toMatchObject({ status: 'SUCCESS', failures: [] });
    const { commits, pullRequests } = world.sei.ingested(jobId);
    return {
      commits: commits.map(({ repository, commit }) => `${repository} ${commit.id}`).sort(),
      pullRequests: pullRequests.map(({ repository, pullRequest }) => `${repository} ${pullRequest.id}`),
      diffs: world.bitbucket.requests.count('raw-diff'),
    };
  };
  const commit = async (file: string) => {
    const [id = ''] = await scratch.commit({ branch: 'main', files: { [file]: 'line\n' } });
    return id;
  };
  const first = await scan();
  expect(first.commits).toEqual(ids.map((id) => `ledger ${id}`).sort());
  return { world, scan, commit, ids, gitDir };
}

test('renamed and moved to another project, it goes on where it was: nothing twice, nothing left out', async () => {
  const { world, scan, commit } = await scanned('renamed');
  try {
    const before = await commit('before.txt');
    world.bitbucket.renameRepository('PAY', 'ledger', 'WEB', 'book');
    const after = await commit('after.txt');
    expect(await scan()).toMatchObject({ commits: [before, after].map((id) => `book ${id}`).sort(), diffs: 2 });
    expect(await scan()).toMatchObject({ commits: [], diffs: 0 });
    world.bitbucket.renameRepository('WEB', 'book', '~ada', 'book');
    const personal = await commit('personal.txt');
    expect(await scan()).toMatchObject({ commits: [`book ${personal}`], diffs: 1 });
  } finally {
    await world.close();
  }
});

test('made anew under the same name, it is another one: all of it is read', async () => {
  const { world, scan, ids, gitDir } = await scanned('anew');
  try {
    world.bitbucket.deleteRepository('PAY', 'ledger');
    await world.bitbucket.addRepository({ projectKey: 'PAY', slug: 'ledger', gitDir });
    expect(await scan()).toMatchObject({ commits: ids.map((id) => `ledger ${id}`).sort(), diffs: 0 });
  } finally {
    await world.close();
  }
});

test('a fork has its own commits, and the files of those that it shares are not read again', async () => {
  const { world, scan, ids, gitDir } = await scanned('fork');
  try {
    const forkDir = join(folder.path, 'fork-of-ledger.git');
    await cp(gitDir, forkDir, { recursive: true });
    const [own = ''] = await new ScratchRepository(forkDir).commit({ branch: 'main', files: { 'own.txt': 'own\n' } });
    const originOf = { projectKey: 'PAY', slug: 'ledger' };
    await world.bitbucket.addRepository({ projectKey: '~ada', slug: 'fork', gitDir: forkDir, originOf });
    expect(await scan()).toMatchObject({ commits: [...ids, own].map((id) => `fork ${id}`).sort(), diffs: 1 });
  } finally {
    await world.close();
  }
});

test.each(['include', 'exclude'] as const)('archived: %s', async (archived) => {
  const { world, scan, commit, gitDir } = await scanned(`archived-${archived}`, { archived });
  try {
    await world.bitbucket.addRepository({ projectKey: 'PAY', slug: 'other', gitDir });
    await scan();
    const late = await commit('late.txt');
    world.bitbucket.archiveRepository('PAY', 'ledger', true);
    const names = archived === 'include' ? ['ledger', 'other'] : ['other'];
    expect((await scan()).commits).toEqual(names.map((name) => `${name} ${late}`));
    world.bitbucket.archiveRepository('PAY', 'ledger', false);
    // What was pushed before it was archived comes when it is read again.
    expect((await scan()).commits).toEqual(archived === 'include' ? [] : [`ledger ${late}`]);
  } finally {
    await world.close();
  }
});
