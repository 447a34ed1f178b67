import { isDeepStrictEqual } from 'node:util';
import { expectedCommit, ingestedCommit } from '../integration/support/main-job.ts';
import { ScratchRepository } from '../simulators/bitbucket/scratch-repository.ts';
import { type CommitTruth, gitTruth } from '../simulators/git/truth.ts';
import type { JobView } from '../simulators/sei/jobs.ts';
import { Findings } from './findings.ts';
import type { Keeper } from './keeper.ts';
import { pullRequestFacts, truePullRequests } from './truth.ts';
import { integrationId, type World } from './world.ts';

/**
 * SEI may be asked to take a job back that it never gave: a satellite that was killed between its note and SEI's answer
 * cannot know, and asks.
 */
const allowedViolation = /^reject: job \S+ is not accepted by that agent$/;

export interface Expectations {
  /** Repositories by slug that SEI cannot have in full. */
  readonly without?: readonly string[];
  /** Commits that a force-push took away after SEI had them. */
  readonly removed?: ReadonlySet<string>;
  /** What SEI has of items that Bitbucket has not any more. */
  readonly gone?: RegExp;
  /** Differences that a fault itself makes, as in `commit alpha 1f2e…: .message is "…", wanted "…"`. */
  readonly alters?: RegExp;
  readonly allowViolations?: RegExp;
  /** Bitbucket itself has said it more than once. */
  readonly mayRepeat?: true;
}

/** Adds a job and waits for its end; a window begins where the last one of this world ended. */
export class Jobs {
  readonly #world: World;
  #toMs: number | undefined;
  readonly views: JobView[] = [];

  constructor(world: World) {
    this.#world = world;
  }

  add(options: { readonly full?: boolean } = {}): string {
    const from = options.full === true ? undefined : this.#toMs;
    this.#toMs = Date.now();
    return this.#world.sei.addJob({
      integrationId,
      ...(from === undefined ? { shouldFetchRepos: true } : { from }),
      to: this.#toMs,
    });
  }

  run(options: { readonly full?: boolean; readonly timeoutMs?: number } = {}): Promise<JobView> {
    const ended = this.#run(options);
    // Where something else breaks off before, nobody waits for it any more.
    ended.catch(() => undefined);
    return ended;
  }

  async #run(options: { readonly full?: boolean; readonly timeoutMs?: number }): Promise<JobView> {
    const view = await this.#world.sei.waitForJob(this.add(options), options.timeoutMs ?? 120_000);
    this.views.push(view);
    return view;
  }
}

/**
 * The last act of every check: nothing disturbs any more; a commit and a review are made, and the next job has to bring
 * them. Then the satellite is stopped, and what SEI has is held against what there is.
 */
export async function rest(
  world: World,
  keeper: Keeper,
  jobs: Jobs,
  expectations: Expectations = {},
): Promise<Findings> {
  const findings = new Findings();
  const fresh = await world.people.fresh();
  const view = await jobs.run();
  if (view.status !== 'SUCCESS') findings.other.push(`the last job is ${view.status}: ${view.exception?.message}`);
  for (const { message } of view.failures) findings.other.push(`the last job could not read ${message}`);
  const { commits, pullRequests } = world.sei.ingested(view.jobId);
  if (!commits.some(({ commit }) => commit.id === fresh.commitId)) {
    findings.missing.push(`the fresh commit of ${fresh.slug} in the last job`);
  }
  const reviewed = pullRequests.find(
    ({ repository, pullRequest }) => repository === fresh.slug && pullRequest.id === fresh.pullRequestId,
  );
  if (!reviewed?.pullRequest.reviewers?.some(({ user }) => user.name === fresh.reviewer)) {
    findings.missing.push(`the fresh review of ${fresh.slug} in the last job`);
  }
  await keeper.stop();
  findings.other.push(...keeper.problems);
  findings.add(await compare(world, expectations));
  return findings;
}

/** What SEI has after all successful jobs, held against git and Bitbucket. */
export async function compare(world: World, expectations: Expectations = {}): Promise<Findings> {
  const findings = new Findings();
  const { without = [], removed = new Set<string>(), alters } = expectations;
  const ingested = world.sei.ingestedAll();
  const slugs = new Set(world.repositories.map(({ slug }) => slug));
  for (const { repository } of [...ingested.commits, ...ingested.pullRequests, ...ingested.repositories]) {
    if (!slugs.has(repository)) findings.invented.push(`a repository ${repository}`);
  }
  for (const repository of world.repositories) {
    const { slug, gitDir } = repository;
    if (without.includes(slug)) continue;
    const has = await hasCommits(gitDir);
    const commits = has ? (await gitTruth(gitDir, 'HEAD')).map(expectedCommit) : [];
    const stored = ingested.commits
      .filter((one) => one.repository === slug)
      .map(({ commit }) => ingestedCommit({ ...commit, files: commit.files ?? [] } as never));
    hold(findings, `commit ${slug}`, commits, stored, { allowed: removed, alters });
    const facts = await truePullRequests(world.bitbucket, repository);
    const pullRequests = ingested.pullRequests.filter((one) => one.repository === slug);
    const known = pullRequests.map(({ pullRequest }) =>
      pullRequestFacts(pullRequest as never, (pullRequest.activities ?? []) as never, pullRequest.commits ?? []),
    );
    hold(findings, `pull request ${slug}`, facts, known, { alters });
    const carried = pullRequests.flatMap(({ pullRequest }) =>
      (pullRequest.commits ?? []).map((commit) => ({ key: `${pullRequest.id}/${commit.id}`, commit })),
    );
    const truth = await commitsOf(
      gitDir,
      carried.map(({ commit }) => commit.id),
    );
    hold(
      findings,
      `commit ${slug}`,
      carried.flatMap(({ key, commit: { id } }) => {
        const commit = truth.get(id);
        return commit === undefined ? [] : [{ ...expectedCommit(commit), id: key }];
      }),
      carried.map(({ key, commit }) => ({
        ...ingestedCommit({ ...commit, files: commit.files ?? [] } as never),
        id: key,
      })),
      { allowed: new Set(carried.filter(({ commit }) => removed.has(commit.id)).map(({ key }) => key)), alters },
    );
    const tags = ingested.tags
      .filter((one) => one.repository === slug)
      .map(({ tag: { id, latestCommit, hash } }) => ({ id, latestCommit, hash }));
    hold(findings, `tag ${slug}`, await trueTags(gitDir), tags);
    const details = ingested.repositories
      .filter((one) => one.repository === slug)
      .map((one) => ({ id: one.details.slug, project: one.project?.key }));
    const wanted = { id: slug, project: repository.projectKey };
    hold(findings, 'repository', [wanted], details);
  }
  const { gone } = expectations;
  const invented = findings.invented.splice(0).filter((one) => gone?.test(one) !== true);
  findings.invented.push(...invented);
  if (expectations.mayRepeat !== true) findings.duplicated.push(...repeats(world));
  for (const violation of world.sei.violations) {
    if (allowedViolation.test(violation) || expectations.allowViolations?.test(violation)) continue;
    findings.other.push(`violation: ${violation}`);
  }
  return findings;
}

interface Tolerance {
  /** Ids that SEI may have besides. */
  readonly allowed?: ReadonlySet<unknown>;
  readonly alters?: RegExp | undefined;
}

/** What is there held against what SEI has. */
export function hold(
  findings: Findings,
  what: string,
  expected: readonly { readonly id: unknown }[],
  actual: readonly { readonly id: unknown }[],
  { allowed = new Set(), alters }: Tolerance = {},
): void {
  const found = new Map(actual.map((one) => [one.id, one]));
  const wanted = new Set(expected.map(({ id }) => id));
  for (const one of expected) {
    const other = found.get(one.id);
    if (other === undefined) {
      findings.missing.push(`${what} ${one.id}`);
      continue;
    }
    const [difference] = differences(plain(one), plain(other))
      .map((text) => `${what} ${one.id}: ${text}`)
      .filter((text) => alters?.test(text) !== true);
    if (difference !== undefined) findings.differing.push(difference);
  }
  for (const { id } of actual) {
    if (!wanted.has(id) && !allowed.has(id)) findings.invented.push(`${what} ${id}`);
  }
}

/**
 * The same item named twice by the files of one job: something was appended again after a restart. In several jobs it may
 * be: a job that SEI has heard of, but whose acknowledgement was lost, is read again by the next; SEI skips what it has.
 */
export function repeats(world: Pick<World, 'sei'>): string[] {
  const found: string[] = [];
  for (const { jobId, status } of world.sei.jobs()) {
    if (status !== 'SUCCESS') continue;
    const seen = new Set<string>();
    for (const { dataType, records, path } of world.sei.namedFiles(jobId)) {
      for (const { repository, commits = [], pullRequests = [] } of records as SeiRecord[]) {
        for (const { id } of [...commits, ...pullRequests]) {
          const key = `${dataType} ${repository?.name} ${id}`;
          if (seen.has(key)) found.push(`${key} in ${path} of job ${jobId}`);
          seen.add(key);
        }
      }
    }
  }
  return found;
}

interface SeiRecord {
  readonly repository?: { readonly name?: string };
  readonly commits?: readonly { readonly id: string }[];
  readonly pullRequests?: readonly { readonly id: number }[];
}

/** All that SEI has, by what it is, without what differs from one world to the next. */
export function payloads(world: World): Map<string, string> {
  const { commits, pullRequests, tags, repositories } = world.sei.ingestedAll();
  const entries: [string, unknown][] = [
    ...commits.map((one): [string, unknown] => [`commit ${one.repository} ${one.commit.id}`, one]),
    ...pullRequests.map((one): [string, unknown] => [`pull request ${one.repository} ${one.pullRequest.id}`, one]),
    ...tags.map((one): [string, unknown] => [`tag ${one.repository} ${one.tag.id}`, one]),
    ...repositories.map((one): [string, unknown] => [`repository ${one.repository}`, one]),
  ];
  const neutral = (value: unknown) =>
    JSON.stringify(value).replaceAll(world.bitbucket.url, 'BITBUCKET').replaceAll(world.bitbucketUrl, 'BITBUCKET');
  return new Map(entries.map(([key, value]) => [key, neutral(value)]));
}

/** What one world's SEI has, held against that of a world in which nothing went wrong. */
export function compareWithReference(actual: Map<string, string>, reference: Map<string, string>): Findings {
  const findings = new Findings();
  for (const [key, text] of reference) {
    const other = actual.get(key);
    if (other === undefined) findings.missing.push(`${key}, which the undisturbed run has`);
    else if (other !== text) {
      const [difference = 'its fields come in another order'] = differences(JSON.parse(text), JSON.parse(other));
      findings.differing.push(`${key}: ${difference}`);
    }
  }
  for (const key of actual.keys()) {
    if (!reference.has(key)) findings.invented.push(`${key}, which the undisturbed run has not`);
  }
  return findings;
}

/** Each value that is not what it should be, with the way there. */
function differences(expected: unknown, actual: unknown, at = ''): string[] {
  if (isDeepStrictEqual(expected, actual)) return [];
  if (typeof expected !== 'object' || typeof actual !== 'object' || expected === null || actual === null) {
    return [`${at} is ${short(actual)}, wanted ${short(expected)}`];
  }
  const keys = new Set([...Object.keys(expected), ...Object.keys(actual)]);
  const found = [...keys].flatMap((key) => {
    const [one, other] = [expected, actual].map((value) => (value as Record<string, unknown>)[key]);
    return differences(one, other, `${at}.${key}`);
  });
  return found.length === 0 ? [`${at} differs`] : found;
}

function short(value: unknown): string {
  return (JSON.stringify(value) ?? 'missing').slice(0, 120);
}

/** A record may hold a field called `toString`, and what is undefined is not there on the wire. */
function plain(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value));
}

/** Those that git has, by id. */
async function commitsOf(gitDir: string, ids: readonly string[]): Promise<Map<string, CommitTruth>> {
  if (ids.length === 0) return new Map();
  const commits = await gitTruth(gitDir, ['--no-walk', '--ignore-missing', ...new Set(ids)]);
  return new Map(commits.map((commit) => [commit.id, commit]));
}

/** `hash` is the annotation's own id. */
async function trueTags(gitDir: string) {
  const format = '--format=%(refname) %(objectname) %(*objectname)';
  const lines = await new ScratchRepository(gitDir).git('for-each-ref', format, 'refs/tags');
  return lines
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const [id, hash = '', commitId = ''] = line.split(' ');
      return commitId === '' ? { id, latestCommit: hash } : { id, latestCommit: commitId, hash };
    });
}

async function hasCommits(gitDir: string): Promise<boolean> {
  return (await new ScratchRepository(gitDir).git('for-each-ref', 'refs/heads')) !== '';
}
