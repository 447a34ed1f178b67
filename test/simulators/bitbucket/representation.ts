import type { Account, Accounts } from './accounts.ts';
import type { Project, Repository } from './catalogue.ts';
import type { Commit } from './commit-graph.ts';
import type { LoggedCommit, Person } from './commit-log.ts';
import type { Change } from './comparison.ts';
import { versionAtLeast } from './options.ts';
import type { FileDiff, Patch } from './patch.ts';
import type { Branch, Tag } from './refs.ts';

type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json | undefined };
export type JsonObject = { readonly [key: string]: Json | undefined };

/** How a thing looks in an answer, field for field as recorded servers show it. Undefined fields are left out. */
export class Representation {
  /** Without a slash at the end; set once the port is known. */
  baseUrl = '';
  readonly #version: string;
  readonly #accounts: Accounts;

  constructor(version: string, accounts: Accounts) {
    this.#version = version;
    this.#accounts = accounts;
  }

  user(account: Account): JsonObject {
    const slug = userSlug(account);
    return {
      name: account.name,
      emailAddress: account.emailAddress,
      active: true,
      displayName: account.displayName,
      id: account.id,
      slug,
      type: 'NORMAL',
      links: this.#self(`/users/${encodeURIComponent(slug)}`),
    };
  }

  /** The account when the e-mail address is one's, else what the commit itself says. */
  person(person: Person): JsonObject {
    const account = this.#accounts.ofEmail(person.email);
    if (account) return this.user(account);
    return { name: person.name, emailAddress: person.email === '' ? undefined : person.email };
  }

  project(project: Project): JsonObject {
    const isPersonal = project.key.startsWith('~');
    const owner = isPersonal ? this.#accounts.ofName(project.key.slice(1).toLowerCase()) : undefined;
    return {
      key: project.key,
      id: project.id,
      name: owner?.displayName ?? project.name,
      public: isPersonal ? undefined : false,
      type: isPersonal ? 'PERSONAL' : 'NORMAL',
      owner: owner && this.user(owner),
      links: this.#self(projectPath(project)),
    };
  }

  repository(repository: Repository): JsonObject {
    const { options, project, slug, origin } = repository;
    const scm = `/${encodeURIComponent(project.key.toLowerCase())}/${encodeURIComponent(slug)}.git`;
    const host = new URL(this.baseUrl).hostname;
    return {
      slug,
      id: repository.id,
      name: repository.name,
      description: options.description,
      hierarchyId: repository.hierarchyId,
      scmId: 'git',
      state: options.state ?? 'AVAILABLE',
      statusMessage: 'Available',
      forkable: true,
      origin: origin && this.repository(origin),
      project: this.project(project),
      public: options.public ?? false,
      archived: versionAtLeast(this.#version, 8, 0) ? repository.isArchived : undefined,
      links: {
        clone: [
          { href: `${this.baseUrl}/scm${scm}`, name: 'http' },
          { href: `ssh://git@${host}:7999${scm}`, name: 'ssh' },
        ],
        ...this.#self(`${repositoryPath(repository)}/browse`),
      },
    };
  }

  branch(branch: Branch, defaultBranch: string): JsonObject {
    const latest = { latestCommit: branch.commitId, latestChangeset: branch.commitId };
    return { ...refName(branch.id), type: 'BRANCH', ...latest, isDefault: branch.id === defaultBranch };
  }

  tag(tag: Tag): JsonObject {
    const latest = { latestCommit: tag.commitId, latestChangeset: tag.commitId };
    return { ...refName(tag.id), type: 'TAG', ...latest, hash: tag.hash };
  }

  commit(commit: Commit): JsonObject {
    return { ...this.#commitFields(commit), parents: commit.parentIds.map(minimalCommit) };
  }

  /** A single commit, or the one a pull request was merged with: its parents are spelled out, theirs are not. */
  commitWithParents(commit: Commit): JsonObject {
    return { ...this.#commitFields(commit), parents: commit.parents.map((parent) => this.commit(parent)) };
  }

  change(change: Change, selfUrl: string): JsonObject {
    return {
      contentId: change.contentId,
      fromContentId: change.fromContentId,
      path: pathJson(change.path),
      srcPath: change.sourcePath === undefined ? undefined : pathJson(change.sourcePath),
      executable: change.executable,
      srcExecutable: change.sourceExecutable,
      percentUnchanged: change.percentUnchanged,
      type: change.type,
      nodeType: change.nodeType,
      links: { self: [{ href: `${this.baseUrl}${selfUrl}#${encodeURIComponent(change.path)}` }] },
      properties: { gitChangeType: change.type === 'MOVE' ? 'RENAME' : change.type },
    };
  }

  diff(diff: FileDiff): JsonObject {
    return {
      source: diff.source === null ? null : pathJson(diff.source),
      destination: diff.destination === null ? null : pathJson(diff.destination),
      ...(diff.binary ? { binary: true } : { hunks: diff.hunks }),
      truncated: diff.truncated,
    };
  }

  patch(patch: Patch, range: { fromHash: string | null; toHash: string; contextLines: number }): JsonObject {
    const { fromHash, toHash, contextLines } = range;
    const diffs = patch.diffs.map((diff) => this.diff(diff));
    return { fromHash, toHash, contextLines, whitespace: 'SHOW', diffs, truncated: patch.truncated };
  }

  #commitFields(commit: LoggedCommit): JsonObject {
    return {
      ...minimalCommit(commit.id),
      author: this.person(commit.author),
      authorTimestamp: commit.authorTimestamp,
      committer: this.person(commit.committer),
      committerTimestamp: commit.committerTimestamp,
      message: commit.message,
    };
  }

  #self(path: string): { self: JsonObject[] } {
    return { self: [{ href: this.baseUrl + path }] };
  }
}

/** What Bitbucket calls a path; `toString` is a plain string in it, whatever JavaScript thinks of that. */
function pathJson(path: string): JsonObject {
  const components = path.split('/');
  const name = components.at(-1) ?? '';
  const dot = name.lastIndexOf('.');
  return {
    components,
    parent: components.slice(0, -1).join('/'),
    name,
    extension: dot >= 0 && dot < name.length - 1 ? name.slice(dot + 1) : undefined,
    toString: path,
  };
}

export function refName(id: string): { id: string; displayId: string } {
  return { id, displayId: id.replace(/^refs\/(heads|tags)\//, '') };
}

export function userSlug(account: Account): string {
  return account.name.toLowerCase().replace(/[^a-z0-9._-]/g, '_');
}

export function repositoryPath(repository: Repository): string {
  return `${projectPath(repository.project)}/repos/${encodeURIComponent(repository.slug)}`;
}

/** Below `/rest/api/…`; personal projects keep their tilde there. */
export function repositoryApiPath(repository: Repository): string {
  return `/projects/${encodeURIComponent(repository.project.key)}/repos/${encodeURIComponent(repository.slug)}`;
}

function projectPath(project: Project): string {
  if (project.key.startsWith('~')) return `/users/${encodeURIComponent(project.key.slice(1).toLowerCase())}`;
  return `/projects/${encodeURIComponent(project.key)}`;
}

function minimalCommit(id: string): { id: string; displayId: string } {
  return { id, displayId: id.slice(0, 11) };
}
