import { join } from 'node:path';
import pMap from 'p-map';
import type { RefusalKind } from '../../simulators/bitbucket/catalogue.ts';
import type { RepositoryOptions } from '../../simulators/bitbucket/options.ts';
import { ScratchRepository } from '../../simulators/bitbucket/scratch-repository.ts';
import { type Random, seededRandom } from '../../simulators/git/random.ts';
import type { Check } from '../check.ts';
import { Findings } from '../findings.ts';
import { type RepositoryPlan, writeHistory } from '../history.ts';
import { Keeper } from '../keeper.ts';
import { compare, Jobs, rest } from '../oracle.ts';
import { integrationId, World } from '../world.ts';

const plan: readonly RepositoryPlan[] = [
  { projectKey: 'PAY', slug: 'alpha', commits: 15 },
  { projectKey: 'PAY', slug: 'beta', commits: 10 },
  { projectKey: 'WEB', slug: 'gamma', commits: 10 },
];

/** Pages so small that a part is often read in half. A pull request that is made up from an old merge would come as new, deep in the list. */
const smallPages = { caps: { commits: 5, pullRequests: 2 }, derivePullRequests: false };

interface Obstacle {
  readonly name: string;
  readonly arm: (world: World, repository: RepositoryOptions) => () => void;
}

const refused = (kind: RefusalKind, listed = true): Obstacle => ({
  name: `${kind}${listed ? '' : ' and not in the list'}`,
  arm: ({ bitbucket }, { projectKey, slug }) => bitbucket.refuseRepository(projectKey, slug, kind, { listed }),
});

const partial = (name: string, tail: string): Obstacle => ({
  name: `500 of ${name}`,
  arm: ({ bitbucket }, { slug }) => bitbucket.fault({ match: new RegExp(`/repos/${slug}/${tail}`), status: 500 }),
});

/** So late that what stands above it was read. */
const laterPullRequests: Obstacle = {
  name: '500 of later pull requests',
  arm: ({ bitbucket }, { slug }) =>
    bitbucket.fault({ match: new RegExp(`/repos/${slug}/pull-requests\\?.*start=[1-9]`), status: 500, delayMs: 300 }),
};

const obstacles: readonly Obstacle[] = [
  refused('permission401'),
  refused('scope403'),
  refused('gone404'),
  refused('gone404', false),
  partial('commits', '(commits|branches)\\?'),
  partial('later commits', 'commits\\?.*start=[1-9]'),
  partial('pull requests', 'pull-requests\\?'),
  laterPullRequests,
  partial('activities', 'pull-requests/\\d+/'),
];

interface Obstructed {
  readonly repository: RepositoryOptions;
  readonly obstacle: Obstacle;
}

/**
 * Repositories come and go while people work in them, the first scan included, and now and then a job fails as a whole:
 * a repository is complete after the first scan in which it can be read.
 */
export const unreadableCheck: Check = {
  name: 'unreadable',
  minutes: { short: 3, long: 20 },
  run: async ({ seed, random, isLong, folder }) => {
    const repositories = await writeHistory(join(folder, 'repositories'), seed, plan);
    const seeds = Array.from({ length: isLong ? 30 : 3 }, () => random.below(1_000_000));
    const scans = isLong ? 10 : 4;
    const findings = new Findings();
    const counts = { scans: 0, obstacles: 0 };
    findings.add(await comeLate(seed, repositories));
    await pMap(seeds, async (own) => findings.add(await live(own, scans, repositories, counts)), { concurrency: 4 });
    return {
      figure: `${counts.obstacles} times unreadable in ${counts.scans} scans, ${findings.missing.length} lost`,
      problems: findings.sentences(),
    };
  },
};

async function live(
  seed: number,
  scans: number,
  repositories: readonly RepositoryOptions[],
  counts: { scans: number; obstacles: number },
): Promise<Findings> {
  const random = seededRandom(seed);
  const findings = new Findings();
  await using world = await World.create({ seed, repositories, now: true, bitbucket: smallPages });
  const keeper = new Keeper(() => world.start());
  const jobs = new Jobs(world);
  const told: string[] = [];
  const scan = async (number: number, obstructed: readonly Obstructed[], { full = false, isBlind = false } = {}) => {
    told.push(...obstructed.map(({ repository, obstacle }) => `${number} ${repository.slug} ${obstacle.name}`));
    const open = obstructed.map(({ repository, obstacle }) => obstacle.arm(world, repository));
    if (isBlind) {
      told.push(`${number} 500 of the repositories`);
      open.push(world.bitbucket.fault({ match: 'repos', status: 500 }));
    }
    const { status } = await jobs.run({ full });
    for (const each of open) each();
    counts.scans++;
    counts.obstacles += obstructed.length;
    if (status !== 'SUCCESS') return;
    const found = await compare(world, { without: obstructed.map(({ repository }) => repository.slug) });
    for (const kind of ['missing', 'differing', 'other'] as const) {
      findings[kind].push(...found[kind].map((one) => `seed ${seed}, scan ${number}: ${one}`));
    }
    if (findings.count > 0) findings.other.push(`seed ${seed}, before that: ${told.join(', ')}`);
  };
  try {
    keeper.start();
    for (let number = 0; number < scans && findings.count === 0; number++) {
      if (number > 0 && random.below(3) > 0) await world.people.work();
      const obstructed = choose(random, repositories, number).map((repository) => {
        return { repository, obstacle: random.pick(obstacles) };
      });
      const full = number > 0 && random.below(8) === 0;
      await scan(number, obstructed, { full, isBlind: random.below(5) === 0 });
      if (random.below(4) === 0) {
        told.push(`${number} killed`);
        keeper.kill();
      }
    }
    // What was never seen open stands below what the scan before has read, and nothing new stands above it.
    for (const repository of repositories) await world.people.openAndClose(repository.slug, 4);
    const halves = repositories.map((repository) => ({ repository, obstacle: laterPullRequests }));
    if (findings.count === 0) await scan(scans, halves);
    if (findings.count === 0) await scan(scans + 1, []);
    if (findings.count === 0) findings.add(await rest(world, keeper, jobs));
  } catch (error) {
    findings.other.push(`seed ${seed}: ${error instanceof Error ? error.message : String(error)}`);
  } finally {
    await keeper.abandon();
  }
  return findings;
}

const dayMs = 24 * 3_600_000;

/** A repository is hidden while the others are read three days back; when it comes to light, a full scan would read one. */
async function comeLate(seed: number, repositories: readonly RepositoryOptions[]): Promise<Findings> {
  const findings = new Findings();
  const metadata = { backfill_days: 1 };
  await using world = await World.create({ seed, repositories, now: true, bitbucket: smallPages, metadata });
  const keeper = new Keeper(() => world.start());
  const [hidden] = world.repositories;
  if (hidden === undefined) throw new Error('there is no repository to hide');
  const startMs = Date.now();
  const at = Math.floor((startMs - 2 * dayMs) / 1000);
  const commit = { branch: 'main', at, message: 'two days ago', files: { 'two-days-ago.txt': 'a line\n' } };
  const [commitId] = await new ScratchRepository(hidden.gitDir).commit(commit);
  const show = refused('gone404', false).arm(world, hidden);
  const scan = async (from: number) => {
    const { status } = await world.sei.waitForJob(world.sei.addJob({ integrationId, from, to: Date.now() }), 60_000);
    if (status !== 'SUCCESS') findings.other.push(`come late: a job is ${status}`);
  };
  try {
    keeper.start();
    await scan(startMs - 3 * dayMs);
    show();
    await scan(startMs);
    const { commits } = world.sei.ingestedAll();
    if (!commits.some((one) => one.commit.id === commitId)) findings.missing.push(`come late: commit ${commitId}`);
    await keeper.stop();
  } catch (error) {
    findings.other.push(`come late: ${error instanceof Error ? error.message : String(error)}`);
  } finally {
    await keeper.abandon();
  }
  return findings;
}

/** One of them never in the first scan, the others as it comes. */
function choose(random: Random, repositories: readonly RepositoryOptions[], scan: number): RepositoryOptions[] {
  return repositories.filter(({ slug }) => (scan === 0 && slug === 'alpha') || random.below(3) === 0);
}
