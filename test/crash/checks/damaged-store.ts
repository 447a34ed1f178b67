import { copyFile, mkdir, open, readdir, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as delay } from 'node:timers/promises';
import pMap from 'p-map';
import type { RepositoryOptions } from '../../simulators/bitbucket/options.ts';
import { type Random, seededRandom } from '../../simulators/git/random.ts';
import type { Check } from '../check.ts';
import { Findings } from '../findings.ts';
import { type RepositoryPlan, writeHistory } from '../history.ts';
import { Keeper } from '../keeper.ts';
import { compare, Jobs, rest } from '../oracle.ts';
import { type LogLine, Satellite } from '../satellite.ts';
import { sweepStore } from '../store-sweep.ts';
import { World } from '../world.ts';

const plan: readonly RepositoryPlan[] = [
  { projectKey: 'PAY', slug: 'ledger', commits: 40 },
  { projectKey: 'WEB', slug: 'shop', commits: 10 },
];

const maxReadyMs = 5_000;
const storeFile = 'satellite.db';

/** How the satellite ended that left the store: killed, it leaves a log beside the file. */
type End = 'stopped' | 'killed';

interface Damage {
  readonly name: string;
  readonly of: End;
  readonly inflict: (file: string, random: Random) => Promise<void>;
  /** Whatever meets it has to see it: what was made of it would be wrong, or sent. */
  readonly isSeen?: true;
}

const log = (file: string) => `${file}-wal`;
const sizeOf = async (file: string) => (await stat(file)).size;

const damages: readonly Damage[] = [
  { name: 'none', of: 'stopped', inflict: async () => undefined },
  { name: 'none', of: 'killed', inflict: async () => undefined },
  {
    name: 'cut anywhere',
    of: 'stopped',
    inflict: async (file, random) => truncate(file, random.below(await sizeOf(file))),
  },
  {
    name: 'cut at a page',
    of: 'stopped',
    inflict: async (file, random) => truncate(file, 4096 * random.below((await sizeOf(file)) / 4096)),
  },
  { name: 'empty', of: 'stopped', inflict: async (file) => truncate(file, 0) },
  { name: 'empty', of: 'killed', inflict: async (file) => truncate(file, 0) },
  { name: 'no database', of: 'stopped', inflict: async (file, random) => writeFile(file, random.bytes(5_000)) },
  { name: 'no database', of: 'killed', inflict: async (file, random) => writeFile(file, random.bytes(5_000)) },
  { name: 'a broken beginning', of: 'stopped', inflict: (file, random) => flip(file, random, 10, 0, 100) },
  { name: 'a flipped bit', of: 'stopped', inflict: (file, random) => flip(file, random, 1) },
  { name: 'many flipped bits', of: 'stopped', inflict: (file, random) => flip(file, random, 200) },
  {
    name: 'flipped bits in one page',
    of: 'stopped',
    inflict: async (file, random) => {
      const pages = Math.floor((await sizeOf(file)) / 4096);
      await flip(file, random, 40, random.below(pages) * 4096, 4096);
    },
  },
  {
    name: 'other numbers in counted files',
    of: 'stopped',
    isSeen: true,
    inflict: (file) => change(file, 'commit_files', 'files', /\d(?=[\],])/g),
  },
  {
    name: 'other letters in pages that wait',
    of: 'stopped',
    isSeen: true,
    inflict: (file) => change(file, 'pages', 'body', /(?<="message":")./g),
  },
  {
    name: 'other numbers in repositories',
    of: 'stopped',
    isSeen: true,
    inflict: (file) => change(file, 'repositories', 'body', /(?<="id":)\d/g),
  },
  {
    name: 'a log cut anywhere',
    of: 'killed',
    inflict: async (file, random) => truncate(log(file), random.below(await sizeOf(log(file)))),
  },
  { name: 'no log', of: 'killed', inflict: async (file) => rm(log(file)) },
  { name: 'a log with flipped bits', of: 'killed', inflict: (file, random) => flip(log(file), random, 20) },
];

/**
 * Whatever has become of the store's file: the satellite starts, and the next full job fills everything in. Sound or set
 * aside, it never sends anything that is not so; `store verify` tells and `store repair` mends.
 */
export const damagedStoreCheck: Check = {
  name: 'damaged-store',
  minutes: { short: 4, long: 20 },
  run: async ({ seed, random, isLong, isWanted, folder }) => {
    const repositories = await writeHistory(join(folder, 'repositories'), seed, plan);
    const stores: Record<End, LeftStore> = {
      stopped: await storeInTheMiddle('stopped', join(folder, 'stopped'), seed, repositories),
      killed: await storeInTheMiddle('killed', join(folder, 'killed'), seed, repositories),
    };
    const trials = Array.from({ length: isLong ? 8 : 1 }, () => damages)
      .flat()
      .map((damage) => ({ damage, own: random.below(1_000_000) }))
      .filter(({ damage }) => isWanted(damage.name))
      // The short run takes every second one, and the seed says which.
      .filter((_, index) => isLong || !isWanted('') || index % 2 === seed % 2);
    const times = isLong ? 3_000 : 100;
    const swept = isWanted('sweep')
      ? await sweepStore(join(stores.stopped.folder, storeFile), join(folder, 'sweep'), seededRandom(seed), times)
      : undefined;
    const counts = { aside: 0, repaired: 0 };
    const problems: string[] = (swept?.problems ?? []).slice(0, 10).map((one) => `sweep: ${one}`);
    await pMap(
      trials,
      async ({ damage, own }) => {
        const offline = own % 2 === 0;
        const found = await survive({ store: stores[damage.of], seed, own, damage, offline, counts, repositories });
        problems.push(...found.sentences(3).map((one) => `${damage.name}, ${damage.of} (${own}): ${one}`));
      },
      { concurrency: 4 },
    );
    const { aside, repaired } = counts;
    return {
      figure:
        `${trials.length} damages, ${aside} times set aside, ${repaired} times repaired offline; swept: ` +
        `${swept?.tried ?? 0} cuts and bits, ${swept?.damaged ?? 0} refused, ${swept?.repaired ?? 0} repaired`,
      problems,
    };
  },
};

/** What a satellite has left in one world, to be found by the satellite of another. */
interface LeftStore {
  readonly folder: string;
  /** Jobs of that world's SEI: reported once more, they name pages that only that one has. */
  readonly jobIds: readonly string[];
}

interface Trial {
  readonly store: LeftStore;
  readonly seed: number;
  readonly own: number;
  readonly damage: Damage;
  /** Whether `store verify` and `store repair` are asked first. */
  readonly offline: boolean;
  readonly counts: { aside: number; repaired: number };
  readonly repositories: readonly RepositoryOptions[];
}

async function survive({ store, seed, own, damage, offline, counts, repositories }: Trial): Promise<Findings> {
  await using world = await World.create({ seed, repositories });
  // As far as the world that the store is from: what comes next has to be new to it.
  await world.people.work();
  const findings = new Findings();
  const data = join(world.folder, 'data');
  await mkdir(data, { mode: 0o700 });
  for (const name of await readdir(store.folder)) await copyFile(join(store.folder, name), join(data, name));
  const known = `^report: job (${store.jobIds.join('|')}): the result names \\S+, which was never pushed$`;
  const expectations = { allowViolations: new RegExp(known) };
  await damage.inflict(join(data, storeFile), seededRandom(own));
  const keeper = new Keeper(() => world.start());
  const jobs = new Jobs(world);
  try {
    if (offline) findings.other.push(...(await verifyAndRepair(world, counts)));
    const first = jobs.add();
    keeper.start();
    const isSetAside = ({ code, aside }: LogLine) => code === 'STORE_DAMAGED' && aside !== undefined;
    const giveAgain = () => {
      const status = world.sei.jobs().find(({ jobId }) => jobId === first)?.status;
      if (status === 'ACCEPTED' || status === 'PENDING') world.sei.reschedule(first);
    };
    // SEI hears no more of whoever had the job, and has it done by another.
    void keeper.current.line(isSetAside, 60_000).then(giveAgain, () => undefined);
    const { status, exception } = await world.sei.waitForJob(first, 60_000);
    if (status !== 'SUCCESS') findings.other.push(`the job is ${status}: ${exception?.message}`);
    for (const ms of keeper.readyMs) if (ms > maxReadyMs) findings.other.push(`a start took ${Math.round(ms)} ms`);
    const aside = (await readdir(data)).filter((name) => name.includes('damaged'));
    if (aside.length > 0) counts.aside++;
    else if (damage.isSeen) findings.other.push('nobody has seen the damage');
    const told = JSON.stringify(keeper.lines);
    const isTold = offline || aside.every((name) => /-(wal|shm)$/.test(name) || told.includes(name));
    if (!isTold) findings.other.push(`the log does not name ${aside.join(', ')}`);
    findings.add(await compare(world, expectations));
    findings.add(await rest(world, keeper, jobs, expectations));
  } catch (error) {
    findings.other.push(error instanceof Error ? error.message : String(error));
  } finally {
    await keeper.abandon();
  }
  return findings;
}

async function verifyAndRepair(world: World, counts: { repaired: number }): Promise<string[]> {
  const run = async (command: string) => {
    const { exitCode } = await new Satellite(world.folder, { args: ['store', command] }).ended;
    return exitCode;
  };
  const before = await run('verify');
  if (before === 0) return [];
  const repaired = await run('repair');
  const after = await run('verify');
  counts.repaired++;
  return before === 74 && repaired === 0 && after === 0
    ? []
    : [`store verify, repair, verify end with ${before}, ${repaired}, ${after}`];
}

/** What a satellite leaves in the middle of its second job: coverage, counted files, pages that wait. */
async function storeInTheMiddle(
  end: End,
  folder: string,
  seed: number,
  repositories: readonly RepositoryOptions[],
): Promise<LeftStore> {
  await using world = await World.create({ seed, repositories });
  const keeper = new Keeper(() => world.start());
  const jobs = new Jobs(world);
  const first = jobs.run();
  keeper.start();
  await first;
  await world.people.work();
  const pushes = world.sei.requests.push;
  world.sei.fault({ match: 'push', hang: true });
  jobs.add();
  while (world.sei.requests.push === pushes) await delay(20);
  // The rest of the crawl becomes durable meanwhile.
  await delay(1_500);
  await (end === 'killed' ? keeper.abandon() : keeper.stop());
  await mkdir(folder, { recursive: true });
  const data = join(world.folder, 'data');
  for (const name of await readdir(data)) await copyFile(join(data, name), join(folder, name));
  const hasLog = (await readdir(folder)).includes(log(storeFile));
  if (hasLog !== (end === 'killed')) throw new Error(`a satellite that was ${end} leaves ${hasLog ? 'a' : 'no'} log`);
  return { folder, jobIds: world.sei.jobs().map(({ jobId }) => jobId) };
}

/** Makes the values other ones of the same length, as flipped bits do: in a store that is in order otherwise. */
async function change(file: string, table: string, column: string, where: RegExp): Promise<void> {
  using database = new DatabaseSync(file);
  const rows = database
    .prepare(`SELECT rowid AS id, ${column} AS value FROM ${table} WHERE ${column} IS NOT NULL`)
    .all();
  const update = database.prepare(`UPDATE ${table} SET ${column} = ? WHERE rowid = ?`);
  let changed = 0;
  for (const { id, value } of rows) {
    const isText = typeof value === 'string';
    const text = isText ? value : Buffer.from(value as Uint8Array).toString('latin1');
    const other = text.replace(where, (sign) => String.fromCharCode(sign.charCodeAt(0) ^ 1));
    if (other !== text) changed++;
    update.run(isText ? other : Buffer.from(other, 'latin1'), id as number);
  }
  if (changed === 0) throw new Error(`there is nothing to change in ${table}.${column}`);
}

async function flip(file: string, random: Random, times: number, from = 0, length?: number): Promise<void> {
  const { size } = await stat(file);
  await using handle = await open(file, 'r+');
  for (let count = 0; count < times; count++) {
    const at = from + random.below(Math.min(length ?? size, size - from));
    const byte = Buffer.alloc(1);
    await handle.read(byte, 0, 1, at);
    byte[0] = (byte[0] ?? 0) ^ (1 << random.below(8));
    await handle.write(byte, 0, 1, at);
  }
}
