import { join } from 'node:path';
import pMap from 'p-map';
import type { Check } from '../check.ts';
import { type BitbucketFault, Scene } from '../fault-scene.ts';
import { type RepositoryPlan, writeHistory } from '../history.ts';
import { World } from '../world.ts';
import { bitbucketFaults } from './bitbucket-fault-list.ts';

/** The first is struck, the second must not notice. */
const plan: readonly RepositoryPlan[] = [
  { projectKey: 'PAY', slug: 'alpha', commits: 20 },
  { projectKey: 'WEB', slug: 'beta', commits: 6 },
];

/** Whatever Bitbucket says or does not say: each fault ends in the way that is declared for it. */
export const bitbucketFaultsCheck: Check = {
  name: 'bitbucket-faults',
  minutes: { short: 5, long: 10 },
  run: async ({ seed, isLong, isWanted, folder }) => {
    const repositories = await writeHistory(join(folder, 'repositories'), seed, plan);
    const wanted = bitbucketFaults.filter(({ name, long }) => isWanted(name) && (isLong || long !== true));
    const problems: string[] = [];
    let good = 0;
    await pMap(
      wanted,
      async (fault) => {
        const found = await play(fault, seed, repositories);
        if (found.length === 0) good++;
        problems.push(...found.map((one) => `${fault.name}: ${one}`));
      },
      { concurrency: 6 },
    );
    return { figure: `${good} of ${wanted.length} end as declared`, problems };
  },
};

async function play(
  fault: BitbucketFault,
  seed: number,
  repositories: Awaited<ReturnType<typeof writeHistory>>,
): Promise<string[]> {
  await using world = await World.create({
    seed,
    repositories,
    ...(fault.bitbucket === undefined ? {} : { bitbucket: fault.bitbucket }),
  });
  const scene = new Scene(world, fault);
  try {
    return (await scene.play()).sentences(3);
  } catch (error) {
    return [error instanceof Error ? error.message : String(error), ...scene.findings.sentences(3)];
  } finally {
    await scene.keeper.abandon();
  }
}
