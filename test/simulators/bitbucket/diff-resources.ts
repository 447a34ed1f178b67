import { type Answer, jsonAnswer, streamAnswer } from './answer.ts';
import {
  type Call,
  commitInPath,
  commitParam,
  numberParam,
  param,
  repositoryOf,
  requiredCommitParam,
  wantsText,
} from './call.ts';
import type { Repository } from './catalogue.ts';
import type { Commit } from './commit-graph.ts';
import { type Comparison, parsedPatch, rawPatch } from './comparison.ts';

/** What a client that says nothing gets: the JSON has Bitbucket's own default, the plain text has git's. */
const jsonContextLines = 10;
const textContextLines = 3;

/** `…/commits/{id}/diff`: JSON, cut at the line cap; as plain text it is whole, but `contextLines` is not heard. */
export async function commitDiff(call: Call): Promise<Answer> {
  const repository = repositoryOf(call);
  const until = await commitInPath(call, repository);
  const comparison = await comparisonOf(call, repository, until);
  if (!wantsText(call)) return jsonDiff(call, repository, comparison);
  return streamAnswer(rawPatch(repository.git, comparison, { contextLines: textContextLines }, call.signal));
}

/** `…/diff?until=&since=`: as plain text the cheapest way to count lines, as it obeys `contextLines`. */
export async function diff(call: Call): Promise<Answer> {
  const repository = repositoryOf(call);
  const until = await requiredCommitParam(call, repository, 'until');
  const comparison = await comparisonOf(call, repository, until);
  if (!wantsText(call)) return jsonDiff(call, repository, comparison);
  return streamAnswer(rawPatch(repository.git, comparison, textOptions(call), call.signal));
}

export function textOptions(call: Call): { contextLines: number; ignoreWhitespace: boolean } {
  return { contextLines: numberParam(call, 'contextLines', textContextLines), ignoreWhitespace: ignoresSpace(call) };
}

async function comparisonOf(call: Call, repository: Repository, until: Commit): Promise<Comparison> {
  const since = (await commitParam(call, repository, 'since')) ?? until.parents[0];
  return { since, until, path: param(call, 'path') || undefined };
}

async function jsonDiff(call: Call, repository: Repository, comparison: Comparison): Promise<Answer> {
  const { settings, representation } = call.world;
  const contextLines = numberParam(call, 'contextLines', jsonContextLines);
  const options = { contextLines, maxLines: settings.caps.diffLines, ignoreWhitespace: ignoresSpace(call) };
  const patch = await parsedPatch(repository.git, comparison, options, call.signal);
  const range = { fromHash: comparison.since?.id ?? null, toHash: comparison.until.id, contextLines };
  return jsonAnswer(representation.patch(patch, range));
}

function ignoresSpace(call: Call): boolean {
  return call.query.get('whitespace') === 'ignore-all';
}
