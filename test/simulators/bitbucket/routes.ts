import type { Answer } from './answer.ts';
import type { Call } from './call.ts';
import * as commit from './commit-resources.ts';
import * as diff from './diff-resources.ts';
import * as pullRequest from './pull-request-resources.ts';
import * as ref from './ref-resources.ts';
import * as repository from './repository-resources.ts';
import * as scm from './scm-resources.ts';
import * as server from './server-resources.ts';

export interface Route {
  /** The name that requests are counted and faults are aimed by. */
  readonly resource: string;
  readonly pattern: RegExp;
  readonly answer: (call: Call) => Answer | Promise<Answer>;
  /** What it can be asked for as. */
  readonly produces: readonly string[];
  readonly isAnonymous: boolean;
  readonly method: 'GET' | 'POST';
  /** Spoken with git, not with REST. */
  readonly isGit: boolean;
}

type Options = Partial<Pick<Route, 'produces' | 'isAnonymous' | 'method' | 'isGit'>>;

const json = ['application/json'];
const text = ['text/plain'];
const gitRoute: Options = { isGit: true, produces: ['application/x-git-upload-pack'] };
const R = '/projects/{key}/repos/{slug}';

/** Paths below `/rest/api/1.0` and `/rest/api/latest`. */
export function apiRoutes(options: { readonly rawDiff: boolean }): Route[] {
  const routes = [
    route('application-properties', '/application-properties', server.applicationProperties, { isAnonymous: true }),
    route('rate-limit-settings', '/admin/rate-limit/settings/users/{user}', server.rateLimitSettings),
    route('repos', '/repos', repository.repositories),
    route('projects', '/projects', repository.projects),
    route('project', '/projects/{key}', repository.project),
    route('project-repos', '/projects/{key}/repos', repository.projectRepositories),
    route('repository', R, repository.repository),
    route('forks', `${R}/forks`, repository.forks),
    route('default-branch', `${R}/default-branch`, ref.configuredDefaultBranch),
    route('branches-default', `${R}/branches/default`, ref.existingDefaultBranch),
    route('branches', `${R}/branches`, ref.branches),
    route('tags', `${R}/tags`, ref.tags),
    route('commits', `${R}/commits`, commit.commits),
    route('commit', `${R}/commits/{commit}`, commit.commit),
    route('commit-changes', `${R}/commits/{commit}/changes`, commit.commitChanges),
    route('changes', `${R}/changes`, commit.changes),
    route('diff', `${R}/commits/{commit}/diff{/path}`, diff.commitDiff, { produces: [...json, ...text] }),
    route('pull-requests', `${R}/pull-requests`, pullRequest.pullRequests),
    route('pull-request-diff', `${R}/pull-requests/{id#}.diff`, pullRequest.pullRequestDiff, { produces: text }),
    route('pull-request', `${R}/pull-requests/{id#}`, pullRequest.pullRequest),
    route('activities', `${R}/pull-requests/{id#}/activities`, pullRequest.activities),
    route('pull-request-commits', `${R}/pull-requests/{id#}/commits`, pullRequest.pullRequestCommits),
    route('pull-request-changes', `${R}/pull-requests/{id#}/changes`, pullRequest.pullRequestChanges),
  ];
  const rawDiff = route('raw-diff', `${R}/diff{/path}`, diff.diff, { produces: [...json, ...text] });
  return options.rawDiff ? [...routes, rawDiff] : routes;
}

/** Paths below the base url. */
export const scmRoutes = [
  route('git-info-refs', '/scm/{key}/{slug}.git/info/refs', scm.infoRefs, gitRoute),
  route('git-upload-pack', '/scm/{key}/{slug}.git/git-upload-pack', scm.uploadPackResult, {
    ...gitRoute,
    method: 'POST',
  }),
];

export const statusRoute = route('status', '/status', server.status, { isAnonymous: true });

/** `{x}` is one segment of the path, `{x#}` a number, `{/x}` nothing or all the segments that follow. */
function route(resource: string, template: string, answer: Route['answer'], options: Options = {}): Route {
  const pattern = template
    .replaceAll('.', '\\.')
    .replace(/\{\/(\w+)\}/g, '(?:/(?<$1>.+))?')
    .replace(/\{(\w+)#\}/g, '(?<$1>\\d+)')
    .replace(/\{(\w+)\}/g, '(?<$1>[^/]+)');
  const usual = { produces: json, isAnonymous: false, method: 'GET', isGit: false } as const;
  return { resource, pattern: new RegExp(`^${pattern}$`), answer, ...usual, ...options };
}

export interface Matched {
  readonly route: Route;
  readonly params: Readonly<Record<string, string>>;
}

/** `path` as it came, still encoded. Throws a URIError for an encoding that is none. */
export function findRoute(routes: readonly Route[], path: string): Matched | undefined {
  for (const candidate of routes) {
    const match = candidate.pattern.exec(path);
    if (!match) continue;
    const found = Object.entries(match.groups ?? {}).filter((entry) => entry[1] !== undefined);
    return {
      route: candidate,
      params: Object.fromEntries(found.map(([name, value]) => [name, decodeURIComponent(value)])),
    };
  }
  return undefined;
}
