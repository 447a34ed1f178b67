import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { type Random, seededRandom } from '../../simulators/git/random.ts';
import type { Check, Context } from '../check.ts';
import { FaultProxy } from '../fault-proxy.ts';
import { Findings } from '../findings.ts';
import { mediumHistory, writeHistory } from '../history.ts';
import { Keeper } from '../keeper.ts';
import { Jobs, rest } from '../oracle.ts';
import { World } from '../world.ts';

const maxMib = 256;

/** Of open files: a job has more connections than the time between two. */
const maxGrowth = 8;

/** What a server in trouble says, or a proxy in its place. */
const troubles = [
  { status: 500 },
  { status: 503, headers: { 'Retry-After': '1' } },
  { status: 429, headers: { 'Retry-After': '1' } },
  { status: 502, body: '<html><body><h1>Bad Gateway</h1></body></html>' },
  { status: 504 },
  { status: 200, body: '<html><body><form>Sign in</form></body></html>' },
] as const;

/** Both lines bad, both servers in trouble, people at work, a kill every few seconds; then no more kills, to see whether files stay open. */
export const soakCheck: Check = {
  name: 'soak',
  minutes: { short: 6, long: 15 },
  run: (context) => soak(context, context.isLong ? 200_000 : 16_000, context.isLong ? 100_000 : 8_000),
};

async function soak({ random, seed, folder }: Context, killingMs: number, quietMs: number) {
  const repositories = await writeHistory(join(folder, 'repositories'), seed, mediumHistory);
  const findings = new Findings();
  const proxies: FaultProxy[] = [];
  await using cleanUp = new AsyncDisposableStack();
  const detour = async (urls: { bitbucket: string; sei: string }) => {
    for (const url of [urls.bitbucket, urls.sei]) {
      proxies.push(cleanUp.use(await FaultProxy.start(url, seededRandom(random.below(1_000_000)))));
    }
    return { bitbucket: proxies[0]?.url ?? '', sei: proxies[1]?.url ?? '' };
  };
  await using world = await World.create({ seed, repositories, now: true, detour, bitbucket: { latencyMs: 2 } });
  const keeper = new Keeper(() => world.start());
  const jobs = new Jobs(world);
  const files: number[] = [];
  const quiet = new AbortController();
  let answers = 0;
  try {
    for (const proxy of proxies) proxy.disturb();
    const troubled = troubleServers(world, seededRandom(seed), quiet.signal);
    keeper.start();
    const endAtMs = performance.now() + killingMs;
    const lastAtMs = endAtMs + quietMs;
    const disturbing = disturb(keeper, seededRandom(seed), { endAtMs, lastAtMs, files });
    while (performance.now() < lastAtMs) {
      await jobs.run({ timeoutMs: killingMs + quietMs + 120_000 });
      await world.people.work();
    }
    await disturbing;
    for (const proxy of proxies) proxy.calm();
    quiet.abort();
    answers = await troubled;
    // What was read of a bad line waits for its next attempt, up to a minute.
    findings.add(await rest(world, keeper, jobs));
  } finally {
    quiet.abort();
    await keeper.abandon();
  }
  // A process that has just begun has opened nothing yet.
  const quarter = files.length >> 2;
  const [early, late] = [median(files.slice(quarter, 2 * quarter)), median(files.slice(-quarter))];
  if (late - early > maxGrowth) findings.other.push(`open files grow: ${early} → ${late}`);
  const mib = Math.round(Math.max(...keeper.satellites.map(({ peakRssBytes }) => peakRssBytes)) / 2 ** 20);
  if (mib > maxMib) findings.other.push(`${mib} MiB of memory`);
  const faults = proxies.reduce((sum, proxy) => sum + proxy.faults, 0);
  return {
    figure:
      `${Math.round((killingMs + quietMs) / 1000)} s, ${faults} faults of the lines, ${answers} of the servers, ` +
      `${keeper.kills} kills, ${jobs.views.length} jobs, ` +
      `${findings.missing.length} lost, ${mib} MiB, open files ${early} → ${late}`,
    problems: findings.sentences(),
  };
}

/** Now and then a request is answered with a trouble, on either leg; resolves with how many were. */
async function troubleServers({ bitbucket, sei }: World, random: Random, signal: AbortSignal): Promise<number> {
  const legs = [
    { server: bitbucket, every: 150, atRequest: 0 },
    { server: sei, every: 30, atRequest: 0 },
  ];
  let count = 0;
  while (!signal.aborted) {
    for (const leg of legs) {
      const { total } = leg.server.requests;
      if (total < leg.atRequest) continue;
      leg.server.fault({ match: /./, times: 1, ...random.pick(troubles) });
      count++;
      leg.atRequest = total + 2 + random.below(leg.every);
    }
    await delay(50);
  }
  return count;
}

interface Disturbance {
  readonly endAtMs: number;
  readonly lastAtMs: number;
  readonly files: number[];
}

async function disturb(keeper: Keeper, random: Random, until: Disturbance): Promise<void> {
  while (performance.now() < until.endAtMs) {
    await delay(1_500 + random.below(3_500));
    keeper.kill();
  }
  await readyAgain(keeper);
  while (performance.now() < until.lastAtMs) {
    await delay(500);
    until.files.push(readdirSync(`/proc/${keeper.current.child.pid}/fd`).length);
  }
}

/** The one that was killed last may never have been ready, and its successor not be there yet. */
async function readyAgain(keeper: Keeper): Promise<void> {
  for (;;) {
    const { ready, ended } = keeper.current;
    if (await Promise.race([ready.then(() => true), ended.then(() => false)])) return;
    await delay(50);
  }
}

function median(numbers: readonly number[]): number {
  return numbers.toSorted((a, b) => a - b)[numbers.length >> 1] ?? 0;
}
