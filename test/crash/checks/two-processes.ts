import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Check } from '../check.ts';
import { smallHistory, writeHistory } from '../history.ts';
import { Keeper } from '../keeper.ts';
import { Jobs, rest } from '../oracle.ts';
import { World } from '../world.ts';

/** The second process on a data directory ends with 75 and says who holds it; the first does not notice. */
export const twoProcessesCheck: Check = {
  name: 'two-processes',
  minutes: { short: 2, long: 2 },
  run: async ({ seed, folder }) => {
    const repositories = await writeHistory(join(folder, 'repositories'), seed, smallHistory);
    await using world = await World.create({ seed, repositories });
    const keeper = new Keeper(() => world.start());
    const jobs = new Jobs(world);
    const problems: string[] = [];
    try {
      const job = jobs.run();
      keeper.start();
      await keeper.current.ready;
      const second = world.start();
      const ending = await Promise.race([second.ended, delay(10_000, undefined, { ref: false })]);
      await second.kill();
      if (ending?.exitCode !== 75) problems.push(`the second ends with ${ending?.exitCode ?? 'nothing'}`);
      const pid = String(keeper.current.child.pid);
      const told = second.lines.map((line) => JSON.stringify(line)).join('\n');
      if (!told.includes('STORE_IN_USE') || !told.includes(pid))
        problems.push(`it does not name process ${pid}: ${told}`);
      const { status } = await job;
      if (status !== 'SUCCESS') problems.push(`the job of the first is ${status}`);
      problems.push(...(await rest(world, keeper, jobs)).sentences());
    } finally {
      await keeper.abandon();
    }
    return { figure: 'exit code 75 and the holder named', problems };
  },
};
