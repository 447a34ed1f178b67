import { type Answer, jsonAnswer, streamAnswer } from './answer.ts';
import { type Call, pageAnswer, param, repositoryOf, wordParam } from './call.ts';
import type { Repository } from './catalogue.ts';
import type { Commit } from './commit-graph.ts';
import { changePage, commitPage } from './commit-resources.ts';
import { type Change, type Comparison, changesOf, rawPatch } from './comparison.ts';
import { textOptions } from './diff-resources.ts';
import { badArgument, noSuchPullRequest } from './errors.ts';
import type { PullRequest } from './pull-request.ts';
import { repositoryPath } from './representation.ts';

interface Placed {
  readonly pullRequest: PullRequest;
  readonly target: Repository;
}

export async function pullRequests(call: Call): Promise<Answer> {
  const { settings, pullRequestRepresentation } = call.world;
  const state = wordParam(call, 'state') ?? 'OPEN';
  if (!['OPEN', 'MERGED', 'DECLINED', 'ALL'].includes(state)) throw badArgument(`There is no state '${state}'`);
  const withProperties = call.query.get('withProperties') !== 'false';
  const ref = call.query.get('at');
  const text = wordParam(call, 'filterText');
  const found = (await ofDirection(call, repositoryOf(call))).filter(({ pullRequest }) => {
    if (state !== 'ALL' && pullRequest.state !== state) return false;
    if (ref && pullRequest.to.ref !== ref && pullRequest.from.ref !== ref) return false;
    return !text || `${pullRequest.title} ${pullRequest.description}`.toUpperCase().includes(text);
  });
  const sortedBy = settings.pullRequestOrder === 'updated' ? 'updatedDate' : 'createdDate';
  const sign = wordParam(call, 'order') === 'OLDEST' ? 1 : -1;
  found.sort(({ pullRequest: a }, { pullRequest: b }) => sign * (a[sortedBy] - b[sortedBy] || a.id - b.id));
  return pageAnswer(call, found, settings.caps.pullRequests, ({ pullRequest, target }) =>
    pullRequestRepresentation.pullRequest(pullRequest, target, withProperties),
  );
}

export async function pullRequest(call: Call): Promise<Answer> {
  const { pullRequest: found, target } = await pullRequestOf(call);
  return jsonAnswer(call.world.pullRequestRepresentation.pullRequest(found, target, true));
}

export async function activities(call: Call): Promise<Answer> {
  const { settings, pullRequestRepresentation } = call.world;
  const { pullRequest: found, target } = await pullRequestOf(call);
  return pageAnswer(call, found.activities, settings.caps.activities, (activity) =>
    pullRequestRepresentation.activity(activity, target),
  );
}

/** Those of the source that the target did not have; once closed, against the target as it was then. */
export async function pullRequestCommits(call: Call): Promise<Answer> {
  const placed = await pullRequestOf(call);
  const { until, since } = await endsOf(placed);
  return commitPage(call, until ? placed.target.git.range(until, ...(since ? [since] : [])) : []);
}

/** One page and no more: `start` is not heard. */
export async function pullRequestChanges(call: Call): Promise<Answer> {
  const { pullRequest: found, target } = await pullRequestOf(call);
  const comparison = await comparisonOf({ pullRequest: found, target });
  const list = comparison ? await changesOf(target.git, comparison, call.signal) : [];
  const self = `${repositoryPath(target)}/pull-requests/${found.id}/diff`;
  const present = (change: Change) => call.world.representation.change(change, self);
  return jsonAnswer({
    fromHash: found.to.commit,
    toHash: found.from.commit,
    properties: { changeScope: 'ALL' },
    ...changePage(call, list, present, 0),
    isLastPage: true,
    nextPageStart: undefined,
  });
}

export async function pullRequestDiff(call: Call): Promise<Answer> {
  const placed = await pullRequestOf(call);
  const comparison = await comparisonOf(placed);
  if (!comparison) throw noSuchPullRequest(placed.pullRequest.id, placed.target.project.key, placed.target.slug);
  return streamAnswer(rawPatch(placed.target.git, comparison, textOptions(call), call.signal));
}

async function pullRequestOf(call: Call): Promise<Placed> {
  const target = repositoryOf(call);
  const id = Number(param(call, 'id'));
  const found = await target.pullRequests.get(id);
  if (!found) throw noSuchPullRequest(id, target.project.key, target.slug);
  return { pullRequest: found, target };
}

async function ofDirection(call: Call, repository: Repository): Promise<Placed[]> {
  const incoming = (await repository.pullRequests.list()).map((found) => ({ pullRequest: found, target: repository }));
  if (wordParam(call, 'direction') !== 'OUTGOING') return incoming;
  const all = await Promise.all(
    call.world.catalogue
      .repositories()
      .map(async (target) => (await target.pullRequests.list()).map((found) => ({ pullRequest: found, target }))),
  );
  return all.flat().filter((placed) => (placed.pullRequest.from.fork ?? placed.target.id) === repository.id);
}

async function endsOf({ pullRequest: found, target }: Placed): Promise<{ until?: Commit; since?: Commit }> {
  const until = await target.git.commit(found.from.commit);
  const since = await target.git.commit(found.to.commit);
  return { ...(until ? { until } : {}), ...(since ? { since } : {}) };
}

async function comparisonOf(placed: Placed): Promise<Comparison | undefined> {
  const { until, since } = await endsOf(placed);
  return until && since ? { since, until, fromMergeBase: true } : undefined;
}
