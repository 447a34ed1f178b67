import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { RepositoryOptions } from '../simulators/bitbucket/options.ts';
import { writeSyntheticRepository } from '../simulators/git/synthetic-repository.ts';
import { integrationId, setUp, temporaryFolder, wholeHistory } from './support/main-job.ts';

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let huge: RepositoryOptions;
let small: RepositoryOptions[];
/** More than are worked on at a time, all of one history, so that its diffs are asked for once. */
let many: RepositoryOptions[];
beforeAll(async () => {
  folder = await temporaryFolder();
  const write = async (slug: string, commits: number) => {
    const gitDir = join(folder.path, `${slug}.git`);
    await writeSyntheticRepository(gitDir, {
      seed: commits,
      commits,
      files: 5,
      mergeEvery: 1_000,
      startMs: Date.UTC(2026, 0, 1),
      intervalMs: 60_000,
      authors: 2,
    });
    return { projectKey: 'PAY', slug, gitDir };
  };
  huge = await write('huge', 400);
  small = await Promise.all([5, 6, 7, 8].map((commits) => write(`small-${commits}`, commits)));
  const { gitDir } = await write('many', 700);
  many = Array.from({ length: 20 }, (_, index) => ({ projectKey: 'PAY', slug: `many-${index}`, gitDir }));
});
afterAll(() => folder.remove());

const settings = { bitbucket: { latencyMs: 5 }, metadata: { ...wholeHistory, fetch_prs: false } };

test('two integrations of one user: the small one is done long before the huge one', async () => {
  const world = await setUp([huge, ...small], settings);
  try {
    const file = join(world.folder.path, 'satellite.yml');
    const config = JSON.parse(await readFile(file, 'utf8'));
    const [first] = config.integrations;
    const ofRepos = (id: string, repos: string) => ({ ...first, id, metadata: { ...first.metadata, repos } });
    config.integrations = [ofRepos(integrationId, 'huge'), ofRepos('4712', 'small-5')];
    await writeFile(file, JSON.stringify(config), { mode: 0o600 });
    const hugeJob = world.sei.addJob({ integrationId });
    const smallJob = world.sei.addJob({ integrationId: '4712' });
    expect(await world.runOnce()).toBe(0);
    const doneLines = world.logged.filter(({ message }) => message === 'Scan done').map(({ fields }) => fields);
    expect(doneLines).toMatchObject([{ jobId: smallJob }, { jobId: hugeJob }]);
    const [ofSmall, ofHuge] = doneLines as { seconds: number }[];
    expect(ofSmall?.seconds).toBeLessThan((ofHuge?.seconds ?? 0) / 3);
  } finally {
    await world.close();
  }
});

test('one integration: small repositories do not wait for a huge one', async () => {
  const world = await setUp([huge, ...small], settings);
  try {
    world.sei.addJob({ integrationId });
    expect(await world.runOnce()).toBe(0);
    expectSmallOnesEarly(world);
  } finally {
    await world.close();
  }
});

/** All diffs of the small repositories were asked for in the first half. */
function expectSmallOnesEarly({ bitbucket }: Awaited<ReturnType<typeof setUp>>): void {
  const diffs = bitbucket.requests.list.filter(({ resource }) => resource === 'raw-diff');
  const places = [...diffs.entries()].filter(([, { path }]) => path.includes('small-')).map(([place]) => place);
  expect(places).toHaveLength(5 + 6 + 7 + 8);
  expect(Math.max(...places)).toBeLessThan(diffs.length / 2);
}

test.each([1, 4])('more huge repositories than max_in_flight (%i) hold no small one back', async (maxInFlight) => {
  const twins = Array.from({ length: 5 }, (_, index) => ({ ...huge, slug: `huge-${index}` }));
  const world = await setUp([...twins, ...small], { ...settings, bitbucket: { latencyMs: 1 } });
  try {
    await limitTo(maxInFlight, world.folder.path);
    world.sei.addJob({ integrationId });
    expect(await world.runOnce()).toBe(0);
    expectSmallOnesEarly(world);
  } finally {
    await world.close();
  }
});

test('more huge repositories than are worked on at a time take turns, and each arrives whole', async () => {
  const world = await setUp([...many, ...small], { ...settings, bitbucket: {} });
  try {
    const jobId = world.sei.addJob({ integrationId });
    expect(await world.runOnce()).toBe(0);
    const { list } = world.bitbucket.requests;
    const of = (slug: string) => list.findIndex(({ resource, path }) => resource === 'branches' && path.includes(slug));
    const lastPage = list.findLastIndex(({ resource, path }) => resource === 'commits' && path.includes('many-'));
    for (const { slug } of small) expect(of(slug)).toBeLessThan(lastPage * 0.9);
    const counts = new Map<string, number>();
    for (const { repository } of world.sei.ingested(jobId).commits) {
      counts.set(repository, (counts.get(repository) ?? 0) + 1);
    }
    for (const { slug } of many) expect(counts.get(slug)).toBe(700);
    expect(world.sei.violations).toEqual([]);
  } finally {
    await world.close();
  }
});

async function limitTo(maxInFlight: number, folder: string): Promise<void> {
  const file = join(folder, 'satellite.yml');
  const config = JSON.parse(await readFile(file, 'utf8'));
  for (const integration of config.integrations) integration.rate_limit = { max_in_flight: maxInFlight };
  await writeFile(file, JSON.stringify(config), { mode: 0o600 });
}
