import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import pMap from 'p-map';
import { type KillPoint, killPoints } from '../../../src/ops/kill-point.ts';
import type { RepositoryOptions } from '../../simulators/bitbucket/options.ts';
import { seededRandom } from '../../simulators/git/random.ts';
import type { Check, Context } from '../check.ts';
import { Findings, findingKinds } from '../findings.ts';
import { smallHistory, writeHistory } from '../history.ts';
import { Keeper } from '../keeper.ts';
import { compareWithReference, Jobs, payloads, rest } from '../oracle.ts';
import type { SatelliteOptions } from '../satellite.ts';
import { World } from '../world.ts';

const maxReadyMs = 2_000;

/** What is passed only where something goes wrong: these have a life of their own. */
const troubled: ReadonlySet<KillPoint> = new Set<KillPoint>([
  'store:set-aside',
  'push:in-split',
  'push:split',
  'job:before-failed',
  'job:failed',
  'report:failure-remembered',
]);
const counter = new URL('../preload/count-kill-points.ts', import.meta.url);

/** The world after a life without a kill, and how often each point was passed in it. */
interface Reference {
  readonly payloads: Map<string, string>;
  readonly counts: Readonly<Record<string, number>>;
}

interface Life {
  readonly findings: Findings;
  /** Undefined: it is held against git and Bitbucket alone. */
  readonly payloads?: Map<string, string>;
  readonly kills: number;
  readonly readyMs: readonly number[];
}

/**
 * The process is killed at each named point, at one of the times that it is passed there: in a full scan with a closed
 * repository, or in the incremental one after it; or in a life with a job that fails, pages that are too large, and a store
 * that is damaged. Then it is left in peace.
 */
export const killPointsCheck: Check = {
  name: 'kill-points',
  minutes: { short: 15, long: 90 },
  isAlone: true,
  run: async (context) => {
    const seeds = Array.from({ length: context.isLong ? 10 : 1 }, (_, index) => context.seed + index);
    const points = killPoints.filter((point) => context.isWanted(point));
    const findings = new Findings();
    const readyMs: number[] = [];
    let killed = 0;
    for (const seed of seeds) {
      const repositories = await writeHistory(join(context.folder, String(seed)), seed, smallHistory);
      const reference = await liveUndisturbed(context, seed, repositories);
      const slow: KillPoint[] = [];
      const live = async (point: KillPoint) => {
        const life = troubled.has(point)
          ? await liveInTrouble(point, seed, repositories)
          : await liveWithKill(point, seed, repositories, reference);
        if (life.kills === 0) life.findings.other.push('was not passed');
        if (life.payloads !== undefined) {
          life.findings.add(compareWithReference(life.payloads, reference.payloads));
        }
        for (const kind of findingKinds) {
          findings[kind].push(...life.findings[kind].map((one) => `${point} (seed ${seed}): ${one}`));
        }
        return life;
      };
      await pMap(
        points,
        async (point) => {
          const life = await live(point);
          if (life.kills > 0) killed++;
          if (life.readyMs.some((ms) => ms > maxReadyMs)) slow.push(point);
          else readyMs.push(...life.readyMs);
        },
        { concurrency: 2 },
      );
      // Among others a start may have to wait for its turn: alone it has no excuse three times.
      for (const point of slow) {
        let slowestMs = Number.POSITIVE_INFINITY;
        for (let tries = 0; slowestMs > maxReadyMs && tries < 3; tries++) {
          slowestMs = Math.min(slowestMs, Math.max(...(await live(point)).readyMs));
        }
        readyMs.push(slowestMs);
        if (slowestMs <= maxReadyMs) continue;
        findings.other.push(`${point} (seed ${seed}): a start took ${Math.round(slowestMs)} ms to be ready`);
      }
    }
    const slowest = Math.max(0, ...readyMs);
    return {
      figure:
        `${killed} of ${seeds.length * points.length}, ${findings.missing.length} lost, ` +
        `${findings.duplicated.length} duplicated, slowest start ${(slowest / 1000).toFixed(1)} s`,
      problems: findings.sentences(),
    };
  },
};

async function liveUndisturbed(
  { folder }: Context,
  seed: number,
  repositories: readonly RepositoryOptions[],
): Promise<Reference> {
  const path = join(folder, `counts-${seed}.json`);
  const life = await live(seed, repositories, (nth) =>
    nth === 0 ? { preload: [counter], env: { CRASH_COUNTS: path } } : {},
  );
  if (life.findings.count > 0) throw new Error(`the undisturbed run fails: ${life.findings.sentences().join('; ')}`);
  return {
    payloads: life.payloads ?? new Map(),
    counts: JSON.parse(await readFile(path, 'utf8')) as Record<string, number>,
  };
}

async function liveWithKill(
  point: KillPoint,
  seed: number,
  repositories: readonly RepositoryOptions[],
  { counts }: Reference,
): Promise<Life> {
  // How often a point is passed depends a little on time: the last of them may not come.
  const most = Math.max(1, Math.floor((counts[point] ?? 1) * 0.8));
  const nth = 1 + seededRandom(seed + killPoints.indexOf(point)).below(most);
  const life = await live(seed, repositories, (start) =>
    start === 0 ? { env: { SATELLITE_KILL_AT: `${point}:${nth}` } } : {},
  );
  if (life.kills > 0 || nth === 1) return life;
  return live(seed, repositories, (start) => (start === 0 ? { env: { SATELLITE_KILL_AT: `${point}:1` } } : {}));
}

async function live(
  seed: number,
  repositories: readonly RepositoryOptions[],
  options: (nth: number) => SatelliteOptions,
): Promise<Life> {
  await using world = await World.create({ seed, repositories });
  const keeper = new Keeper((nth) => world.start(options(nth)));
  const jobs = new Jobs(world);
  const open = world.bitbucket.refuseRepository('WEB', 'closed', 'permission401');
  const first = jobs.run();
  keeper.start();
  const findings = new Findings();
  const expectSuccess = ({ status, exception }: { status: string; exception?: { message: string } | undefined }) => {
    if (status !== 'SUCCESS') findings.other.push(`a job is ${status}: ${exception?.message}`);
  };
  expectSuccess(await first);
  open();
  await world.people.work();
  expectSuccess(await jobs.run());
  const kills = keeper.kills;
  // Whatever was armed and has not struck by now is gone with the process.
  await keeper.stop();
  keeper.start();
  findings.add(await rest(world, keeper, jobs));
  return { findings, payloads: payloads(world), kills, readyMs: keeper.readyMs };
}

/** A job that fails, one whose pages are too large for a gateway, and one after the store was damaged. */
async function liveInTrouble(
  point: KillPoint,
  seed: number,
  repositories: readonly RepositoryOptions[],
): Promise<Life> {
  const satellite = { push: { max_page_bytes: 262_144 } };
  await using world = await World.create({ seed, repositories, satellite, sei: { maxPushBytes: 100_000 } });
  const keeper: Keeper = new Keeper(() =>
    world.start(keeper.kills === 0 ? { env: { SATELLITE_KILL_AT: `${point}:1` } } : {}),
  );
  const jobs = new Jobs(world);
  const findings = new Findings();
  const expect = async (
    status: string,
    job: Promise<{ status: string; exception?: { message: string } | undefined }>,
  ) => {
    const ended = await job;
    if (ended.status !== status) findings.other.push(`a job is ${ended.status}: ${ended.exception?.message}`);
  };
  const open = world.bitbucket.fault({ match: 'repos', status: 403 });
  const failing = jobs.run();
  keeper.start();
  await expect('FAILURE', failing);
  open();
  await expect('SUCCESS', jobs.run());
  await keeper.stop();
  const store = join(world.folder, 'data', 'satellite.db');
  await writeFile(store, Buffer.alloc(50_000, 0x55));
  keeper.start();
  await expect('SUCCESS', jobs.run({ full: true }));
  findings.add(await rest(world, keeper, jobs));
  return { findings, kills: keeper.kills, readyMs: keeper.readyMs };
}
