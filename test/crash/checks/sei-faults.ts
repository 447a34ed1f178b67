import { join } from 'node:path';
import pMap from 'p-map';
import type { RepositoryOptions } from '../../simulators/bitbucket/options.ts';
import { type Random, seededRandom } from '../../simulators/git/random.ts';
import type { Call, FaultRule } from '../../simulators/sei/faults.ts';
import type { Check } from '../check.ts';
import { Findings } from '../findings.ts';
import { type RepositoryPlan, writeHistory } from '../history.ts';
import { Keeper } from '../keeper.ts';
import { Jobs, rest } from '../oracle.ts';
import { World } from '../world.ts';

const plan: readonly RepositoryPlan[] = [
  { projectKey: 'PAY', slug: 'ledger', commits: 12 },
  { projectKey: 'WEB', slug: 'shop', commits: 8 },
];

const hurry = new URL('../preload/hurry.ts', import.meta.url);

interface SeiFault {
  readonly name: string;
  /** Made as it is set: a date has to lie ahead then. */
  readonly rule: Omit<FaultRule, 'match'> | (() => Omit<FaultRule, 'match'>);
  /** How long a page waits for the next attempt, from and to. */
  readonly pageWaitsMs?: readonly [number, number];
  /** Of the line in the log; undefined: it is no fault to a call whose answer is empty, or it is one of a kind. */
  readonly code: (call: Call) => string | undefined;
  readonly calls?: readonly Call[];
  /** What the log says of it where it has no code. */
  readonly said?: (call: Call) => RegExp | undefined;
}

const calls: readonly Call[] = ['register', 'heartbeat', 'list', 'accept', 'report', 'push'];

/** A 200 to `register` that SEI has not said would be believed. */
const withoutRegister = calls.filter((call) => call !== 'register');

/** Calls whose answer nobody reads. */
const unread: readonly Call[] = ['register', 'heartbeat'];
const unreadable = (call: Call) => (unread.includes(call) ? undefined : 'SEI_ANSWER_UNREADABLE');
const every = (code: string) => () => code;

/** To a heartbeat it means that SEI has forgotten the satellite, to `accept` that somebody else was faster. */
const saidOfGone = (call: Call) => {
  if (call === 'heartbeat') return /^(Registered with SEI|SEI still knows this satellite)$/;
  return call === 'accept' ? /^The job is gone or another satellite/ : undefined;
};

/** Befall these calls in the short run, too, whatever the seed. */
const pinned: Readonly<Partial<Record<Call, readonly string[]>>> = {
  heartbeat: ['401', '403', '404', '409', '429'],
  accept: ['401', '403', '404', '409', '429'],
  report: ['not acknowledged', '413'],
  push: ['302', '408'],
};

/** All but `push` end with the cycle and are asked again by the next; `push` is asked again until it works. */
const faults: readonly SeiFault[] = [
  { name: 'reset before', rule: { reset: 'before' }, code: every('SEI_UNREACHABLE') },
  { name: 'reset in the request', rule: { reset: 'in-body' }, code: every('SEI_UNREACHABLE') },
  { name: 'answer lost', rule: { reset: 'after-store' }, code: every('SEI_UNREACHABLE') },
  { name: 'answer cut', rule: { reset: 'in-answer' }, code: every('SEI_UNREACHABLE') },
  { name: 'black hole', rule: { hang: true, times: 1 }, code: every('SEI_TIMEOUT') },
  {
    name: 'a byte each 200 ms',
    rule: { drip: 200, times: 1 },
    code: (call) => (unread.includes(call) ? undefined : 'SEI_TIMEOUT'),
  },
  { name: '500', rule: { status: 500 }, code: every('SEI_SERVER_ERROR') },
  { name: '502 HTML', rule: { status: 502, body: '<h1>Bad Gateway</h1>' }, code: every('SEI_SERVER_ERROR') },
  {
    name: '503',
    rule: { status: 503, headers: { 'Retry-After': '40' } },
    code: every('SEI_SERVER_ERROR'),
    pageWaitsMs: [40_000, 40_000],
  },
  { name: '504', rule: { status: 504 }, code: every('SEI_SERVER_ERROR') },
  {
    name: '429',
    rule: { status: 429, headers: { 'Retry-After': '40' } },
    code: every('SEI_THROTTLED'),
    pageWaitsMs: [40_000, 40_000],
  },
  { name: '429 without a word', rule: { status: 429 }, code: every('SEI_THROTTLED') },
  {
    name: '429 until a date',
    rule: () => ({ status: 429, headers: { 'Retry-After': new Date(Date.now() + 7_200_000).toUTCString() } }),
    code: every('SEI_THROTTLED'),
    pageWaitsMs: [7_000_000, 7_200_000],
  },
  {
    name: '429 until a past date',
    rule: () => ({ status: 429, headers: { 'Retry-After': new Date(Date.now() - 3_600_000).toUTCString() } }),
    code: every('SEI_THROTTLED'),
  },
  {
    // A day is the longest: a timer of more than 24 would fire at once.
    name: '429 for thousands of years',
    rule: { status: 429, headers: { 'Retry-After': '99999999999' } },
    code: every('SEI_THROTTLED'),
    pageWaitsMs: [86_400_000, 86_400_000],
  },
  {
    name: '413',
    rule: { status: 413 },
    code: (call) => (call === 'push' ? 'SEI_PAGE_TOO_LARGE' : 'SEI_REPORT_TOO_LARGE'),
    calls: ['report', 'push'],
  },
  {
    name: '302',
    rule: { status: 302, headers: { Location: 'https://login.example.com/' } },
    code: every('SEI_REDIRECTED'),
  },
  { name: '408', rule: { status: 408 }, code: every('SEI_SERVER_ERROR') },
  { name: '401', rule: { status: 401 }, code: every('SEI_KEY_REFUSED') },
  { name: '403', rule: { status: 403 }, code: every('SEI_KEY_REFUSED') },
  { name: 'empty', rule: { status: 200, body: '' }, code: unreadable, calls: withoutRegister },
  { name: 'HTML', rule: { status: 200, body: '<h1>Sign in</h1>' }, code: unreadable, calls: withoutRegister },
  {
    name: 'JSON cut short',
    rule: { status: 200, body: '{"records":[{"job_' },
    code: unreadable,
    calls: withoutRegister,
  },
  {
    name: 'content-length too long',
    rule: { status: 200, body: '{"records":[]}', headers: { 'Content-Length': '50' }, times: 1 },
    code: every('SEI_TIMEOUT'),
  },
  {
    name: 'content-length too short',
    rule: { status: 200, body: '{"records":[]}', headers: { 'Content-Length': '5' }, times: 1 },
    code: every('SEI_UNREACHABLE'),
    calls: withoutRegister,
  },
  {
    name: '404',
    rule: { status: 404 },
    code: (call) => (call === 'heartbeat' || call === 'accept' ? undefined : 'SEI_NOT_FOUND'),
    said: saidOfGone,
  },
  {
    name: '409',
    rule: { status: 409 },
    code: (call) => (call === 'heartbeat' || call === 'accept' ? undefined : 'SEI_CONFLICT'),
    said: saidOfGone,
  },
  {
    name: 'not acknowledged',
    // So often that the job is done meanwhile.
    rule: { status: 200, body: {}, times: 8 },
    code: every('SEI_NO_ACKNOWLEDGEMENT'),
    calls: ['report'],
  },
  { name: 'no pointer', rule: { status: 200, body: { records: [], count: 0 } }, code: unreadable, calls: ['push'] },
];

/**
 * Each fault befalls each call, one job after the other in one life of the satellite: the log names it, the job succeeds
 * in the end, and SEI has everything. Pauses between attempts and deadlines pass faster than they would.
 */
export const seiFaultsCheck: Check = {
  name: 'sei-faults',
  minutes: { short: 5, long: 18 },
  run: async ({ seed, isLong, isWanted, folder }) => {
    const repositories = await writeHistory(join(folder, 'repositories'), seed, plan);
    const lives = calls.flatMap((call) => {
      const suitable = faults.filter(({ name, calls: of }) => isWanted(name) && (of?.includes(call) ?? true));
      const always = suitable.filter(({ name }) => pinned[call]?.includes(name));
      const others = suitable.filter((fault) => !always.includes(fault));
      const most = call === 'push' ? 12 : 2;
      const chosen = isLong ? suitable : [...always, ...some(others, most, seededRandom(seed))];
      return chunks(chosen, 6).map((chunk) => ({ call, chosen: chunk }));
    });
    const problems: string[] = [];
    await pMap(
      lives,
      async ({ call, chosen }) => {
        const found = await befall(call, chosen, seed, repositories);
        problems.push(...found.map((one) => `${call}: ${one}`));
      },
      { concurrency: 6 },
    );
    const count = lives.reduce((sum, { chosen }) => sum + chosen.length, 0);
    return { figure: `${count} faults of ${calls.length} calls`, problems };
  },
};

async function befall(
  call: Call,
  chosen: readonly SeiFault[],
  seed: number,
  repositories: readonly RepositoryOptions[],
): Promise<string[]> {
  await using world = await World.create({ seed, repositories });
  const findings = new Findings();
  const keeper = new Keeper(() => world.start({ preload: [hurry] }));
  const jobs = new Jobs(world);
  try {
    if (call !== 'register') keeper.start();
    for (const fault of chosen) {
      const { name, rule } = fault;
      // A registration ends with a heartbeat where SEI knows the satellite: that one has to get through.
      const times = call === 'heartbeat' && fault.said !== undefined ? 1 : 2;
      const disarm = world.sei.fault({ match: call, times, ...(typeof rule === 'function' ? rule() : rule) });
      // A new process is the only one that registers, with a server that does not know it.
      if (call === 'register') {
        world.sei.forgetAgents();
        keeper.start();
      }
      const before = keeper.lines.length;
      await world.people.work('ledger');
      const { status, exception, failures } = await jobs.run({ timeoutMs: 60_000 });
      if (status !== 'SUCCESS') findings.other.push(`${name}: the job is ${status}: ${exception?.message}`);
      if (failures.length > 0) findings.other.push(`${name}: the job has failures`);
      disarm();
      const code = fault.code(call);
      const lines = keeper.lines.slice(before);
      const isTold = lines.some((line) => line.level === 'warn' && line.code === code);
      const waitsMs = lines
        .filter((line) => line.code === code && line.delayMs !== undefined)
        .map(({ delayMs }) => Number(delayMs));
      const [fromMs, toMs] = fault.pageWaitsMs ?? [0, 60_000];
      if (call === 'push' && !(waitsMs.length > 0 && waitsMs.every((ms) => ms >= fromMs && ms <= toMs))) {
        findings.other.push(`${name}: pages wait for ${waitsMs.join(', ')} ms, not for ${fromMs} to ${toMs}`);
      }
      if (code !== undefined && !isTold) findings.other.push(`${name}: no line of the log has the code ${code}`);
      const said = fault.said?.(call);
      if (said !== undefined && !lines.some(({ message }) => said.test(message))) {
        findings.other.push(`${name}: no line of the log says ${said}`);
      }
      if (call === 'register') await keeper.stop();
    }
    if (call === 'register') keeper.start();
    findings.add(await rest(world, keeper, jobs));
  } catch (error) {
    findings.other.push(error instanceof Error ? error.message : String(error));
  } finally {
    await keeper.abandon();
  }
  return findings.sentences();
}

function some<T>(all: readonly T[], count: number, random: Random): T[] {
  const left = [...all];
  const chosen: T[] = [];
  while (chosen.length < count && left.length > 0) chosen.push(...left.splice(random.below(left.length), 1));
  return chosen;
}

function chunks<T>(all: readonly T[], size: number): T[][] {
  return Array.from({ length: Math.ceil(all.length / size) }, (_, index) =>
    all.slice(index * size, (index + 1) * size),
  );
}
