import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** Repositories of one project, all alike. */
export interface SyntheticProject {
  readonly key: string;
  readonly repositories: number;
  readonly commits: number;
  readonly pullRequests: number;
}

export interface SyntheticBitbucket extends AsyncDisposable {
  readonly url: string;
  /** Requests so far. */
  readonly requests: number;
  /** Of a commit's or a repository's id as it was handed out. */
  readonly commitNumber: (id: string) => { readonly repository: number; readonly commit: number };
}

interface Repository {
  readonly id: number;
  readonly slug: string;
  readonly project: SyntheticProject;
}

const startMs = Date.UTC(2025, 0, 1);
const commitMs = 60_000;
const commitsOfPullRequest = 2;
/** One in so many is still open. */
const openEvery = 10;

/**
 * A Bitbucket Data Center of any size, with no git behind it: what it says is computed from the numbers in the request,
 * so a million commits cost nothing until somebody asks. Straight lines of commits on one branch; pull requests with two
 * commits, a review and a merge. Knows what a crawl asks for and nothing else; anybody is let in.
 */
export async function startSyntheticBitbucket(projects: readonly SyntheticProject[]): Promise<SyntheticBitbucket> {
  const world = new SyntheticWorld(projects);
  let requests = 0;
  const server = createServer((request, response) => {
    requests++;
    answer(world, request, response);
  });
  server.keepAliveTimeout = 60_000;
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  world.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    url: world.url,
    get requests() {
      return requests;
    },
    commitNumber,
    [Symbol.asyncDispose]: async () => {
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}

function answer(world: SyntheticWorld, request: IncomingMessage, response: ServerResponse): void {
  const [path = '', search = ''] = (request.url ?? '').split('?');
  const text = world.answer(path.replace(/^\/rest\/api\/(latest|1\.0)\//, ''), new URLSearchParams(search));
  const isDiff = path.endsWith('/diff');
  const type = text === undefined || !isDiff ? 'application/json;charset=UTF-8' : 'text/plain;charset=UTF-8';
  response.writeHead(text === undefined ? 404 : 200, { 'Content-Type': type, 'X-AUSERNAME': 'satellite' });
  response.end(text ?? '{"errors":[{"context":null,"message":"No such thing.","exceptionName":null}]}');
}

class SyntheticWorld {
  url = '';
  readonly #repositories: Repository[] = [];
  readonly #bySlug = new Map<string, Repository>();

  constructor(projects: readonly SyntheticProject[]) {
    for (const project of projects) {
      for (let number = 0; number < project.repositories; number++) {
        const slug = `${project.key.toLowerCase()}-${number}`;
        const repository = { id: this.#repositories.length + 1, slug, project };
        this.#repositories.push(repository);
        this.#bySlug.set(`${project.key}/${slug}`, repository);
      }
    }
  }

  /** Undefined: 404. */
  answer(path: string, query: URLSearchParams): string | undefined {
    if (path === 'application-properties') return '{"version":"9.4.0","displayName":"Bitbucket"}';
    if (path === 'repos') {
      return page(query, this.#repositories.length, 1000, (at) => this.#repository(this.#repositories[at]));
    }
    const [, key = '', slug = '', rest = ''] = /^projects\/([^/]+)\/repos\/([^/]+)\/?(.*)$/.exec(path) ?? [];
    const repository = this.#bySlug.get(`${key}/${slug}`);
    return repository && this.#resource(repository, rest, query);
  }

  #resource(repository: Repository, rest: string, query: URLSearchParams): string | undefined {
    const { commits, pullRequests } = repository.project;
    if (rest === 'branches') return page(query, 1, 1000, () => branch(repository));
    if (rest === 'default-branch') return '{"id":"refs/heads/main","displayId":"main","type":"BRANCH"}';
    if (rest === 'tags') return page(query, 0, 1000, () => '');
    if (rest === 'commits') {
      const newest = numberOf(query.get('until')) ?? commits - 1;
      const base = numberOf(query.get('since')) ?? -1;
      return page(query, Math.max(0, newest - base), 100, (at) => commit(repository, newest - at));
    }
    if (rest === 'diff') return diff(numberOf(query.get('until')) ?? 0);
    if (rest === 'pull-requests') {
      if (query.get('state') !== 'OPEN') {
        return page(query, pullRequests, 1000, (at) => this.#pullRequest(repository, pullRequests - at));
      }
      const open = Math.floor(pullRequests / openEvery);
      return page(query, open, 1000, (at) => this.#pullRequest(repository, (open - at) * openEvery));
    }
    const [, id = '', part] = /^pull-requests\/(\d+)(?:\/(\w+))?$/.exec(rest) ?? [];
    const number = Number(id);
    if (number < 1 || number > pullRequests) return undefined;
    if (part === undefined) return this.#pullRequest(repository, number);
    if (part === 'activities')
      return page(query, isOpen(number) ? 2 : 3, 500, (at) => activity(repository, number, at));
    if (part === 'commits') {
      return page(query, commitsOfPullRequest, 100, (at) => commit(repository, tipOf(repository, number) - at));
    }
    return undefined;
  }

  #repository(repository: Repository | undefined): string {
    if (repository === undefined) return '{}';
    const { id, slug, project } = repository;
    const { key } = project;
    const links = `{"self":[{"href":"${this.url}/projects/${key}/repos/${slug}/browse"}]}`;
    return (
      `{"slug":"${slug}","id":${id},"name":"${slug}","hierarchyId":"${hex(id)}","scmId":"git","state":"AVAILABLE",` +
      `"statusMessage":"Available","forkable":true,"project":{"key":"${key}","id":1,"name":"${key}","public":false,` +
      `"type":"NORMAL"},"public":false,"archived":false,"links":${links}}`
    );
  }

  #pullRequest(repository: Repository, number: number): string {
    const open = isOpen(number);
    const tip = tipOf(repository, number);
    const created = timeOf(tip);
    const updated = open ? created : created + 2 * commitMs;
    const ref = (name: string, at: number) =>
      `{"id":"refs/heads/${name}","displayId":"${name}","latestCommit":"${idOf(repository, at)}","repository":${this.#repository(repository)}}`;
    const reviewer = `{"user":${user(number % 40)},"role":"REVIEWER","approved":true,"status":"APPROVED"}`;
    return (
      `{"id":${number},"version":1,"title":"Pull request ${number}","state":"${open ? 'OPEN' : 'MERGED'}","open":${open},` +
      `"closed":${!open},"createdDate":${created},"updatedDate":${updated},"fromRef":${ref(`feature/${number}`, tip)},` +
      `"toRef":${ref('main', Math.max(0, tip - commitsOfPullRequest))},"locked":false,"author":{"user":${user(number % 50)},` +
      `"role":"AUTHOR","approved":false,"status":"UNAPPROVED"},"reviewers":[${reviewer}],"participants":[],` +
      `"properties":{"resolvedTaskCount":0,"commentCount":1,"openTaskCount":0},"links":{"self":[{"href":"${this.url}"}]}}`
    );
  }
}

/** `total` items in pages of what is asked for, `most` at the most. */
function page(query: URLSearchParams, total: number, most: number, item: (at: number) => string): string {
  const start = Number(query.get('start') ?? 0);
  const limit = Math.min(Number(query.get('limit') ?? 25), most);
  const size = Math.max(0, Math.min(limit, total - start));
  const isLastPage = start + size >= total;
  const values = Array.from({ length: size }, (_, index) => item(start + index)).join(',');
  const next = isLastPage ? '' : `,"nextPageStart":${start + size}`;
  return `{"size":${size},"limit":${limit},"isLastPage":${isLastPage},"start":${start}${next},"values":[${values}]}`;
}

function branch(repository: Repository): string {
  const tip = idOf(repository, repository.project.commits - 1);
  return `{"id":"refs/heads/main","displayId":"main","type":"BRANCH","latestCommit":"${tip}","isDefault":true}`;
}

function commit(repository: Repository, number: number): string {
  const id = idOf(repository, number);
  const parent = idOf(repository, number - 1);
  const parents = number === 0 ? '' : `{"id":"${parent}","displayId":"${parent.slice(0, 11)}"}`;
  const at = timeOf(number);
  const message = `PRJ-${number} what commit ${number} of ${repository.slug} is about, at some length, as people write`;
  return (
    `{"id":"${id}","displayId":"${id.slice(0, 11)}","author":${user(number % 50)},"authorTimestamp":${at},` +
    `"committer":${user(number % 50)},"committerTimestamp":${at},"message":"${message}","parents":[${parents}]}`
  );
}

function activity(repository: Repository, number: number, at: number): string {
  const steps = isOpen(number) ? ['APPROVED', 'OPENED'] : ['MERGED', 'APPROVED', 'OPENED'];
  const action = steps[at] ?? '';
  const created = timeOf(tipOf(repository, number)) + (steps.length - 1 - at) * commitMs;
  const merged = action === 'MERGED' ? `,"commit":${commit(repository, tipOf(repository, number))}` : '';
  return `{"id":${number * 10 + at},"createdDate":${created},"user":${user(number % 40)},"action":"${action}"${merged}}`;
}

function diff(number: number): string {
  const file = (name: string) =>
    `diff --git src://${name} dst://${name}\nindex 1111111..2222222 100644\n--- src://${name}\n+++ dst://${name}\n` +
    `@@ -1,2 +1,3 @@\n-one line that was\n-and another\n+a line of ${number}\n+a second one\n+and a third\n`;
  return file(`src/module-${number % 97}/file-${number % 1009}.ts`) + file(`docs/page-${number % 13}.md`);
}

function user(number: number): string {
  return (
    `{"name":"user${number}","emailAddress":"user${number}@example.com","id":${number + 1},"displayName":"User ${number}",` +
    `"active":true,"slug":"user${number}","type":"NORMAL"}`
  );
}

function tipOf({ project }: Repository, pullRequest: number): number {
  return Math.min(project.commits - 1, commitsOfPullRequest - 1 + pullRequest * commitsOfPullRequest);
}

function isOpen(pullRequest: number): boolean {
  return pullRequest % openEvery === 0;
}

function timeOf(number: number): number {
  return startMs + number * commitMs;
}

function idOf({ id }: Repository, number: number): string {
  return `${hex(id)}${hex(number)}`.padEnd(40, 'a');
}

function commitNumber(id: string): { readonly repository: number; readonly commit: number } {
  return { repository: Number.parseInt(id.slice(0, 8), 16), commit: Number.parseInt(id.slice(8, 16), 16) };
}

function numberOf(id: string | null): number | undefined {
  return id === null || id === '' ? undefined : commitNumber(id).commit;
}

function hex(number: number): string {
  return number.toString(16).padStart(8, '0');
}
