import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import pMap from 'p-map';
import type { Check } from '../check.ts';
import { Findings } from '../findings.ts';
import { type RepositoryPlan, writeHistory } from '../history.ts';
import { Keeper } from '../keeper.ts';
import { Jobs, rest } from '../oracle.ts';
import { Rival } from '../rival.ts';
import type { LogLine, SatelliteOptions } from '../satellite.ts';
import { World, type WorldOptions } from '../world.ts';

const plan: readonly RepositoryPlan[] = [
  { projectKey: 'PAY', slug: 'ledger', commits: 120 },
  { projectKey: 'WEB', slug: 'shop', commits: 8 },
];

interface Scene {
  readonly world: World;
  readonly keeper: Keeper;
  readonly jobs: Jobs;
  readonly wrong: (what: string) => void;
}

interface Trouble {
  readonly name: string;
  readonly world?: Partial<WorldOptions>;
  readonly satellite?: SatelliteOptions;
  readonly play: (scene: Scene) => Promise<void>;
}

const outageHours = 72;
const factor = 20_000;

const troubles: readonly Trouble[] = [
  {
    name: `an outage of ${outageHours} hours`,
    satellite: {
      preload: [new URL('../preload/fast-clock.ts', import.meta.url)],
      env: { CRASH_CLOCK_FACTOR: String(factor) },
    },
    play: async ({ world, keeper, jobs, wrong }) => {
      const job = jobs.run();
      keeper.start();
      await keeper.current.line(({ message }) => message === 'Job accepted');
      const end = world.sei.fault({ match: /./, status: 503 });
      await delay((outageHours * 3_600_000) / factor);
      const requests = world.sei.requests.total;
      end();
      const { status, exception, reports } = await job;
      if (status !== 'SUCCESS') wrong(`the job is ${status}: ${exception?.message}`);
      if (reports === 0) wrong('the job was never reported');
      for (const said of ['SEI could not be talked to', 'A page could not be pushed']) {
        const isTold = (line: LogLine) => line.message.startsWith(said) && line.code === 'SEI_SERVER_ERROR';
        if (!keeper.lines.some(isTold)) wrong(`the log does not say: ${said}`);
      }
      if (requests < 100) wrong(`only ${requests} requests were made in all the time`);
    },
  },
  {
    name: 'a job lost to another satellite',
    play: async ({ world, keeper, jobs, wrong }) => {
      const rival = new Rival(world.sei);
      world.sei.fault({ match: 'accept', times: 1, delayMs: 1_500 });
      const jobId = jobs.add();
      keeper.start();
      while (world.sei.requests.accept === 0) await delay(20);
      await rival.take(jobId);
      await keeper.current.line(({ message }) => message.startsWith('The job is gone or another satellite'));
      await delay(2_500);
      if (world.sei.pages(jobId).length > 0) wrong('pages were pushed for a job of another satellite');
      await rival.giveBack(jobId);
      const { status } = await world.sei.waitForJob(jobId);
      if (status !== 'SUCCESS') wrong(`the job that came back is ${status}`);
    },
  },
  {
    name: 'an id that SEI still knows',
    play: async ({ keeper, jobs, wrong }) => {
      keeper.start();
      await jobs.run();
      keeper.kill();
      await jobs.run();
      if (!keeper.lines.some(({ message }) => message === 'SEI still knows this satellite'))
        wrong('it registered anew');
    },
  },
  {
    name: 'a satellite that SEI has forgotten',
    play: async ({ world, keeper, jobs, wrong }) => {
      keeper.start();
      await jobs.run();
      const { agentId } = await keeper.current.line(({ message }) => message === 'Registered with SEI');
      const before = keeper.lines.length;
      world.sei.forgetAgents();
      const { status } = await jobs.run();
      if (status !== 'SUCCESS') wrong(`the job is ${status}`);
      // A job may be done before the next heartbeat.
      const registered = () => keeper.lines.slice(before).find(({ message }) => message === 'Registered with SEI');
      for (let waits = 0; registered() === undefined && waits < 300; waits++) await delay(50);
      const again = registered();
      if (again?.agentId !== agentId) wrong(`it registered as ${again?.agentId} instead of ${agentId}`);
    },
  },
  {
    name: 'a frozen satellite whose job SEI offers again',
    play: async ({ world, keeper, jobs, wrong }) => {
      const jobId = jobs.add();
      keeper.start();
      await keeper.current.line(({ message }) => message === 'Job accepted');
      while (world.sei.pages(jobId).length === 0) await delay(10);
      keeper.current.child.kill('SIGSTOP');
      world.sei.reschedule(jobId);
      await delay(3_000);
      keeper.current.child.kill('SIGCONT');
      const { status, exception } = await world.sei.waitForJob(jobId, 60_000);
      if (status !== 'SUCCESS') wrong(`the job is ${status}: ${exception?.message}`);
    },
  },
  {
    name: 'a key that is refused for a while',
    satellite: { preload: [new URL('../preload/hurry.ts', import.meta.url)] },
    play: async ({ world, keeper, jobs, wrong }) => {
      const job = jobs.run();
      keeper.start();
      await keeper.current.line(({ message }) => message === 'Job accepted');
      const end = world.sei.fault({ match: /./, status: 401 });
      await keeper.current.line(({ code }) => code === 'SEI_KEY_REFUSED');
      await delay(3_000);
      end();
      const { status, exception } = await job;
      if (status !== 'SUCCESS') wrong(`the job is ${status}: ${exception?.message}`);
    },
  },
  {
    name: 'pages too large for a gateway (413)',
    world: { satellite: { push: { max_page_bytes: 262_144 } }, sei: { maxPushBytes: 100_000 } },
    play: async ({ world, keeper, jobs, wrong }) => {
      keeper.start();
      const { status, exception, jobId } = await jobs.run();
      if (status !== 'SUCCESS') wrong(`the job is ${status}: ${exception?.message}`);
      const pages = world.sei.pages(jobId).filter(({ dataType }) => dataType === 'commits');
      if (pages.length < 2) wrong(`${pages.length} pages of commits were pushed`);
      const isTold = keeper.lines.some(({ message }) => message.startsWith('SEI refuses a page for its size'));
      if (!isTold) wrong('the log does not say that a page was cut');
    },
  },
  {
    name: 'two jobs at once',
    world: { now: true },
    play: async ({ world, keeper, jobs, wrong }) => {
      // The second window begins while the first job runs; what is pushed meanwhile carries an older date.
      const first = jobs.add();
      let second = '';
      world.bitbucket.fault({
        match: 'activities',
        times: 1,
        meanwhile: async () => {
          second = jobs.add();
          await world.people.pushLate('ledger');
          await delay(1_500);
        },
      });
      keeper.start();
      for (const jobId of [first, second]) {
        const { status } = await world.sei.waitForJob(jobId === '' ? second : jobId, 60_000);
        if (status !== 'SUCCESS') wrong(`a job is ${status}`);
      }
    },
  },
];

/** What SEI, its gateway, its keys and other satellites may do to us that is more than one bad answer. */
export const seiTroubleCheck: Check = {
  name: 'sei-trouble',
  minutes: { short: 3, long: 3 },
  run: async ({ seed, isWanted, folder }) => {
    const wanted = troubles.filter(({ name }) => isWanted(name));
    const repositories = await writeHistory(join(folder, 'repositories'), seed, plan);
    const problems: string[] = [];
    let good = 0;
    await pMap(
      wanted,
      async (trouble) => {
        await using world = await World.create({ seed, repositories, ...trouble.world });
        const findings = new Findings();
        const keeper = new Keeper(() => world.start(trouble.satellite));
        const jobs = new Jobs(world);
        try {
          await trouble.play({ world, keeper, jobs, wrong: (what) => findings.other.push(what) });
          findings.add(await rest(world, keeper, jobs));
        } catch (error) {
          findings.other.push(error instanceof Error ? error.message : String(error));
        } finally {
          await keeper.abandon();
        }
        if (findings.count === 0) good++;
        problems.push(...findings.sentences().map((one) => `${trouble.name}: ${one}`));
      },
      { concurrency: 3 },
    );
    return { figure: `${good} of ${wanted.length}`, problems };
  },
};
