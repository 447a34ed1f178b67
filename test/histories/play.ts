import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import type { Clock } from '../../src/clock.ts';
import { Findings } from '../crash/findings.ts';
import { hold, repeats } from '../crash/oracle.ts';
import { type PullRequestFacts, pullRequestFacts, truePullRequests } from '../crash/truth.ts';
import {
  expectedCommit,
  ingestedCommit,
  integrationId,
  password,
  setUp,
  temporaryFolder,
  username,
} from '../integration/support/main-job.ts';
import { runGit } from '../simulators/git/git.ts';
import { gitTruth } from '../simulators/git/truth.ts';
import type { JobView } from '../simulators/sei/jobs.ts';
import type { History, ScanStep, Trouble } from './history.ts';
import { Team, type TeamRepository } from './team.ts';

export interface PlayOptions {
  /** What the server sorts its list of pull requests by. */
  readonly order: 'created' | 'updated';
  /** Of the integration, besides what the history says. */
  readonly metadata: object;
}

const dayMs = 24 * 3_600_000;

/** Bitbucket's answers in trouble; those with `errors[]` are the application's, the others a proxy's. */
const answers = [
  { status: 429 },
  { status: 429, headers: { 'retry-after': '0' } },
  { status: 500 },
  { status: 503 },
  { status: 404 },
  { status: 502 },
  { reset: 'before' },
  { reset: 'in-body' },
] as const;
const resources = [/./, /./, 'commits', 'branches', 'pull-requests', 'activities', 'pull-request-commits', 'raw-diff'];
const seiCalls = ['push', 'push', 'report', 'report', 'accept', 'heartbeat', 'list', 'register'] as const;
const seiTroubles = [{ reset: 'after-store' }, { reset: 'in-answer' }, { reset: 'before' }, { status: 503 }] as const;

const onlyNext: ScanStep = { scan: 'next', troubles: [], losesStore: false, repeatsFailed: false };

/**
 * Plays a history and holds what SEI has got against the truth: after every scan in which nothing went wrong, after a
 * last incremental one, and after a full one.
 */
export async function play(history: History, options: PlayOptions): Promise<Findings> {
  const world = await HistoryWorld.create(history, options);
  try {
    for (const step of history.steps) {
      if ('deed' in step) await world.team.do(step);
      else {
        await world.scan(step);
        if (step.troubles.length === 0 && world.isSettled) await world.compare();
        if (world.findings.count > 0) return world.findings;
      }
    }
    for (const repository of world.team.repositories) repository.show?.();
    for (const scan of ['next', 'day after', 'full'] as const) {
      if (scan === 'day after') world.team.pass(dayMs + 1_000);
      await world.scan({ ...onlyNext, scan: scan === 'full' ? 'full' : 'next' });
      // What a job of before could not do, the last one has done.
      if (!world.isSettled) world.findings.other.push(`the last ${scan} scan: ${world.lastOutcome()}`);
      await world.compare(scan);
      if (world.findings.count > 0) return world.findings;
    }
    return world.findings;
  } finally {
    await world.close();
  }
}

class HistoryWorld {
  readonly findings = new Findings();
  readonly team: Team;
  readonly #history: History;
  readonly #options: PlayOptions;
  readonly #parts: Awaited<ReturnType<typeof setUp>>;
  /** End and outcome of SEI's jobs, in order. */
  readonly #ends: { readonly jobId: string; readonly toMs: number; isSeen: boolean }[] = [];
  /** Repositories whose history SEI has from the beginning of the first window on. */
  readonly #covered = new Set<number>();
  readonly #firstFromMs = new Map<number, number>();
  #hasScanned = false;
  /** What lies before the first window, by repository: commits, and pull requests with their date. */
  readonly #commitsBefore = new Map<number, Set<string>>();
  readonly #pullRequestsBefore = new Map<string, number>();
  /** Sent without counts and reported. */
  readonly #uncounted = new Set<string>();
  #lostStoreAtMs = 0;
  isSettled = false;

  private constructor(parts: Awaited<ReturnType<typeof setUp>>, team: Team, history: History, options: PlayOptions) {
    this.#parts = parts;
    this.team = team;
    this.#history = history;
    this.#options = options;
  }

  static async create(history: History, options: PlayOptions): Promise<HistoryWorld> {
    let nowMs = () => 0;
    const clock: Clock = {
      now: () => nowMs(),
      elapsedMs: () => performance.now(),
      sleep: async (_ms, signal) => {
        await setImmediate();
        signal?.throwIfAborted();
      },
      random: () => 0,
    };
    const { pageSize } = history;
    const parts = await setUp([], {
      clock,
      metadata: { branches: history.branches, backfill_days: history.backfillDays, ...options.metadata },
      satellite: { push: { max_page_bytes: 65_536 } },
      bitbucket: {
        pullRequestOrder: options.order,
        derivePullRequests: false,
        now: () => nowMs(),
        caps: {
          pullRequests: pageSize,
          commits: pageSize,
          activities: pageSize,
          branches: pageSize,
          repositories: pageSize,
        },
      },
    });
    const team = new Team(parts.bitbucket, (await temporaryFolder()).path);
    nowMs = () => team.nowMs;
    await team.begin();
    return new HistoryWorld(parts, team, history, options);
  }

  async scan(step: ScanStep): Promise<void> {
    const { sei, folder, bitbucket } = this.#parts;
    this.team.pass();
    const open = sei.jobs().filter(({ status }) => ['ACCEPTED', 'PENDING'].includes(status));
    const failed = sei.jobs().filter(({ status }) => status === 'FAILURE');
    if (step.losesStore) {
      await rm(join(folder.path, 'data'), { recursive: true, force: true });
      this.#covered.clear();
      this.#firstFromMs.clear();
      this.#hasScanned = false;
      this.#lostStoreAtMs = this.team.nowMs;
      for (const { jobId } of open) sei.reschedule(jobId);
    }
    const last = this.#ends.at(-1);
    const lastFailed = failed.find(({ jobId }) => jobId === last?.jobId);
    if (lastFailed !== undefined && step.repeatsFailed) sei.reschedule(lastFailed.jobId);
    this.#add(step, sei.jobs());
    const disarm = step.troubles.map((trouble) => this.#arm(trouble));
    const daemon = await this.#parts.newDaemon();
    this.#stop = () => void daemon.stop();
    const before = this.#parts.logged.length;
    let ended = '';
    try {
      await withTimeout(daemon.once(), 20_000);
    } catch (error) {
      ended = String(error);
    } finally {
      await daemon.stop();
      for (const undo of disarm) undo();
    }
    const bug = this.#parts.logged
      .slice(before)
      .find(({ fields }) => /\bBUG\b|TypeError/.test(JSON.stringify(fields ?? '')));
    if (bug !== undefined) this.findings.other.push(`a bug: ${JSON.stringify(bug)}`);
    if (ended.includes('did not end')) this.findings.other.push(`the scan ${ended}`);
    await this.#note();
    this.team.noteScan();
    void bitbucket;
  }

  #stop: () => void = () => undefined;

  /** What SEI would ask for: a window goes on where the last success ended, or behind a failure of which we know. */
  #add(step: ScanStep, jobs: readonly JobView[]): void {
    const statusOf = (id: string) => jobs.find(({ jobId }) => jobId === id)?.status;
    const knowsOf = (toMs: number) => toMs > this.#lostStoreAtMs && !step.repeatsFailed;
    const known = this.#ends.filter(({ jobId, toMs }) => statusOf(jobId) === 'SUCCESS' || knowsOf(toMs));
    const lastMs = known.at(-1)?.toMs;
    const earlierMs = known.at(-3)?.toMs ?? known[0]?.toMs;
    const fromMs = step.scan === 'full' ? undefined : step.scan === 'again' ? earlierMs : lastMs;
    const toMs = this.team.nowMs;
    const jobId = this.#parts.sei.addJob({
      integrationId,
      to: toMs,
      ...(fromMs === undefined ? { shouldFetchRepos: true } : { from: fromMs }),
    });
    this.#ends.push({ jobId, toMs, isSeen: false });
  }

  #arm(trouble: Trouble): () => void {
    const { bitbucket, sei } = this.#parts;
    switch (trouble.kind) {
      case 'answer': {
        const answer = answers[trouble.answer % answers.length] ?? answers[0];
        const match = resources[trouble.resource % resources.length] ?? /./;
        // Each 429 closes the gate for a second, and that is a real one.
        const times = 'status' in answer && answer.status === 429 ? 1 : trouble.times;
        return bitbucket.fault({ match, skip: trouble.after, times, ...answer });
      }
      case 'meanwhile':
        return bitbucket.fault({
          match: /./,
          skip: trouble.after,
          times: 1,
          meanwhile: () => this.team.do(trouble.deed),
        });
      case 'stop':
        return bitbucket.fault({ match: /./, skip: trouble.after, times: 1, meanwhile: async () => this.#stop() });
      case 'sei': {
        const match = seiCalls[trouble.call % seiCalls.length] ?? 'push';
        return sei.fault({ match, times: trouble.times, ...(seiTroubles[trouble.how % seiTroubles.length] ?? {}) });
      }
    }
  }

  /** What the jobs that have succeeded since the last look have covered, and what lay before their first windows. */
  async #note(): Promise<void> {
    const jobs = this.#parts.sei.jobs();
    for (const end of this.#ends) {
      const job = jobs.find(({ jobId }) => jobId === end.jobId);
      if (end.isSeen || job === undefined) continue;
      if (job.status === 'SUCCESS' || job.status === 'FAILURE') await this.#noteEnd(end.toMs, job);
      end.isSeen = job.status === 'SUCCESS';
    }
    const last = jobs.at(-1);
    const isIdle = jobs.every(({ status }) => status === 'SUCCESS' || status === 'FAILURE');
    this.isSettled = isIdle && last?.status === 'SUCCESS' && last.failures.length === 0;
  }

  async #noteEnd(toMs: number, job: JobView): Promise<void> {
    const fullFromMs = Math.max(0, toMs - this.#history.backfillDays * dayMs);
    const fromMs = (job.query.from as number | undefined) ?? fullFromMs;
    for (const { message } of job.failures) {
      const sha = /\b[0-9a-f]{40}\b(?=: BITBUCKET_\w+: no diff)/.exec(message)?.[0];
      if (sha !== undefined) this.#uncounted.add(sha);
    }
    for (const repository of this.#visible()) {
      const { id } = repository;
      if (this.#covered.has(id)) {
        // Every covered tip may be gone: then it gets what a full scan would give it.
        if (repository.wasCollected) await this.#noteCommitsBefore(repository, Math.min(fromMs, fullFromMs));
        if (job.status === 'SUCCESS') repository.wasCollected = false;
        continue;
      }
      const ownFromMs = this.#hasScanned ? Math.min(fromMs, fullFromMs) : fromMs;
      const firstFromMs = Math.min(ownFromMs, this.#firstFromMs.get(id) ?? ownFromMs);
      this.#firstFromMs.set(id, firstFromMs);
      if (job.status !== 'SUCCESS') continue;
      await this.#noteBefore(repository, firstFromMs);
      const label = `${repository.projectKey}/${repository.slug} `.toUpperCase();
      if (!job.failures.some(({ message }) => message.toUpperCase().startsWith(label))) this.#covered.add(id);
    }
    if (job.status === 'SUCCESS') this.#hasScanned = true;
  }

  /** Without coverage there are dates only: all that the first older commit on the first-parent line reaches is out. */
  async #noteBefore(repository: TeamRepository, fromMs: number): Promise<void> {
    if (fromMs <= 0) return;
    await this.#noteCommitsBefore(repository, fromMs);
    for (const facts of await this.#truePullRequests(repository)) {
      if (facts.state !== 'OPEN' && facts.updatedDate < fromMs) {
        this.#pullRequestsBefore.set(`${repository.id} ${facts.id}`, facts.updatedDate);
      }
    }
  }

  async #noteCommitsBefore({ id, gitDir, head, branches }: TeamRepository, fromMs: number): Promise<void> {
    if (fromMs <= 0) return;
    const before = this.#commitsBefore.get(id) ?? new Set();
    this.#commitsBefore.set(id, before);
    if (branches.has(head)) {
      const line = await runGit([
        '--git-dir',
        gitDir,
        'log',
        '--first-parent',
        '--format=%H %ct',
        `refs/heads/${head}`,
      ]);
      const older = line
        .split('\n')
        .find((one) => Number(one.split(' ')[1]) * 1000 < fromMs)
        ?.split(' ')[0];
      if (older !== undefined && older !== '') {
        for (const sha of (await runGit(['--git-dir', gitDir, 'rev-list', older])).split('\n')) before.add(sha);
      }
    }
  }

  #visible(): TeamRepository[] {
    return this.team.repositories.filter(({ show }) => show === undefined);
  }

  #truePullRequests(repository: TeamRepository): Promise<PullRequestFacts[]> {
    return truePullRequests(this.#parts.bitbucket, repository, { username, password });
  }

  lastOutcome(): string {
    return this.#ends
      .flatMap(({ jobId }) => this.#parts.sei.jobs().filter((job) => job.jobId === jobId))
      .filter(({ status, failures }) => status !== 'SUCCESS' || failures.length > 0)
      .map(({ status, failures, exception }) => `${status} ${exception?.message ?? ''} ${JSON.stringify(failures)}`)
      .join('; ');
  }

  async compare(after: 'next' | 'day after' | 'full' = 'next'): Promise<void> {
    const { sei } = this.#parts;
    const ingested = sei.ingestedAll();
    for (const repository of this.#visible()) {
      const { id, slug } = repository;
      const isOurs = (one: { repositoryId: number | undefined; repository: string }) =>
        one.repositoryId === id || one.repository === slug;
      const stored = ingested.commits.filter(isOurs).map(({ commit }) => commit);
      const storedIds = new Set(stored.map((commit) => commit.id));
      const isOut = (sha: string) => this.#commitsBefore.get(id)?.has(sha) === true && !storedIds.has(sha);
      const truth = (await this.#trueCommits(repository)).filter((commit) => !isOut(commit.id));
      hold(
        this.findings,
        `commit ${slug}`,
        truth.map((commit) => this.#comparable(expectedCommit(commit))),
        stored.map((commit) => this.#comparable(ingestedCommit({ ...commit, files: commit.files ?? [] } as never))),
        { allowed: this.team.everCommits },
      );
      this.#holdPullRequests(repository, await this.#truePullRequests(repository), ingested, after);
    }
    this.#holdSource();
    for (const violation of sei.violations) {
      if (!/^reject: job \S+ is not accepted by that agent$/.test(violation)) this.findings.other.push(violation);
    }
    const isDisturbed = this.#history.steps.some((step) => 'scan' in step && step.troubles.length > 0);
    if (!isDisturbed) this.findings.duplicated.push(...repeats({ sei }));
  }

  /** Whoever falls back to REST for no reason proves nothing of clones. */
  #holdSource(): void {
    const { bitbucket, logged, sei } = this.#parts;
    if (!('commit_source' in this.#options.metadata) || this.#options.metadata.commit_source !== 'git') return;
    const isDisturbed = this.#history.steps.some((step) => 'scan' in step && step.troubles.length > 0);
    if (isDisturbed) return;
    const hasCommits = sei.ingestedAll().commits.length > 0;
    if (hasCommits && bitbucket.requests.count('git-info-refs') === 0) this.findings.other.push('nothing was cloned');
    const fallbacks = logged.map(({ fields }) => String((fields as { code?: string } | undefined)?.code));
    // A forced push may take a commit from the clone that Bitbucket still shows.
    const odd = fallbacks.find((code) => code.startsWith('GIT_') && code !== 'GIT_COMMIT_MISSING');
    if (odd !== undefined) this.findings.other.push(`a clone was not used: ${odd}`);
  }

  #comparable<T extends { readonly id: unknown }>(commit: T): T {
    return this.#uncounted.has(String(commit.id)) ? { ...commit, files: [], additions: 0, deletions: 0 } : commit;
  }

  async #trueCommits({ gitDir, head, branches }: TeamRepository) {
    const entries = this.#history.branches;
    const isWanted = (name: string) =>
      entries.includes('all') ||
      entries.includes(name) ||
      (entries.includes('feature/*') && name.startsWith('feature/'));
    const wanted = [...branches].filter((name) => name === head || isWanted(name)).map((name) => `refs/heads/${name}`);
    return wanted.length === 0 ? [] : gitTruth(gitDir, wanted);
  }

  #holdPullRequests(
    repository: TeamRepository,
    truth: readonly PullRequestFacts[],
    ingested: ReturnType<Awaited<ReturnType<typeof setUp>>['sei']['ingestedAll']>,
    after: 'next' | 'day after' | 'full',
  ): void {
    const { id, slug, pullRequests } = repository;
    const newest = new Map<number, (typeof ingested.pullRequests)[number]['pullRequest']>();
    for (const { repositoryId, pullRequest } of ingested.pullRequests) {
      if (repositoryId !== id) continue;
      const other = newest.get(pullRequest.id);
      if (other === undefined || other.updatedDate < pullRequest.updatedDate) newest.set(pullRequest.id, pullRequest);
    }
    const playedOf = (number: number) => pullRequests.find((one) => one.id === number);
    const stored = [...newest.values()].map((one) =>
      pullRequestFacts(one as never, (one.activities ?? []) as never, one.commits ?? []),
    );
    const isOverlooked = (number: number) => {
      // A server that lists by creation does not show what happened to an old one that is closed again: the next day's
      // first scan does.
      const mayBe = this.#options.order === 'created' && pullRequests.length > this.#history.pageSize;
      return mayBe && after === 'next' && playedOf(number)?.mayBeOverlooked === true;
    };
    const comparable = (facts: PullRequestFacts): PullRequestFacts => {
      const played = playedOf(facts.id);
      if (facts.state !== 'OPEN') return { ...facts, activities: untilClosed(facts) };
      return played?.hasMovedTarget ? { ...facts, commits: [] } : facts;
    };
    const expected = truth.filter((facts) => {
      if (facts.state !== 'OPEN' && isOverlooked(facts.id)) return false;
      // What leaves no trace in a list is read once a day.
      if (after === 'next' && facts.state === 'OPEN' && playedOf(facts.id)?.mayLookUnchanged) return false;
      return newest.has(facts.id) || this.#pullRequestsBefore.get(`${id} ${facts.id}`) !== facts.updatedDate;
    });
    const ever = new Set(Array.from({ length: 200 }, (_, index) => index));
    hold(this.findings, `pull request ${slug}`, expected.map(comparable), stored.map(comparable), { allowed: ever });
  }

  async close(): Promise<void> {
    await this.#parts.close();
    await this.team.close();
  }
}

/** SEI takes the date of a closed one for that of its closing: what is said to it afterwards does not reach SEI. */
function untilClosed({ activities, updatedDate }: PullRequestFacts): readonly string[] {
  return activities.filter((activity) => Number(activity.split(' ')[2]) <= updatedDate);
}

async function withTimeout<T>(work: Promise<T>, ms: number): Promise<T> {
  const timeout = Promise.withResolvers<never>();
  const timer = setTimeout(() => timeout.reject(new Error(`did not end within ${ms} ms`)), ms);
  try {
    return await Promise.race([work, timeout.promise]);
  } finally {
    clearTimeout(timer);
  }
}
