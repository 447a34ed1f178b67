import { type CommitFiles, maxListedFiles } from '../bitbucket/file-change.ts';
import type { BitbucketCommit, BitbucketRepository } from '../bitbucket/types.ts';
import { SatelliteError } from '../errors.ts';
import { commitRecord } from '../records/commit.ts';
import type { CommitRecord } from '../records/types.ts';
import { isLastingDiffError } from './commit-files.ts';
import { repositoryLabel, repositoryPath } from './repository-path.ts';
import type { Scan } from './scan.ts';

/**
 * A commit with its files, where they are wanted and the server can tell them; what it cannot tell is reported.
 *
 * @param counted its files, where they came with it
 */
export async function enrichedCommit(
  scan: Scan,
  repository: BitbucketRepository,
  commit: BitbucketCommit,
  counted?: CommitFiles,
): Promise<CommitRecord> {
  const context = { repository, baseUrl: scan.integration.url };
  if (!scan.integration.metadata.fetchCommitFiles) return commitRecord(commit, context);
  if (counted !== undefined) scan.commitFiles.remember(commit.id, counted);
  const files = counted ?? (await filesOrError(scan, repository, commit));
  const isRead = !(files instanceof SatelliteError);
  const record = commitRecord(commit, isRead ? { ...context, files } : context);
  const flaw = isRead
    ? flawOf(files)
    : { code: files.code, text: `no diff, so there are no line counts: ${files.message}` };
  if (flaw !== undefined) {
    const message = `${repositoryLabel(repository)} ${commit.id}: ${flaw.code}: ${flaw.text}`;
    scan.addFailure({ message, url: record.commitUrl }, flaw.code);
  }
  return record;
}

async function filesOrError(scan: Scan, repository: BitbucketRepository, commit: BitbucketCommit) {
  try {
    const { git } = scan;
    return await scan.commitFiles.read(
      repositoryPath(repository),
      commit,
      git && (() => git.files(repository, commit)),
    );
  } catch (error) {
    if (isLastingDiffError(error)) return error;
    throw error;
  }
}

function flawOf(files: CommitFiles): { readonly code: string; readonly text: string } | undefined {
  if (files.truncated) {
    return { code: 'BITBUCKET_DIFF_TRUNCATED', text: 'Bitbucket cut the diff short, line counts are too low' };
  }
  if (files.omitted === undefined) return undefined;
  const text = `${files.omitted.files} files beyond the first ${maxListedFiles} are counted, but not listed`;
  return { code: 'COMMIT_TOO_LARGE', text };
}
