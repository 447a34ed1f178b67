import { setTimeout as delay } from 'node:timers/promises';
import type { FaultRule } from '../simulators/bitbucket/faults.ts';
import type { RepositoryOptions, SimulatorOptions } from '../simulators/bitbucket/options.ts';
import type { JobView } from '../simulators/sei/jobs.ts';
import { Findings } from './findings.ts';
import { Keeper } from './keeper.ts';
import { compare, type Expectations, Jobs, rest } from './oracle.ts';
import type { LogLine, SatelliteOptions } from './satellite.ts';
import type { World } from './world.ts';

/**
 * What becomes of a fault:
 * - `nothing`: it is no fault to the satellite, or it knows another way
 * - `retry`, `throttle`: asked again until it works
 * - `skip`: that part of that repository is reported and left to the next scan; the others do not notice
 * - `note`: the item is sent without what could not be had, and reported
 * - `fail`: the job fails, the next one makes up for it
 * - `stop`: the job fails and nothing is asked until the satellite is started anew
 */
export type Ends = 'nothing' | 'retry' | 'throttle' | 'skip' | 'note' | 'fail' | 'stop';

export interface BitbucketFault {
  readonly name: string;
  readonly ends: Ends;
  /** Of the log line, and in the job's failures unless it is asked again. */
  readonly code?: string;
  /** Gives what takes it away. */
  readonly arm: (scene: Scene) => (() => void) | Promise<() => void>;
  /** Strikes in the second scan instead of the first. */
  readonly second?: true;
  /** Pauses and deadlines are made short: they would take minutes. */
  readonly hurried?: true;
  readonly long?: true;
  readonly bitbucket?: Partial<SimulatorOptions>;
  readonly expectations?: Expectations;
  /** What it hid comes with the next scan. */
  readonly isCompleteLater?: true;
  readonly satellite?: SatelliteOptions;
  /** More that has to be so once the job with the fault has ended. */
  readonly afterwards?: (scene: Scene, job: JobView) => void | Promise<void>;
}

export const victim = 'alpha';
const hurry = new URL('./preload/hurry.ts', import.meta.url);

/** One world in which one fault strikes one of two repositories. */
export class Scene {
  readonly world: World;
  readonly fault: BitbucketFault;
  readonly keeper: Keeper;
  readonly jobs: Jobs;
  readonly findings = new Findings();
  /** Commits that were taken away after SEI had them. */
  readonly removed = new Set<string>();
  /** Differences that the fault itself makes, where only it knows which. */
  alters: RegExp | undefined;

  constructor(world: World, fault: BitbucketFault) {
    this.world = world;
    this.fault = fault;
    const preload = [...(fault.satellite?.preload ?? []), ...(fault.hurried === true ? [hurry] : [])];
    this.keeper = new Keeper(() => world.start({ ...fault.satellite, preload }));
    this.jobs = new Jobs(world);
  }

  /** A fault of the requests that concern the victim and whose path goes on like this. */
  readonly strike = (tail: string, rule: Omit<FaultRule, 'match'>): (() => void) =>
    this.world.bitbucket.fault({ match: new RegExp(`/repos/${victim}/${tail}`), ...rule });

  get repository(): RepositoryOptions {
    const found = this.world.repositories.find(({ slug }) => slug === victim);
    if (found === undefined) throw new Error(`there is no ${victim}`);
    return found;
  }

  readonly wrong = (what: string): void => {
    this.findings.other.push(what);
  };

  /** From the fault to the scan after it. */
  async play(): Promise<Findings> {
    const { world, fault, keeper, jobs, findings } = this;
    if (fault.second !== true) {
      const disarm = await fault.arm(this);
      const first = jobs.run({ timeoutMs: 60_000 });
      keeper.start();
      await this.#judge(await first);
      disarm();
    } else {
      const first = jobs.run({ timeoutMs: 60_000 });
      keeper.start();
      await this.#judgeQuiet(await first);
      await world.people.work();
      const disarm = await fault.arm(this);
      await this.#judge(await jobs.run({ timeoutMs: 60_000 }));
      disarm();
    }
    if (fault.ends === 'stop') {
      await this.#expectSilence();
      await keeper.stop();
      keeper.start();
    }
    findings.add(await rest(world, keeper, jobs, this.#expectations()));
    return findings;
  }

  async #judgeQuiet({ status, failures }: JobView): Promise<void> {
    if (status !== 'SUCCESS' || failures.length > 0) this.wrong(`the scan before the fault is ${status}`);
  }

  async #judge(job: JobView): Promise<void> {
    const { ends, code, isCompleteLater, afterwards } = this.fault;
    const { status, failures, exception } = job;
    const isFailure = ends === 'fail' || ends === 'stop';
    if (status !== (isFailure ? 'FAILURE' : 'SUCCESS')) {
      this.wrong(`the job is ${status} instead of having the fault end in '${ends}': ${exception?.message}`);
    }
    const told = failures.map(({ message }) => message);
    if (isFailure && !exception?.message.startsWith(`${code}:`)) this.wrong(`the exception is ${exception?.message}`);
    if (ends === 'skip' || ends === 'note') {
      if (!told.some((message) => message.includes(victim) && message.includes(code ?? ''))) {
        this.wrong(`no failure of the job names ${victim} and ${code}: ${told.join('; ') || 'there is none'}`);
      }
      if (told.some((message) => !message.includes(victim)))
        this.wrong(`another repository failed: ${told.join('; ')}`);
    } else if (!isFailure && told.length > 0) this.wrong(`the job has failures: ${told.join('; ')}`);
    await this.#judgeLog();
    if (!isFailure) {
      const without = ends === 'skip' || isCompleteLater === true ? [victim] : [];
      this.findings.add(await compare(this.world, { ...this.#expectations(), without }));
    }
    await afterwards?.(this, job);
  }

  /** SEI may hear of the end of a job before its line in the log has come through the pipe. */
  async #judgeLog(): Promise<void> {
    let problems = this.#problemsOfLog();
    for (let waits = 0; waits < 50 && problems.length > 0; waits++) {
      await delay(100);
      problems = this.#problemsOfLog();
    }
    for (const problem of problems) this.wrong(problem);
  }

  #problemsOfLog(): string[] {
    const { ends, code } = this.fault;
    const { lines } = this.keeper;
    const problems: string[] = [];
    const counted = (field: 'retried' | 'throttled') => lines.some((line) => Number(line[field] ?? 0) > 0);
    if (ends === 'retry' && !counted('retried')) problems.push('nothing was asked again');
    if (ends === 'throttle' && !counted('throttled')) problems.push('nothing was throttled');
    if (ends === 'nothing' || code === undefined) return problems;
    const isTold = (line: LogLine) => line.code === code || String(line.error ?? '').includes(code);
    if (!lines.some(isTold)) problems.push(`no line of the log has the code ${code}`);
    return problems;
  }

  /** The next job fails without a single request in the user's name. */
  async #expectSilence(): Promise<void> {
    const { world, jobs } = this;
    const before = world.bitbucket.requests.list.length;
    const { status } = await jobs.run();
    if (status !== 'FAILURE') this.wrong(`the job after the refusal is ${status}`);
    // Health asks whether the server is there, as nobody.
    const asked = world.bitbucket.requests.list.slice(before).filter(({ isAnonymous }) => !isAnonymous);
    if (asked.length > 0) this.wrong(`${asked.length} requests were made after the refusal`);
  }

  #expectations(): Expectations {
    const { removed, alters } = this;
    return { removed, ...(alters && { alters }), ...this.fault.expectations };
  }
}
