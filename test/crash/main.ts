/**
 * Crashes, faults and bounds, against the built program: `npm run test:crash`, with `-- --long` for the long run,
 * `-- --only NAME` for one check, `-- --case TEXT` for those of its cases whose name holds the text, `-- --seed N` to repeat
 * a run.
 */
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import pMap from 'p-map';
import { seededRandom } from '../simulators/git/random.ts';
import type { Check, Outcome } from './check.ts';
import { backlogCheck, storeCapCheck } from './checks/backlog.ts';
import { bitbucketFaultsCheck } from './checks/bitbucket-faults.ts';
import { damagedStoreCheck } from './checks/damaged-store.ts';
import { diskCheck } from './checks/disk.ts';
import { killPointsCheck } from './checks/kill-points.ts';
import { memoryCheck } from './checks/memory.ts';
import { randomKillsCheck } from './checks/random-kills.ts';
import { seiFaultsCheck } from './checks/sei-faults.ts';
import { seiTroubleCheck } from './checks/sei-trouble.ts';
import { soakCheck } from './checks/soak.ts';
import { stopCheck } from './checks/stop.ts';
import { twoProcessesCheck } from './checks/two-processes.ts';
import { unreadableCheck } from './checks/unreadable.ts';
import { upgradeCheck } from './checks/upgrade.ts';
import { program } from './satellite.ts';

const checks: readonly Check[] = [
  killPointsCheck,
  randomKillsCheck,
  bitbucketFaultsCheck,
  seiFaultsCheck,
  seiTroubleCheck,
  unreadableCheck,
  upgradeCheck,
  memoryCheck,
  stopCheck,
  soakCheck,
  diskCheck,
  damagedStoreCheck,
  backlogCheck,
  storeCapCheck,
  twoProcessesCheck,
];

const say = (text: string) => process.stdout.write(`${text}\n`);

const { values } = parseArgs({
  options: {
    long: { type: 'boolean', default: false },
    only: { type: 'string', multiple: true, default: [] },
    case: { type: 'string', default: '' },
    seed: { type: 'string' },
  },
});
const seed = Number(values.seed ?? Math.floor(Math.random() * 1_000_000));
const unknown = values.only.filter((name) => !checks.some((check) => check.name === name));
if (unknown.length > 0 || !Number.isSafeInteger(seed) || !existsSync(program)) {
  if (unknown.length > 0)
    say(`There is no check ${unknown.join(', ')}; there are ${checks.map(({ name }) => name).join(', ')}`);
  if (!Number.isSafeInteger(seed)) say(`--seed ${values.seed} is no number`);
  if (!existsSync(program)) say(`${program} is not there: npm run build`);
  process.exit(64);
}

const options = [
  `--seed ${seed}`,
  ...(values.case === '' ? [] : [`--case '${values.case.replaceAll("'", `'\\''`)}'`]),
  ...(values.long ? ['--long'] : []),
].join(' ');
say(
  `seed ${seed}; this run again: npm run test:crash -- ${[...values.only.map((name) => `--only ${name}`), options].join(' ')}\n`,
);
const startedAtMs = performance.now();
const wanted = values.only.length === 0 ? checks : checks.filter(({ name }) => values.only.includes(name));
let failed = 0;
let untriedCases = 0;
await pMap(
  wanted.filter(({ isAlone }) => isAlone === true),
  judge,
  { concurrency: 1 },
);
await pMap(
  wanted.filter(({ isAlone }) => isAlone !== true),
  judge,
  { concurrency: 2 },
);
const minutes = ((performance.now() - startedAtMs) / 60_000).toFixed(1);
const left = untriedCases === 0 ? '' : `, ${untriedCases} cases not tried`;
say(`\n${wanted.length - failed} passed, ${failed} failed${left} in ${minutes} minutes`);
// Whatever a check that failed has left open must not keep the process from ending.
process.exit(failed === 0 ? 0 : 1);

async function judge(check: Check): Promise<void> {
  const checkStartedAtMs = performance.now();
  const { figure, problems, untried = 0 } = await run(check);
  untriedCases += untried;
  const seconds = Math.round((performance.now() - checkStartedAtMs) / 1000);
  say(`${check.name.padEnd(17)} ${figure}, ${seconds} s   ${problems.length === 0 ? 'ok' : 'FAILED'}`);
  for (const problem of problems) say(`    ${problem}`);
  if (problems.length > 0) {
    failed++;
    say(`    again: npm run test:crash -- --only ${check.name} ${options}`);
  }
}

async function run(check: Check): Promise<Outcome> {
  const folder = await mkdtemp(join(tmpdir(), `satellite-crash-${check.name}-`));
  const own = createHash('sha1').update(`${check.name} ${seed}`).digest().readUInt32BE(0);
  const minutes = values.long ? check.minutes.long : check.minutes.short;
  const giveUp = delay(minutes * 60_000, undefined, { ref: false }).then((): Outcome => {
    return { figure: `nothing within ${minutes} minutes`, problems: ['the check did not end'] };
  });
  try {
    const isWanted = (name: string) => name.includes(values.case);
    const context = { seed, random: seededRandom(own), isLong: values.long, isWanted, folder };
    return await Promise.race([check.run(context), giveUp]);
  } catch (error) {
    return { figure: 'broke off', problems: [error instanceof Error ? String(error.stack) : String(error)] };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
