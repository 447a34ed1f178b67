import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import pMap from 'p-map';
import type { KillPoint } from '../../../src/ops/kill-point.ts';
import type { RepositoryOptions } from '../../simulators/bitbucket/options.ts';
import type { Check } from '../check.ts';
import { Findings } from '../findings.ts';
import { type RepositoryPlan, writeHistory } from '../history.ts';
import { Keeper } from '../keeper.ts';
import { Jobs, rest } from '../oracle.ts';
import type { Satellite } from '../satellite.ts';
import { World } from '../world.ts';

const plan: readonly RepositoryPlan[] = [
  { projectKey: 'PAY', slug: 'ledger', commits: 25 },
  { projectKey: 'WEB', slug: 'shop', commits: 8 },
];

interface State {
  readonly name: string;
  /** Brings the satellite into it; gives what takes the hindrance away. */
  readonly reach: (world: World, satellite: Satellite) => Promise<() => void>;
  /** Without a job there is nothing to go on with. */
  readonly idle?: true;
  /** The process sends itself the signal there, as no other could hit the place. */
  readonly at?: KillPoint | 'load';
  /** As the program loads it is asked to read its configuration again. */
  readonly isHungUpOn?: true;
}

const stopper = new URL('../preload/stop-at-kill-point.ts', import.meta.url);
const month = '2592000';
const until = async (reached: () => boolean) => {
  for (let waited = 0; !reached(); waited += 10) {
    if (waited > 20_000) throw new Error('the state was not reached');
    await delay(10);
  }
};

function atBitbucket(name: string, rule: object, resource = 'commits'): State {
  return {
    name,
    reach: async ({ bitbucket }) => {
      const away = bitbucket.fault({ match: resource, ...rule });
      await until(() => bitbucket.requests.count(resource) > 0);
      await delay(150);
      return away;
    },
  };
}

function atSei(name: string, call: 'heartbeat' | 'accept' | 'push' | 'report', rule: object): State {
  return {
    name,
    reach: async ({ sei }) => {
      const away = sei.fault({ match: call, ...rule });
      await until(() => sei.requests[call] > 0);
      await delay(150);
      return away;
    },
  };
}

/** A few diffs are read, and no further one comes. */
function inWork(name: string, then: (world: World, satellite: Satellite) => Promise<void>): State {
  return {
    name,
    reach: async (world, satellite) => {
      const { bitbucket } = world;
      const away = bitbucket.fault({ match: 'raw-diff', skip: 5, hang: true });
      await until(() => bitbucket.requests.count('raw-diff') > 5);
      await then(world, satellite);
      return away;
    },
  };
}

function inStart(afterMs: number): State {
  return {
    name: `${afterMs} ms after the start`,
    reach: async () => {
      await delay(afterMs);
      return () => undefined;
    },
  };
}

function inTransaction(name: string, at: KillPoint): State {
  return { name, at, reach: async () => () => undefined };
}

const states: readonly State[] = [
  inTransaction('in the transaction of a page', 'page:in-transaction'),
  inTransaction('in the transaction of an acknowledgement', 'report:in-acknowledgement'),
  inTransaction('in a migration', 'store:in-migration'),
  { name: 'as the program loads', at: 'load', reach: async () => () => undefined },
  {
    name: 'idle, after SIGHUP as the program loads',
    idle: true,
    isHungUpOn: true,
    reach: async (_world, satellite) => {
      await Promise.race([satellite.ready, satellite.ended]);
      return () => undefined;
    },
  },
  {
    name: 'idle',
    idle: true,
    reach: async (_world, satellite) => {
      await satellite.ready;
      await delay(300);
      return () => undefined;
    },
  },
  {
    name: 'as it says that it starts',
    reach: async (_world, satellite) => {
      await satellite.line(({ message }) => message === 'Satellite starts');
      return () => undefined;
    },
  },
  ...[60, 150, 250, 350, 450, 600].map(inStart),
  atBitbucket('in a request', { hang: true }),
  atBitbucket('in a list of repositories', { hang: true }, 'repos'),
  atBitbucket('in a diff that drips', { drip: 200 }, 'raw-diff'),
  atBitbucket('in a wait of a month after 429', { status: 429, headers: { 'Retry-After': month } }),
  atBitbucket('in a wait after 503', { status: 503, headers: { 'Retry-After': month } }),
  atSei('in a heartbeat', 'heartbeat', { hang: true }),
  atSei('in an accept', 'accept', { hang: true }),
  atSei('in a push', 'push', { hang: true }),
  atSei('in a wait for another key', 'push', { status: 401 }),
  atSei('in a report', 'report', { hang: true }),
  inWork('in the middle of work, after SIGHUP', async (_world, satellite) => {
    satellite.child.kill('SIGHUP');
    await satellite.line(({ message }) => message === 'The configuration is read again');
    const begun = () => satellite.lines.filter(({ message }) => message === 'Scan begins').length;
    await until(() => begun() > 1);
  }),
  inWork('in the middle of work, after SIGHUP with a broken file', async ({ folder }, satellite) => {
    const file = join(folder, 'satellite.yml');
    const whole = readFileSync(file);
    writeFileSync(file, 'satellite: [');
    satellite.child.kill('SIGHUP');
    await satellite.line(({ message }) => message === 'The new configuration is refused; the old one stays');
    writeFileSync(file, whole);
    await delay(300);
    if (satellite.child.exitCode !== null) throw new Error('the old configuration did not stay');
  }),
  {
    name: 'in the middle of work',
    reach: async ({ bitbucket }) => {
      await until(() => bitbucket.requests.count('raw-diff') > 5);
      return () => undefined;
    },
  },
];

/** SIGTERM in whatever state: an orderly end within ten seconds, a second one ends it at once, the next start goes on. */
export const stopCheck: Check = {
  name: 'stop',
  isAlone: true,
  minutes: { short: 4, long: 8 },
  run: async ({ seed, isLong, isWanted, folder }) => {
    const wanted = states.filter(({ name }) => isWanted(name));
    const cases = wanted.flatMap((state, index) =>
      isLong ? [false, true].map((twice) => ({ state, twice })) : [{ state, twice: index % 2 === 1 }],
    );
    const repositories = await writeHistory(join(folder, 'repositories'), seed, plan);
    const problems: string[] = [];
    const tookMs: number[] = [];
    const twiceMs: number[] = [];
    const stop = async ({ state, twice }: { readonly state: State; readonly twice: boolean }) => {
      const { findings, ms } = await stopIn(state, twice, seed, repositories);
      (twice ? twiceMs : tookMs).push(ms);
      const name = `${state.name}, ${twice ? 'two signals' : 'one signal'}`;
      problems.push(...findings.sentences(3).map((one) => `${name}: ${one}`));
    };
    // A signal is heard once what is loading has loaded, which takes its time where others do the same.
    const isLoading = ({ state }: { readonly state: State }) => state.at === 'load';
    await pMap(cases.filter(isLoading), stop, { concurrency: 1 });
    await pMap(
      cases.filter((one) => !isLoading(one)),
      stop,
      { concurrency: 4 },
    );
    const slowest = (all: readonly number[]) => (Math.max(0, ...all) / 1000).toFixed(1);
    return {
      figure: `${cases.length} ends in ${wanted.length} states, slowest end ${slowest(tookMs)} s, after a second signal ${slowest(twiceMs)} s`,
      problems,
    };
  },
};

async function stopIn(state: State, twice: boolean, seed: number, repositories: readonly RepositoryOptions[]) {
  await using world = await World.create({ seed, repositories });
  const findings = new Findings();
  const jobs = new Jobs(world);
  let ms = 0;
  if (state.idle !== true) jobs.add();
  const satellite = world.start({
    preload: [stopper],
    env: {
      CRASH_STOP_AT: state.at,
      CRASH_SIGNAL_TIMES: twice && state.isHungUpOn !== true ? '2' : '1',
      CRASH_LOAD_SIGNAL: state.at === 'load' ? 'SIGTERM' : state.isHungUpOn && 'SIGHUP',
    },
  });
  const keeper = new Keeper(() => world.start());
  try {
    const away = await state.reach(world, satellite);
    const sendsItself = state.at !== undefined;
    if (sendsItself || state.isHungUpOn) await satellite.line(({ message }) => message === 'A signal comes');
    const isHeard = sendsItself || hearsSignals(satellite);
    const startedAtMs = performance.now();
    const ending = sendsItself ? satellite.ended : satellite.kill('SIGTERM');
    if (twice && !sendsItself) {
      await delay(50);
      await satellite.kill('SIGTERM').catch(() => undefined);
    }
    const { exitCode, signal } = await Promise.race([ending, late(satellite, 15_000)]);
    ms = performance.now() - startedAtMs;
    // Before its first line is read there is nothing of the program yet that could hear a signal, and a second one may come
    // when there is nothing of it any more.
    const isUnheard = signal === 'SIGTERM' && (!isHeard || (twice && !sendsItself));
    // Where both come at once, the second one is there before the end that the first one asks for has begun.
    const isGood = (exitCode === 0 && !(twice && sendsItself)) || (exitCode === 143 && twice) || isUnheard;
    if (!isGood) findings.other.push(`exit code ${exitCode}, signal ${signal}`);
    if (ms > (twice ? 1_050 : 10_000)) findings.other.push(`the end took ${Math.round(ms)} ms`);
    away();
    keeper.start();
    if (state.idle !== true) await world.sei.waitForJob(world.sei.jobs()[0]?.jobId ?? '', 60_000);
    findings.add(await rest(world, keeper, jobs));
  } catch (error) {
    findings.other.push(error instanceof Error ? error.message : String(error));
  } finally {
    await satellite.kill();
    await keeper.abandon();
  }
  return { findings, ms };
}

/** It catches SIGHUP from the moment on from which it listens for the end; Node alone does not. */
function hearsSignals({ child }: Satellite): boolean {
  const caught = /^SigCgt:\s+([0-9a-f]+)/m.exec(readFileSync(`/proc/${child.pid}/status`, 'utf8'))?.[1] ?? '0';
  return (BigInt(`0x${caught}`) & 1n) === 1n;
}

async function late(satellite: Satellite, afterMs: number) {
  await delay(afterMs, undefined, { ref: false });
  satellite.child.kill('SIGKILL');
  return satellite.ended;
}
