import type { Job } from './jobs.ts';
import {
  type DataType,
  isRecord,
  type SeiCommit,
  type SeiProject,
  type SeiPullRequest,
  type SeiRepository,
  type SeiTag,
} from './records.ts';
import { isObject } from './shape.ts';
import type { Storage, StoredPage } from './storage.ts';

/** Where a record came from; `repository` is its name, by which alone SEI tells repositories apart. */
interface Origin {
  readonly integrationId: string;
  /** Bitbucket's own; SEI makes nothing of it. */
  readonly repositoryId: number | undefined;
  readonly project: SeiProject | undefined;
  readonly repository: string;
}

export interface Ingested {
  readonly commits: readonly (Origin & { readonly commit: SeiCommit })[];
  readonly pullRequests: readonly (Origin & { readonly pullRequest: SeiPullRequest })[];
  readonly tags: readonly (Origin & { readonly tag: SeiTag })[];
  readonly repositories: readonly (Origin & { readonly details: SeiRepository })[];
}

/**
 * What SEI makes of jobs that were reported (sei-protocol §4.6): it reads the files that their results name, and nothing
 * else. A commit that it has (same id, same repository name) is skipped; a pull request replaces the one it has only when
 * its updatedDate is newer; tags and repositories are replaced. A pointer to a generation that is overwritten gives nothing.
 */
export function ingest(jobs: readonly Job[], storage: Storage): Ingested {
  const commits = new Map<string, Ingested['commits'][number]>();
  const pullRequests = new Map<string, Ingested['pullRequests'][number]>();
  const tags = new Map<string, Ingested['tags'][number]>();
  const repositories = new Map<string, Ingested['repositories'][number]>();

  for (const page of jobs.flatMap((job) => namedPages(job, storage))) {
    for (const record of recordsOf(page, storage)) {
      const origin = (of: { project?: SeiProject; repository: { name: string; id?: number } }): Origin => ({
        integrationId: page.integrationId,
        repositoryId: of.repository.id,
        project: of.project,
        repository: of.repository.name,
      });
      const key = (...parts: (string | number)[]) => JSON.stringify([page.integrationId, ...parts]);

      if (page.dataType === 'commits' && isRecord('commits', record)) {
        for (const commit of record.commits) {
          const id = key(record.repository.name, commit.id);
          if (!commits.has(id)) commits.set(id, { ...origin(record), commit });
        }
      } else if (page.dataType === 'pull_requests' && isRecord('pull_requests', record)) {
        for (const pullRequest of record.pullRequests) {
          const id = key(record.repository.name, pullRequest.id);
          const stored = pullRequests.get(id);
          if (stored !== undefined && stored.pullRequest.updatedDate >= pullRequest.updatedDate) continue;
          pullRequests.set(id, { ...origin(record), pullRequest });
        }
      } else if (page.dataType === 'tags' && isRecord('tags', record)) {
        for (const tag of record.tags) tags.set(key(record.repository.name, tag.id), { ...origin(record), tag });
      } else if (page.dataType === 'repositories' && isRecord('repositories', record)) {
        const details = record.repository;
        repositories.set(key(details.name), { ...origin({ project: details.project, repository: details }), details });
      }
    }
  }
  return {
    commits: [...commits.values()],
    pullRequests: [...pullRequests.values()],
    tags: [...tags.values()],
    repositories: [...repositories.values()],
  };
}

/** A file that a job's results name, as SEI reads it. */
export interface NamedFile {
  readonly path: string;
  readonly dataType: DataType;
  readonly records: readonly unknown[];
}

/** What SEI reads of a job before it drops what it has: one file at a time. */
export function* namedFiles(job: Job, storage: Storage): Generator<NamedFile> {
  for (const page of namedPages(job, storage)) {
    yield { path: page.path, dataType: page.dataType, records: recordsOf(page, storage) };
  }
}

/** The files that a job's results name, in their order; of a file that several attempts name, the first place counts. */
function namedPages(job: Job, storage: Storage): StoredPage[] {
  const pages = new Map<string, StoredPage>();
  for (const result of job.results.values()) {
    for (const pointer of 'records' in result ? result.records.flatMap((part) => part.records) : []) {
      const page = storage.find(pointer);
      if (page === undefined || page.pointer.blob_id.generation !== pointer.blob_id.generation) continue;
      pages.set(page.pointer.uri, page);
    }
  }
  return [...pages.values()];
}

function recordsOf(page: StoredPage, storage: Storage): unknown[] {
  const file: unknown = JSON.parse(storage.read(page));
  return isObject(file) && Array.isArray(file.records) ? file.records : [];
}
