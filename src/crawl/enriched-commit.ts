import { type CommitFiles, maxListedFiles } from '../bitbucket/file-change.ts';
import type { BitbucketCommit, BitbucketRepository } from '../bitbucket/types.ts';
import { commitRecord } from '../records/commit.ts';
import type { CommitRecord } from '../records/types.ts';
import { repositoryLabel, repositoryPath } from './repository-path.ts';
import type { Scan } from './scan.ts';

/** A commit with its files, where they are wanted and the server can tell them; what it cannot tell is reported. */
export async function enrichedCommit(
  scan: Scan,
  repository: BitbucketRepository,
  commit: BitbucketCommit,
): Promise<CommitRecord> {
  const context = { repository, baseUrl: scan.integration.url };
  if (!scan.integration.metadata.fetchCommitFiles) return commitRecord(commit, context);
  const files = await scan.commitFiles.read(repositoryPath(repository), commit);
  const record = commitRecord(commit, files === undefined ? context : { ...context, files });
  const flaw = flawOf(files);
  if (flaw !== undefined) {
    scan.addFailure({ message: `${repositoryLabel(repository)} ${commit.id}: ${flaw}`, url: record.commitUrl });
  }
  return record;
}

function flawOf(files: CommitFiles | undefined): string | undefined {
  if (files === undefined) return 'Bitbucket cannot make the diff, there are no line counts';
  if (files.truncated) return 'Bitbucket cut the diff short, line counts are too low';
  if (files.omitted === undefined) return undefined;
  return `${files.omitted.files} files beyond the first ${maxListedFiles} are counted, but not listed`;
}
