import { spawnSync } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readdirSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { RepositoryOptions } from '../../simulators/bitbucket/options.ts';
import type { Check } from '../check.ts';
import { Findings } from '../findings.ts';
import { type RepositoryPlan, writeHistory } from '../history.ts';
import { Keeper } from '../keeper.ts';
import { ballast, canMount, seenBy, withDisk } from '../namespace.ts';
import { Jobs, rest } from '../oracle.ts';
import type { LogLine, SatelliteOptions } from '../satellite.ts';
import { World } from '../world.ts';

const plan: readonly RepositoryPlan[] = [
  { projectKey: 'PAY', slug: 'ledger', commits: 120 },
  { projectKey: 'WEB', slug: 'shop', commits: 30 },
];

const maxResumeMs = 5_000;

interface Hindrance {
  readonly name: string;
  readonly code: string;
  /** Undefined where this machine cannot do it, with the reason. */
  readonly missing: string | undefined;
  readonly satellite: (dataDir: string) => SatelliteOptions;
  readonly before: 'the start' | 'the job' | 'its end';
  readonly impose: (keeper: Keeper, dataDir: string) => () => void;
}

const noMounts = canMount ? undefined : 'unshare -m is not allowed here';
const noLimits = spawnSync('prlimit', ['--version']).status === 0 ? undefined : 'there is no prlimit here';

const hindrances: readonly Hindrance[] = [
  {
    name: 'full before the start',
    code: 'STORE_FULL',
    missing: noMounts,
    satellite: (dataDir) => ({ wrapper: withDisk(dataDir, { mib: 8, full: true }) }),
    before: 'the start',
    impose: ({ current }, dataDir) => {
      return () => rmSync(join(seenBy(current.child.pid, dataDir), ballast));
    },
  },
  {
    name: 'full before the job',
    code: 'STORE_FULL',
    missing: noMounts,
    satellite: (dataDir) => ({ wrapper: withDisk(dataDir, { mib: 8 }) }),
    before: 'the job',
    impose: fill,
  },
  {
    name: 'full in the job',
    code: 'STORE_FULL',
    missing: noMounts,
    satellite: (dataDir) => ({ wrapper: withDisk(dataDir, { mib: 8 }) }),
    before: 'its end',
    impose: fill,
  },
  {
    name: 'too many open files',
    code: 'TOO_MANY_OPEN_FILES',
    missing: noLimits,
    satellite: () => ({}),
    before: 'the job',
    impose: ({ current }) => {
      const { pid } = current.child;
      const open = readdirSync(`/proc/${pid}/fd`).length;
      const limit = (most: number) => spawnSync('prlimit', [`--pid=${pid}`, `--nofile=${most}:`]);
      limit(open);
      return () => limit(1024);
    },
  },
];

/**
 * A disk that takes nothing and a process that may open nothing: it says so and waits, and goes on by itself within five
 * seconds of there being room again.
 */
export const diskCheck: Check = {
  name: 'disk',
  minutes: { short: 3, long: 3 },
  run: async ({ seed, isWanted, folder }) => {
    const repositories = await writeHistory(join(folder, 'repositories'), seed, plan);
    const problems: string[] = [];
    const figures: string[] = [];
    for (const hindrance of hindrances.filter(({ name }) => isWanted(name))) {
      if (hindrance.missing !== undefined) {
        figures.push(`${hindrance.name}: not tried, ${hindrance.missing}`);
        continue;
      }
      const { findings, resumedMs } = await hinder(hindrance, seed, repositories);
      figures.push(`${hindrance.name}: on after ${(resumedMs / 1000).toFixed(1)} s`);
      problems.push(...findings.sentences(3).map((one) => `${hindrance.name}: ${one}`));
    }
    const refused = canMount ? await startReadOnly(seed, repositories) : undefined;
    problems.push(...(refused ?? []));
    return { figure: figures.join(', '), problems };
  },
};

async function hinder(hindrance: Hindrance, seed: number, repositories: readonly RepositoryOptions[]) {
  const { code, before: imposedBefore, impose, satellite } = hindrance;
  await using world = await World.create({ seed, repositories, bitbucket: { latencyMs: 5 } });
  const findings = new Findings();
  const dataDir = join(world.folder, 'data');
  mkdirSync(dataDir);
  const keeper = new Keeper(() => world.start(satellite(dataDir)));
  const jobs = new Jobs(world);
  let resumedMs = Number.NaN;
  try {
    keeper.start();
    if (imposedBefore !== 'the start') {
      await keeper.current.ready;
      await delay(500);
    }
    let relieve = imposedBefore === 'its end' ? () => {} : impose(keeper, dataDir);
    const job = jobs.run({ timeoutMs: 90_000 });
    if (imposedBefore === 'its end') {
      while (world.bitbucket.requests.count('raw-diff') < 20) await delay(10);
      relieve = impose(keeper, dataDir);
    }
    const isTold = (line: LogLine) => line.code === code || String(line.error ?? '').includes(code);
    await keeper.current.line(isTold, 20_000);
    await delay(2_000);
    const before = progress(world);
    await delay(1_500);
    const stood = progress(world);
    // What is in memory may still be asked for; what comes of it may not be given up.
    if (stood - before > 3) findings.other.push(`the work went on by ${stood - before} requests meanwhile`);
    relieve();
    const relievedAtMs = performance.now();
    while (progress(world) === stood && performance.now() - relievedAtMs < 20_000) await delay(20);
    resumedMs = performance.now() - relievedAtMs;
    if (resumedMs > maxResumeMs) findings.other.push(`nothing went on for ${Math.round(resumedMs)} ms`);
    const { status, exception, failures } = await job;
    if (status !== 'SUCCESS') findings.other.push(`the job is ${status}: ${exception?.message}`);
    for (const { message } of failures) findings.other.push(`the job could not read ${message}`);
    findings.add(await rest(world, keeper, jobs));
  } catch (error) {
    findings.other.push(error instanceof Error ? error.message : String(error));
  } finally {
    await keeper.abandon();
  }
  return { findings, resumedMs };
}

/** Grows with every step of the work; heartbeats are none. */
function progress({ bitbucket, sei }: World): number {
  return bitbucket.requests.total + sei.requests.accept + sei.requests.push;
}

/** Writes until nothing more fits. */
function fill({ current }: Keeper, dataDir: string): () => void {
  const path = join(seenBy(current.child.pid, dataDir), ballast);
  const file = openSync(path, 'w');
  for (const bytes of [65_536, 4_096, 512, 1]) {
    const block = Buffer.alloc(bytes, 1);
    try {
      while (writeSync(file, block) > 0);
    } catch {
      // Full: what is left takes a smaller block.
    }
  }
  closeSync(file);
  return () => rmSync(path);
}

/** It cannot begin there, and says why instead of crashing. */
async function startReadOnly(seed: number, repositories: readonly RepositoryOptions[]): Promise<string[]> {
  await using world = await World.create({ seed, repositories });
  const dataDir = join(world.folder, 'data');
  mkdirSync(dataDir);
  const satellite = world.start({ wrapper: withDisk(dataDir, { mib: 8, readOnly: true }) });
  const ending = await Promise.race([satellite.ended, delay(10_000, undefined, { ref: false })]);
  await satellite.kill();
  if (ending?.exitCode === 74 && ending.stderr.includes(dataDir)) return [];
  return [`read-only: exit code ${ending?.exitCode ?? 'none'}, ${satellite.tail()}`];
}
