import type { Accounts } from './accounts.ts';
import { type Answer, jsonAnswer } from './answer.ts';
import type { Caller } from './authentication.ts';
import type { Catalogue, Repository } from './catalogue.ts';
import type { Commit } from './commit-graph.ts';
import { badArgument, noSuchCommit } from './errors.ts';
import type { Settings } from './options.ts';
import { page, pageRequest } from './paging.ts';
import type { PullRequestRepresentation } from './pull-request-json.ts';
import type { JsonObject, Representation } from './representation.ts';

/** All that outlives a request. */
export interface World {
  readonly settings: Settings;
  readonly accounts: Accounts;
  readonly catalogue: Catalogue;
  readonly representation: Representation;
  readonly pullRequestRepresentation: PullRequestRepresentation;
}

/** One request, as the resources see it. */
export interface Call {
  readonly world: World;
  /** The variable parts of the path, decoded. */
  readonly params: Readonly<Record<string, string>>;
  readonly query: URLSearchParams;
  readonly accept: string;
  /** Of the header `Git-Protocol`. */
  readonly gitProtocol?: string | undefined;
  /** Of a request that has one, with its encoding undone. */
  readonly body: () => Promise<Buffer>;
  readonly caller: Caller | undefined;
  /** Aborted when the client leaves. */
  readonly signal: AbortSignal;
}

export function param(call: Call, name: string): string {
  return call.params[name] ?? '';
}

export function repositoryOf(call: Call): Repository {
  return call.world.catalogue.open(param(call, 'key'), param(call, 'slug'));
}

export function pageAnswer<T>(
  call: Call,
  items: readonly T[],
  cap: number,
  present: (item: T) => JsonObject,
  beside: JsonObject = {},
): Answer {
  const request = pageRequest(call.query, cap);
  return jsonAnswer({ ...page(items, request, present, call.world.settings.filteredPages), ...beside });
}

/** Undefined when the parameter is not there or empty; throws when the commit is not there. */
export async function commitParam(call: Call, repository: Repository, name: string): Promise<Commit | undefined> {
  const revision = call.query.get(name);
  if (!revision) return undefined;
  const commit = await repository.git.resolve(revision);
  if (!commit) throw noSuchCommit(revision, repository.slug);
  return commit;
}

export async function requiredCommitParam(call: Call, repository: Repository, name: string): Promise<Commit> {
  const commit = await commitParam(call, repository, name);
  if (!commit) throw badArgument(`The '${name}' parameter is required`);
  return commit;
}

/** A commit in the path goes by its full id: names of refs are refused there. */
export async function commitInPath(call: Call, repository: Repository): Promise<Commit> {
  const commit = await repository.git.commit(param(call, 'commit'));
  if (!commit) throw noSuchCommit(param(call, 'commit'), repository.slug);
  return commit;
}

export function numberParam(call: Call, name: string, otherwise: number): number {
  const value = Number(call.query.get(name) ?? otherwise);
  return Number.isInteger(value) && value >= 0 ? value : otherwise;
}

/** Bitbucket compares the words in its queries without regard to case. */
export function wordParam(call: Call, name: string): string | undefined {
  return call.query.get(name)?.toUpperCase();
}

/** Of plain text and JSON, which the client names first. */
export function wantsText({ accept }: Call): boolean {
  return accept.includes('text/plain') && !/application\/json.*text\/plain/.test(accept);
}
