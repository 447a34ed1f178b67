import { createHash } from 'node:crypto';
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
import { compare, compareWithReference, Jobs, payloads, rest } from '../oracle.ts';
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
const writeKiller = new URL('../preload/kill-at-write.ts', import.meta.url);

/** Of those that only make the schema, so many are tried. */
const schemaWrites = 4;
/** Of all of them each seed takes one in so many: the ten of the long run take all. */
const share = { short: 16, long: 8 };
/** Nothing changes by them, or only how the file is kept. */
const noWrite = /^(PRAGMA(?! user_version)|BEGIN|COMMIT after PRAGMA)/;
const ofSchema = /^(CREATE|ALTER|PRAGMA)/;

/** Where the process is killed. */
interface Place {
  readonly name: string;
  /** It is passed only where something goes wrong. */
  readonly isTroubled: boolean;
  /** How often it is passed in a life without a kill. */
  readonly times: number;
  readonly at: (nth: number) => SatelliteOptions;
}

/** The world after a life without a kill, and how often each point was passed and each statement run in it. */
interface Reference {
  readonly payloads: Map<string, string>;
  readonly counts: Readonly<Record<string, number>>;
  readonly writes: Readonly<Record<string, number>>;
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
 * that is damaged. And it is killed after each statement that changes the store, in the middle of whatever it belongs to.
 * Then it is left in peace.
 */
export const killPointsCheck: Check = {
  name: 'kill-points',
  minutes: { short: 15, long: 120 },
  isAlone: true,
  run: async (context) => {
    const seeds = Array.from({ length: context.isLong ? 10 : 1 }, (_, index) => context.seed + index);
    const findings = new Findings();
    const readyMs: number[] = [];
    let killed = 0;
    let tried = 0;
    for (const seed of seeds) {
      const repositories = await writeHistory(join(context.folder, String(seed)), seed, smallHistory);
      const reference = await liveUndisturbed(context, seed, repositories);
      const places = [...pointsOf(reference), ...(await writesOf(context, seed, repositories, reference))].filter(
        ({ name }) => context.isWanted(name),
      );
      tried += places.length;
      const slow: Place[] = [];
      const live = async (place: Place) => {
        const life = place.isTroubled
          ? await liveInTrouble(seed, repositories, place.at(1))
          : await liveWithKill(place, seed, repositories);
        if (life.kills === 0) life.findings.other.push('was not passed');
        if (life.payloads !== undefined) {
          life.findings.add(compareWithReference(life.payloads, reference.payloads));
        }
        for (const kind of findingKinds) {
          findings[kind].push(...life.findings[kind].map((one) => `${place.name} (seed ${seed}): ${one}`));
        }
        return life;
      };
      await pMap(
        places,
        async (place) => {
          const life = await live(place);
          if (life.kills > 0) killed++;
          if (life.readyMs.some((ms) => ms > maxReadyMs)) slow.push(place);
          else readyMs.push(...life.readyMs);
        },
        { concurrency: 3 },
      );
      // Among others a start may have to wait for its turn: alone it has no excuse three times.
      for (const place of slow) {
        let slowestMs = Number.POSITIVE_INFINITY;
        for (let tries = 0; slowestMs > maxReadyMs && tries < 3; tries++) {
          slowestMs = Math.min(slowestMs, Math.max(...(await live(place)).readyMs));
        }
        readyMs.push(slowestMs);
        if (slowestMs <= maxReadyMs) continue;
        findings.other.push(`${place.name} (seed ${seed}): a start took ${Math.round(slowestMs)} ms to be ready`);
      }
    }
    const slowest = Math.max(0, ...readyMs);
    return {
      figure:
        `${killed} of ${tried}, ${findings.missing.length} lost, ` +
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
  const writes = join(folder, `writes-${seed}.json`);
  const life = await live(seed, repositories, (nth) =>
    nth === 0 ? { preload: [counter, writeKiller], env: { CRASH_COUNTS: path, CRASH_WRITES: writes } } : {},
  );
  if (life.findings.count > 0) throw new Error(`the undisturbed run fails: ${life.findings.sentences().join('; ')}`);
  return {
    payloads: life.payloads ?? new Map(),
    counts: JSON.parse(await readFile(path, 'utf8')) as Record<string, number>,
    writes: JSON.parse(await readFile(writes, 'utf8')) as Record<string, number>,
  };
}

function pointsOf({ counts }: Reference): Place[] {
  return killPoints.map((point) => ({
    name: point,
    isTroubled: troubled.has(point),
    times: counts[point] ?? 1,
    at: (nth) => ({ env: { SATELLITE_KILL_AT: `${point}:${nth}` } }),
  }));
}

/** After which statements to kill: whatever is cut in two by that must not have been one step. */
async function writesOf(
  { folder, isWanted, isLong }: Context,
  seed: number,
  repositories: readonly RepositoryOptions[],
  { writes }: Reference,
): Promise<Place[]> {
  const placeOf = (statement: string, times: number, isTroubled: boolean): Place => ({
    name: `write: ${statement.slice(0, 60)}`,
    isTroubled,
    times,
    at: (nth) => ({ preload: [writeKiller], env: { CRASH_KILL_AT_WRITE: `${nth} ${statement}` } }),
  });
  const places = Object.entries(writes).map(([statement, times]) => placeOf(statement, times, false));
  const onlyPoints = !isWanted('write: ') && killPoints.some(isWanted);
  if (!onlyPoints) {
    const path = join(folder, `writes-in-trouble-${seed}.json`);
    await liveInTrouble(seed, repositories, { preload: [writeKiller], env: { CRASH_WRITES: path } });
    const inTrouble = JSON.parse(await readFile(path, 'utf8')) as Record<string, number>;
    const others = Object.entries(inTrouble).filter(([statement]) => writes[statement] === undefined);
    places.push(...others.map(([statement, times]) => placeOf(statement, times, true)));
  }
  const changing = places.filter(({ name }) => !noWrite.test(name.slice('write: '.length)));
  const isOfSchema = ({ name }: Place) => ofSchema.test(name.slice('write: '.length));
  const schema = changing.filter(isOfSchema);
  const step = isLong ? 1 : Math.max(1, Math.floor(schema.length / schemaWrites));
  const some = [
    ...changing.filter((place) => !isOfSchema(place)),
    ...schema.filter((_, index) => index % step === step >> 1),
  ];
  // The seeds that follow take the others.
  const every = isLong ? share.long : share.short;
  return isWanted('') ? some.filter((_, index) => index % every === seed % every) : some;
}

async function liveWithKill(
  { name, times, at }: Place,
  seed: number,
  repositories: readonly RepositoryOptions[],
): Promise<Life> {
  // How often a place is passed depends a little on time: of many the last may not come. Of few it is the one that the
  // second job passes, which finds what the first has left.
  const most = times <= 4 ? times : Math.floor(times * 0.8);
  const nth = 1 + seededRandom(seed + createHash('sha1').update(name).digest().readUInt16BE(0)).below(most);
  const life = await live(seed, repositories, (start) => (start === 0 ? at(nth) : {}));
  if (life.kills > 0 || nth === 1) return life;
  return live(seed, repositories, (start) => (start === 0 ? at(1) : {}));
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
  const { failures, ...firstView } = await first;
  expectSuccess(firstView);
  for (const part of ['commits', 'tags', 'pull_requests']) {
    const isTold = failures.some(({ message }) => message.startsWith(`WEB/closed ${part}: BITBUCKET_FORBIDDEN`));
    if (!isTold) findings.other.push(`the first job does not say that it could not read the ${part} of closed`);
  }
  open();
  await world.people.work();
  const secondView = await jobs.run();
  expectSuccess(secondView);
  for (const { message } of secondView.failures) findings.other.push(`the second job could not read ${message}`);
  const kills = keeper.kills;
  // Whatever was armed and has not struck by now is gone with the process.
  await keeper.stop();
  keeper.start();
  findings.add(await rest(world, keeper, jobs));
  // A start would begin with an empty store instead, and nobody would miss what the first one had done.
  if (keeper.lines.some(({ code }) => code === 'STORE_DAMAGED')) findings.other.push('a kill left a damaged store');
  return { findings, payloads: payloads(world), kills, readyMs: keeper.readyMs };
}

/** A job that fails, one whose pages are too large for a gateway, and one after the store was damaged. */
async function liveInTrouble(
  seed: number,
  repositories: readonly RepositoryOptions[],
  armed: SatelliteOptions,
): Promise<Life> {
  const satellite = { push: { max_page_bytes: 262_144 } };
  await using world = await World.create({ seed, repositories, satellite, sei: { maxPushBytes: 100_000 } });
  const keeper: Keeper = new Keeper(() => world.start(keeper.kills === 0 ? armed : {}));
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
  // The full job after the damage would make up for what is lost by now.
  findings.add(await compare(world));
  await keeper.stop();
  const store = join(world.folder, 'data', 'satellite.db');
  await writeFile(store, Buffer.alloc(50_000, 0x55));
  keeper.start();
  await expect('SUCCESS', jobs.run({ full: true }));
  findings.add(await rest(world, keeper, jobs));
  return { findings, kills: keeper.kills, readyMs: keeper.readyMs };
}
