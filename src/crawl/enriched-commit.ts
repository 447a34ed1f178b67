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
  if (files === undefined || files.truncated) {
    const what =
      files === undefined ? 'Bitbucket cannot make the diff' : 'Bitbucket cut the diff short, line counts are too low';
    scan.addFailure({ message: `${repositoryLabel(repository)} ${commit.id}: ${what}`, url: record.commitUrl });
  }
  return record;
}
