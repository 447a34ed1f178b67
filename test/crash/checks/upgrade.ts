import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import pMap from 'p-map';
import type { RepositoryOptions } from '../../simulators/bitbucket/options.ts';
import type { Check, Context } from '../check.ts';
import { Findings } from '../findings.ts';
import { smallHistory, writeHistory } from '../history.ts';
import { Keeper } from '../keeper.ts';
import { newestVersion, nothingOf, statementsFrom, takeBack } from '../old-store.ts';
import { Jobs, rest } from '../oracle.ts';
import type { SatelliteOptions } from '../satellite.ts';
import { World } from '../world.ts';

const writeKiller = new URL('../preload/kill-at-write.ts', import.meta.url);

/** In the long run one in so many of the statements of an upgrade is taken. */
const share = 4;

/** Changes what stands in the store, where others change its form. */
const changesRows = / gaps (SET|\(integration_id)/;

/** Where the process is killed as it brings a store of an earlier schema up to date. */
interface Place {
  readonly name: string;
  readonly version: number;
  /** Which job failed before: the first of all, so that nothing is covered yet, or the one after it. */
  readonly failed: 'first' | 'second';
  readonly armed: SatelliteOptions;
}

/**
 * A store that a satellite of an earlier version has left in the middle of a job, after one that had failed, with pages that
 * wait and a part that is not read yet, is brought up to date; the process is killed in the middle of it, and started again.
 */
export const upgradeCheck: Check = {
  name: 'upgrade',
  minutes: { short: 2, long: 12 },
  run: async (context) => {
    const { seed, random, isLong, folder, isWanted } = context;
    const repositories = await writeHistory(join(folder, 'repositories'), seed, smallHistory);
    const versions = Array.from({ length: newestVersion - 1 }, (_, index) => index + 1);
    const chosen = isLong ? versions : [random.pick(versions)];
    const wanted = chosen.flatMap((version) => placesOf(context, version)).filter(({ name }) => isWanted(name));
    const findings = new Findings();
    let killed = 0;
    await pMap(
      wanted,
      async (place) => {
        const life = await live(context, place, repositories);
        if (life.kills === 0) life.findings.other.push('was not passed');
        else killed++;
        findings.other.push(...life.findings.sentences(3).map((one) => `${place.name}: ${one}`));
      },
      { concurrency: 3 },
    );
    return {
      figure: `${killed} of ${wanted.length} kills from ${chosen.length} earlier schemas`,
      problems: findings.other,
    };
  },
};

/** The end of its steps, and some of their statements. */
function placesOf({ random, isLong }: Context, version: number): Place[] {
  const place = (what: string, armed: SatelliteOptions): Place => {
    const failed = random.pick(['first', 'second'] as const);
    return { name: `from schema ${version}, ${failed} job failed: ${what}`, version, failed, armed };
  };
  const steps = Array.from({ length: newestVersion - version }, (_, index) => index + 1);
  const statements = statementsFrom(version);
  const ofRows = statements.filter((sql) => changesRows.test(sql));
  const others = statements.filter((sql) => !changesRows.test(sql));
  const first = random.below(share);
  const chosen = isLong
    ? [...ofRows, ...others.filter((_, index) => index % share === first)]
    : [random.pick(ofRows), random.pick(others)];
  return [
    ...(isLong ? steps : [random.pick(steps)]).map((nth) =>
      place(`step ${nth}`, { env: { SATELLITE_KILL_AT: `store:in-migration:${nth}` } }),
    ),
    ...chosen.map((sql) =>
      place(sql.slice(0, 60), { preload: [writeKiller], env: { CRASH_KILL_AT_WRITE: `1 ${sql}` } }),
    ),
  ];
}

async function live(
  { seed }: Context,
  { version, failed, armed }: Place,
  repositories: readonly RepositoryOptions[],
): Promise<{ findings: Findings; kills: number }> {
  await using world = await World.create({ seed, repositories });
  const { bitbucket, sei, people } = world;
  const jobs = new Jobs(world);
  const findings = new Findings();
  let options: SatelliteOptions = {};
  const keeper: Keeper = new Keeper(() => world.start(keeper.kills === 0 ? options : {}));
  const expect = (status: string, job: { status: string; exception?: { message: string } | undefined }) => {
    if (job.status !== status) findings.other.push(`a job is ${job.status}: ${job.exception?.message}`);
  };
  try {
    const open = bitbucket.refuseRepository('WEB', 'closed', 'permission401');
    keeper.start();
    if (failed === 'second') {
      expect('SUCCESS', await jobs.run({ timeoutMs: 60_000 }));
      await people.work();
    }
    const refused = bitbucket.fault({ match: 'repos', status: 403 });
    expect('FAILURE', await jobs.run({ timeoutMs: 60_000 }));
    refused();
    open();
    await people.work();
    const hindrances = [
      // What has failed before is still to be read after the upgrade, and what has been read waits for SEI.
      bitbucket.fault({ match: /\/repos\/closed\/(commits|pull-requests)\?/, hang: true }),
      sei.fault({ match: 'push', hang: true }),
    ];
    const jobId = jobs.add();
    await keeper.current.line(({ message, jobId: of }) => message === 'Scan begins' && of === jobId);
    for (let before = -1; before !== bitbucket.requests.total; await delay(500)) before = bitbucket.requests.total;
    await keeper.stop();
    const store = join(world.folder, 'data', 'satellite.db');
    for (const what of nothingOf(store)) findings.other.push(`the earlier satellite has left no ${what}`);
    takeBack(store, version);
    for (const away of hindrances) away();
    options = armed;
    keeper.start();
    const job = await sei.waitForJob(jobId, 60_000);
    expect('SUCCESS', job);
    for (const { message } of job.failures) findings.other.push(`the job could not read ${message}`);
    if (keeper.lines.some(({ code }) => code === 'STORE_DAMAGED'))
      findings.other.push('the store was taken for damaged');
    findings.add(await rest(world, keeper, jobs));
  } catch (error) {
    findings.other.push(error instanceof Error ? error.message : String(error), ...keeper.problems);
  } finally {
    await keeper.abandon();
  }
  return { findings, kills: keeper.kills };
}
