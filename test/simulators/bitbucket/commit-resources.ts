import { type Answer, jsonAnswer } from './answer.ts';
import { type Call, commitInPath, commitParam, pageAnswer, repositoryOf, requiredCommitParam } from './call.ts';
import type { Repository } from './catalogue.ts';
import type { Commit } from './commit-graph.ts';
import { type Change, changesOf } from './comparison.ts';
import { badArgument, noDefaultBranch } from './errors.ts';
import { pageRequest } from './paging.ts';
import { type JsonObject, repositoryPath } from './representation.ts';

export async function commits(call: Call): Promise<Answer> {
  const repository = repositoryOf(call);
  const { defaultTip } = await repository.git.snapshot();
  const until = (await commitParam(call, repository, 'until')) ?? defaultTip;
  if (!until) throw noDefaultBranch();
  const since = await sinceParam(call, repository);
  const range = repository.git.range(until, ...(since ? [since] : []));
  const touching = await touchingPath(call, repository, until, since);
  const found = ofMergeKind(range, call.query.get('merges')).filter((commit) => !touching || touching.has(commit.id));
  return commitPage(call, found);
}

export async function commit(call: Call): Promise<Answer> {
  const found = await commitInPath(call, repositoryOf(call));
  return jsonAnswer(call.world.representation.commitWithParents(found));
}

/** Against the first parent unless `since` says otherwise; everything is new in a root commit. */
export async function commitChanges(call: Call): Promise<Answer> {
  const repository = repositoryOf(call);
  const until = await commitInPath(call, repository);
  return changesAnswer(call, repository, until, await commitParam(call, repository, 'since'));
}

export async function changes(call: Call): Promise<Answer> {
  const repository = repositoryOf(call);
  const until = await requiredCommitParam(call, repository, 'until');
  return changesAnswer(call, repository, until, await commitParam(call, repository, 'since'));
}

export function commitPage(call: Call, found: readonly Commit[]): Answer {
  const { settings, representation } = call.world;
  const authors = () => new Set(found.map((one) => one.author.email)).size;
  const counts = call.query.get('withCounts') === 'true' ? { authorCount: authors(), totalCount: found.length } : {};
  return pageAnswer(call, found, settings.caps.commits, (one) => representation.commit(one), counts);
}

/** The cap is hard: the page that reaches it is not the last one, and yet nothing comes after it. */
export function changePage(
  call: Call,
  found: readonly Change[],
  present: (change: Change) => JsonObject,
  start: number,
): JsonObject {
  const cap = call.world.settings.caps.changes;
  const { limit } = pageRequest(call.query, cap);
  const values = found.slice(start, Math.min(start + limit, cap)).map(present);
  const next = start + values.length;
  const isLastPage = values.length === 0 || next === found.length;
  return { size: values.length, limit, isLastPage, values, start, nextPageStart: isLastPage ? undefined : next };
}

async function changesAnswer(
  call: Call,
  repository: Repository,
  until: Commit,
  since: Commit | undefined,
): Promise<Answer> {
  const found = await changesOf(repository.git, { since: since ?? until.parents[0], until }, call.signal);
  const self = `${repositoryPath(repository)}/commits/${until.id}`;
  const present = (change: Change) => call.world.representation.change(change, self);
  const { start } = pageRequest(call.query, call.world.settings.caps.changes);
  return jsonAnswer({
    fromHash: since?.id ?? null,
    toHash: until.id,
    properties: {},
    ...changePage(call, found, present, start),
  });
}

/** With `ignoreMissing` an unknown `since` is dropped, so that the whole history comes back. */
async function sinceParam(call: Call, repository: Repository): Promise<Commit | undefined> {
  if (call.query.get('ignoreMissing') !== 'true') return commitParam(call, repository, 'since');
  return repository.git.resolve(call.query.get('since') ?? '');
}

function ofMergeKind(range: readonly Commit[], merges: string | null): readonly Commit[] {
  switch (merges?.toLowerCase() ?? 'include') {
    case 'include':
      return range;
    case 'exclude':
      return range.filter((one) => one.parentIds.length < 2);
    case 'only':
      return range.filter((one) => one.parentIds.length >= 2);
    default:
      throw badArgument(`merges has to be include, exclude or only, not '${merges}'`);
  }
}

async function touchingPath(
  call: Call,
  repository: Repository,
  until: Commit,
  since: Commit | undefined,
): Promise<Set<string> | undefined> {
  const path = call.query.get('path');
  if (!path) return undefined;
  const follow = call.query.get('followRenames') === 'true' ? ['--follow'] : [];
  const range = [until.id, ...(since ? [`^${since.id}`] : [])];
  const args = ['log', '--format=%H', ...follow, ...range, '--', path];
  return new Set((await repository.git.git.text(repository.git.gitDir, args, { signal: call.signal })).split('\n'));
}
