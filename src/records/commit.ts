import type { CommitFiles } from '../bitbucket/file-change.ts';
import type { BitbucketCommit, BitbucketRepository } from '../bitbucket/types.ts';
import { epochMs } from './epoch-ms.ts';
import { fields, text } from './fields.ts';
import { fileRecord } from './file.ts';
import type { CommitRecord, ParentRecord } from './types.ts';
import { userRecord } from './user.ts';

export interface CommitContext {
  readonly repository: BitbucketRepository;
  /** Of the Bitbucket server, with its context path, without a trailing slash. */
  readonly baseUrl: string;
  /** Absent: the files of the commit are not known; the record then has no counts at all rather than zeroes. */
  readonly files?: CommitFiles;
}

/**
 * SEI reads both people and the committer's time of a commit without a check, and one null there ends its processing
 * (sei-protocol §4.6): what Bitbucket left out is taken from the other half of the commit.
 */
export function commitRecord(commit: BitbucketCommit, { repository, baseUrl, files }: CommitContext): CommitRecord {
  const authorTimestamp = epochMs(commit.authorTimestamp);
  return fields<CommitRecord>({
    id: commit.id,
    displayId: text(commit.displayId),
    author: userRecord(commit.author ?? commit.committer),
    committer: userRecord(commit.committer ?? commit.author),
    authorTimestamp,
    committerTimestamp: epochMs(commit.committerTimestamp) ?? authorTimestamp ?? 0,
    message: text(commit.message),
    parents: commit.parents?.map(parentRecord),
    projectName: text(repository.project.name),
    repoName: repository.name.toWellFormed(),
    commitUrl: commitUrl(baseUrl, repository, commit.id),
    additions: files?.files.reduce((sum, file) => sum + file.linesAdded, files.omitted?.linesAdded ?? 0),
    deletions: files?.files.reduce((sum, file) => sum + file.linesRemoved, files.omitted?.linesRemoved ?? 0),
    files: files?.files.map(fileRecord),
  });
}

function parentRecord(parent: BitbucketCommit): ParentRecord {
  return fields<ParentRecord>({ id: parent.id, displayId: text(parent.displayId) });
}

function commitUrl(baseUrl: string, repository: BitbucketRepository, sha: string): string {
  const [key, slug, id] = [repository.project.key, repository.slug, sha].map((segment) =>
    encodeURIComponent(segment.toWellFormed()),
  );
  return `${baseUrl.replace(/\/+$/, '')}/projects/${key}/repos/${slug}/commits/${id}`;
}
