import { createHash } from 'node:crypto';
import { noSuchProject, noSuchRepository, permissionDenied } from './errors.ts';
import type { GitRepository } from './git-repository.ts';
import type { RepositoryOptions } from './options.ts';
import type { PullRequestBook } from './pull-request-book.ts';

export interface Project {
  readonly id: number;
  /** As Bitbucket prints it; personal ones (`~JDOE`) are upper case. */
  readonly key: string;
  readonly name: string;
}

export interface Repository {
  /** What stays when everything else is renamed. */
  readonly id: number;
  readonly hierarchyId: string;
  readonly git: GitRepository;
  readonly pullRequests: PullRequestBook;
  readonly options: RepositoryOptions;
  readonly origin: Repository | undefined;
  isArchived: boolean;
  project: Project;
  slug: string;
  name: string;
}

export type RefusalKind = 'permission401' | 'scope403' | 'gone404';

/** Thrown for a repository that goes by another name now. */
export class Moved extends Error {
  readonly repository: Repository;

  constructor(repository: Repository) {
    super(`moved to ${repository.project.key}/${repository.slug}`);
    this.repository = repository;
  }
}

/** Which projects and repositories there are, under which names, and which of them are closed to us. */
export class Catalogue {
  readonly #projects = new Map<string, Project>();
  readonly #repositories = new Map<string, Repository>();
  /** Deleted ones too: a pull request remembers the fork that it came from. */
  readonly #byId = new Map<number, Repository>();
  readonly #formerNames = new Map<string, Repository>();
  readonly #refused = new Map<Repository, RefusalKind>();
  readonly #unlisted = new Set<Repository>();

  add(options: RepositoryOptions, git: GitRepository, pullRequests: PullRequestBook): Repository {
    const { projectKey, slug, originOf } = options;
    const origin = originOf && this.#repositories.get(nameOf(originOf.projectKey, originOf.slug));
    if (originOf && !origin)
      throw new Error(`${originOf.projectKey}/${originOf.slug} has to be listed before its fork`);
    if (this.#repositories.has(nameOf(projectKey, slug))) throw new Error(`${projectKey}/${slug} is listed twice`);
    const id = this.#byId.size + 1;
    const repository: Repository = {
      id,
      hierarchyId: origin?.hierarchyId ?? createHash('sha1').update(`hierarchy ${id}`).digest('hex').slice(0, 20),
      git,
      pullRequests,
      options,
      origin,
      isArchived: options.archived ?? false,
      project: this.#projectFor(projectKey, options.projectName),
      slug,
      name: options.name ?? slug,
    };
    this.#repositories.set(nameOf(projectKey, slug), repository);
    this.#byId.set(id, repository);
    return repository;
  }

  projects(): Project[] {
    return [...this.#projects.values()];
  }

  project(key: string): Project {
    const project = this.#projects.get(key.toUpperCase());
    if (!project) throw noSuchProject(key);
    return project;
  }

  withId(id: number): Repository {
    const repository = this.#byId.get(id);
    if (!repository) throw new Error(`no repository ${id}`);
    return repository;
  }

  /** In order of id, those in hiding left out. */
  repositories(): Repository[] {
    const listed = [...this.#repositories.values()].filter((repository) => !this.#unlisted.has(repository));
    return listed.sort((a, b) => a.id - b.id);
  }

  /** Throws what Bitbucket answers when the repository is unknown, closed or renamed. */
  open(key: string, slug: string): Repository {
    const repository = this.find(key, slug);
    const refusal = this.#refused.get(repository);
    if (refusal === 'permission401') throw permissionDenied();
    if (refusal === 'scope403') throw permissionDenied(403);
    if (refusal === 'gone404') throw noSuchRepository(key, slug);
    return repository;
  }

  /** Also those that are refused to clients. */
  find(key: string, slug: string): Repository {
    const repository = this.#repositories.get(nameOf(key, slug));
    if (repository) return repository;
    const moved = this.#formerNames.get(nameOf(key, slug));
    if (moved) throw new Moved(moved);
    this.project(key);
    throw noSuchRepository(key, slug);
  }

  refuse(key: string, slug: string, kind: RefusalKind, listed: boolean): () => void {
    const repository = this.find(key, slug);
    this.#refused.set(repository, kind);
    if (!listed) this.#unlisted.add(repository);
    return () => {
      this.#refused.delete(repository);
      this.#unlisted.delete(repository);
    };
  }

  /** Its name is free again, and no old name leads to it any more. */
  delete(key: string, slug: string): void {
    const repository = this.find(key, slug);
    this.#repositories.delete(nameOf(repository.project.key, repository.slug));
    for (const [name, moved] of this.#formerNames) if (moved === repository) this.#formerNames.delete(name);
  }

  rename(key: string, slug: string, newKey: string, newSlug: string): void {
    const repository = this.find(key, slug);
    this.#repositories.delete(nameOf(key, slug));
    this.#formerNames.set(nameOf(key, slug), repository);
    this.#repositories.set(nameOf(newKey, newSlug), repository);
    repository.project = this.#projectFor(newKey, undefined);
    if (repository.slug.toLowerCase() !== newSlug.toLowerCase()) repository.name = newSlug;
    repository.slug = newSlug;
  }

  #projectFor(key: string, name: string | undefined): Project {
    const known = this.#projects.get(key.toUpperCase());
    if (known) return known;
    const printed = key.startsWith('~') ? key.toUpperCase() : key;
    const project = { id: this.#projects.size + 1, key: printed, name: name ?? printed };
    this.#projects.set(key.toUpperCase(), project);
    return project;
  }
}

/** Keys and slugs are case-insensitive. */
function nameOf(key: string, slug: string): string {
  return `${key.toUpperCase()}/${slug.toLowerCase()}`;
}
