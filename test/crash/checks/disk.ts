import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, existsSync, mkdirSync, openSync, readdirSync, rmSync, writeSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import pMap from 'p-map';
import { Store } from '../../../src/store/store.ts';
import type { RepositoryOptions } from '../../simulators/bitbucket/options.ts';
import type { Check } from '../check.ts';
import { Findings } from '../findings.ts';
import { type RepositoryPlan, writeHistory } from '../history.ts';
import { Keeper } from '../keeper.ts';
import { ballast, canLoop, canMount, failDisk, remount, seenBy, withDisk, withImage } from '../namespace.ts';
import { Jobs, rest } from '../oracle.ts';
import type { LogLine, SatelliteOptions } from '../satellite.ts';
import { World } from '../world.ts';

const plan: readonly RepositoryPlan[] = [
  { projectKey: 'PAY', slug: 'ledger', commits: 120 },
  { projectKey: 'WEB', slug: 'shop', commits: 30 },
];

const maxResumeMs = 5_000;

/** What is in memory may still be asked for while nothing can be stored; what comes of it may not be given up. */
const maxFromMemory = 3;

interface Hindrance {
  readonly name: string;
  readonly code: string;
  /** Undefined where this machine cannot do it, with the reason. */
  readonly missing: string | undefined;
  readonly satellite: (dataDir: string) => SatelliteOptions;
  readonly before: 'the start' | 'the job' | 'its end';
  readonly impose: (keeper: Keeper, dataDir: string) => Relief | Promise<Relief>;
  /** What the start finds, which a satellite before it has left. */
  readonly left?: (dataDir: string) => void;
}

type Relief = () => unknown;

const noMounts = canMount ? undefined : 'unshare -m is not allowed here';
const noLoops = canLoop ? undefined : 'there is no ext4 on loop devices here';
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
    name: 'full before the start, with a store that lacks its note of the holder',
    code: 'STORE_FULL',
    missing: noMounts,
    satellite: (dataDir) => ({ wrapper: withDisk(dataDir, { mib: 8, full: true, from: `${dataDir}-left` }) }),
    before: 'the start',
    left: (dataDir) => {
      const left = join(`${dataDir}-left`, 'satellite.db');
      new Store(left).close();
      rmSync(`${left}.holder`);
    },
    impose: ({ current }, dataDir) => {
      return () => rmSync(join(seenBy(current.child.pid, dataDir), ballast));
    },
  },
  {
    name: 'read-only before the start',
    code: 'STORE_READ_ONLY',
    missing: noMounts,
    satellite: (dataDir) => ({ wrapper: withDisk(dataDir, { mib: 8, readOnly: true }) }),
    before: 'the start',
    impose: ({ current }, dataDir) => {
      return () => remount(current.child.pid, dataDir, 'rw');
    },
  },
  {
    // The kernel takes such a disk for lost until it is mounted anew, so that this needs a new process, too.
    name: 'failing in the job, read-only from then on',
    code: 'STORE_IO_ERROR',
    missing: noLoops,
    satellite: (dataDir) => ({ wrapper: withImage(dataDir) }),
    before: 'its end',
    impose: (keeper, dataDir) => {
      failDisk(keeper.current.child.pid, dataDir);
      return async () => {
        await keeper.stop();
        keeper.start();
      };
    },
  },
  {
    name: 'full at a reload',
    code: 'STORE_FULL',
    missing: noMounts,
    satellite: (dataDir) => ({ wrapper: withDisk(dataDir, { mib: 8 }) }),
    before: 'the job',
    impose: async (keeper, dataDir) => {
      const relieve = fill(keeper, dataDir);
      keeper.current.child.kill('SIGHUP');
      // The log of a store that is closed leaves room, which the next daemon must not find.
      for (const startedAtMs = performance.now(); performance.now() - startedAtMs < 1_500; await delay(2)) {
        fill(keeper, dataDir);
      }
      return relieve;
    },
  },
  {
    name: 'full in the job, and stopped meanwhile',
    code: 'STORE_FULL',
    missing: noLoops,
    satellite: (dataDir) => ({ wrapper: withImage(dataDir) }),
    before: 'its end',
    impose: (keeper, dataDir) => {
      fill(keeper, dataDir);
      return async () => {
        // It has ten seconds to end, with code 0.
        await keeper.stop();
        keeper.start();
        let relieve = () => {};
        // The log of a store that is closed leaves room, and the disk is there only once it is mounted.
        for (const startedAtMs = performance.now(); performance.now() - startedAtMs < 2_000; await delay(2)) {
          if (existsSync(join(seenBy(keeper.current.child.pid, dataDir), ballast))) relieve = fill(keeper, dataDir);
        }
        await keeper.current.line(({ code }) => code === 'STORE_FULL');
        relieve();
      };
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
    let untried = 0;
    await pMap(
      hindrances.filter(({ name }) => isWanted(name)),
      async (hindrance) => {
        if (hindrance.missing !== undefined) {
          figures.push(`${hindrance.name}: not tried, ${hindrance.missing}`);
          untried++;
          return;
        }
        const { findings, resumedMs } = await hinder(hindrance, seed, repositories);
        figures.push(`${hindrance.name}: on after ${(resumedMs / 1000).toFixed(1)} s`);
        problems.push(...findings.sentences(3).map((one) => `${hindrance.name}: ${one}`));
      },
      { concurrency: 3 },
    );
    return { figure: figures.join(', '), problems, untried };
  },
};

async function hinder(hindrance: Hindrance, seed: number, repositories: readonly RepositoryOptions[]) {
  const { code, before: imposedBefore, impose, left } = hindrance;
  const port = await freePort();
  const satellite = { scheduling_interval: undefined, listen: `127.0.0.1:${port}` };
  await using world = await World.create({ seed, repositories, satellite, bitbucket: { latencyMs: 5 } });
  const findings = new Findings();
  const dataDir = join(world.folder, 'data');
  mkdirSync(dataDir);
  left?.(dataDir);
  const keeper = new Keeper(() => world.start(hindrance.satellite(dataDir)));
  const jobs = new Jobs(world);
  let resumedMs = Number.NaN;
  try {
    // With the interval as it is, the first round is the only one for a minute: it has to find the job.
    const job = jobs.run({ timeoutMs: 150_000 });
    let list = () => {};
    if (imposedBefore === 'the job') list = world.sei.fault({ match: 'list', delayMs: 3_000, times: 1 });
    keeper.start();
    let relieve: Relief = () => {};
    if (imposedBefore === 'the start') relieve = await impose(keeper, dataDir);
    else if (imposedBefore === 'the job') {
      while (world.sei.requests.list === 0) await delay(10);
      relieve = await impose(keeper, dataDir);
    } else {
      while (world.bitbucket.requests.count('raw-diff') < 20) await delay(10);
      relieve = await impose(keeper, dataDir);
    }
    const isTold = (line: LogLine) => line.code === code || String(line.error ?? '').includes(code);
    await keeper.current.line(isTold, 20_000);
    list();
    await delay(4_000);
    if (limitsFiles(hindrance)) await delay(8_000);
    else findings.other.push(...(await looks(port)));
    const before = progress(world);
    await delay(1_500);
    const meanwhile = progress(world) - before;
    if (meanwhile > maxFromMemory) findings.other.push(`the work went on by ${meanwhile} requests meanwhile`);
    const isBrokenOff = keeper.lines.some(({ message }) => message === 'Scan interrupted');
    if (imposedBefore === 'its end' && isBrokenOff) findings.other.push('the job was broken off');
    await relieve();
    const stood = progress(world);
    const relievedAtMs = performance.now();
    while (progress(world) <= stood + maxFromMemory && performance.now() - relievedAtMs < 20_000) await delay(20);
    resumedMs = performance.now() - relievedAtMs;
    if (resumedMs > maxResumeMs) findings.other.push(`nothing went on for ${Math.round(resumedMs)} ms`);
    const { status, exception, failures } = await job;
    if (status !== 'SUCCESS') findings.other.push(`the job is ${status}: ${exception?.message}`);
    for (const { message } of failures) findings.other.push(`the job could not read ${message}`);
    // One that is stopped while it waits says it once more.
    const stopsAt = keeper.lines.findIndex(({ message }) => message === 'Satellite stops');
    const told = keeper.lines
      .slice(0, stopsAt < 0 ? undefined : stopsAt)
      .filter((line) => isTold(line) && line.message.startsWith('The disk does not take'));
    if (told.length > 2) findings.other.push(`the log says ${told.length} times that it waits`);
    // Else the last job would wait for the next round, too.
    setTimeout(() => keeper.current.child.kill('SIGHUP'), 2_000);
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
  const file = openSync(path, 'a');
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

/** A process that may open no file more can be asked nothing either. */
function limitsFiles({ code }: Hindrance): boolean {
  return code === 'TOO_MANY_OPEN_FILES';
}

/** While it waits it lives, is not ready, and says that it is the disk. */
async function looks(port: number): Promise<string[]> {
  const problems: string[] = [];
  const ask = async (path: string) => {
    const response = await fetch(`http://127.0.0.1:${port}${path}`);
    return { status: response.status, text: await response.text() };
  };
  try {
    const live = await ask('/livez');
    if (live.status !== 200) problems.push(`/livez answers ${live.status}`);
    const ready = await ask('/readyz');
    if (ready.status !== 503 || !ready.text.includes('Disk: failing')) problems.push(`/readyz answers ${ready.text}`);
  } catch (error) {
    problems.push(`nobody answers at ${port}: ${error}`);
  }
  return problems;
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  return port;
}
