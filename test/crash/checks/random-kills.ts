import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import pMap from 'p-map';
import { type Random, seededRandom } from '../../simulators/git/random.ts';
import type { Check } from '../check.ts';
import { Findings } from '../findings.ts';
import { mediumHistory, writeHistory } from '../history.ts';
import { Keeper } from '../keeper.ts';
import { Jobs, rest } from '../oracle.ts';
import { World } from '../world.ts';

/** Kills at moments that nobody chose, while a job runs: full first, then one after the other. */
export const randomKillsCheck: Check = {
  name: 'random-kills',
  minutes: { short: 4, long: 40 },
  run: async ({ seed, random, isLong, folder }) => {
    const repositories = await writeHistory(join(folder, 'repositories'), seed, mediumHistory);
    const worlds = isLong ? 8 : 2;
    const killsEach = isLong ? 25 : 10;
    const seeds = Array.from({ length: worlds }, () => random.below(1_000_000));
    const findings = new Findings();
    let kills = 0;
    let jobCount = 0;
    await pMap(
      seeds,
      async (own) => {
        await using world = await World.create({ seed: own, repositories, bitbucket: { latencyMs: 3 } });
        const keeper = new Keeper(() => world.start());
        const jobs = new Jobs(world);
        keeper.start();
        const killing = killAtRandom(keeper, seededRandom(own), killsEach);
        do {
          const { status, exception } = await jobs.run();
          if (status !== 'SUCCESS') findings.other.push(`a job is ${status}: ${exception?.message}`);
          await world.people.work();
        } while (keeper.kills < killsEach);
        await killing;
        findings.add(await rest(world, keeper, jobs));
        kills += keeper.kills;
        jobCount += jobs.views.length;
      },
      { concurrency: 2 },
    );
    const { missing, duplicated } = findings;
    return {
      figure: `${kills} kills, ${jobCount} jobs, ${missing.length} lost, ${duplicated.length} duplicated`,
      problems: findings.sentences(),
    };
  },
};

/** Every other time counted from when SEI has heard of the satellite: the others fall into its start. */
async function killAtRandom(keeper: Keeper, random: Random, times: number): Promise<void> {
  for (let count = 0; count < times; count++) {
    const victim = keeper.current;
    if (count % 2 === 0) await Promise.race([victim.ready, victim.ended]);
    await delay(random.below(count % 2 === 0 ? 1_200 : 800));
    keeper.kill();
    await victim.ended;
    while (keeper.current === victim) await delay(5);
  }
}
