import type { BitbucketCommit, BitbucketPullRequest, BitbucketRepository } from '../bitbucket/types.ts';
import { SatelliteError } from '../errors.ts';
import type { CommitRecord } from '../records/types.ts';
import { enrichedCommit } from './enriched-commit.ts';
import type { PullRequestPlace } from './pull-request-room.ts';
import { readAhead } from './read-ahead.ts';
import { commitBytes, filesBytes } from './record-bytes.ts';
import { repositoryLabel, repositoryPath } from './repository-path.ts';
import type { Scan } from './scan.ts';

/** The vendor's image stops at 250. */
const maxCommits = 1_000;

/** Of a record, beyond which further commits carry their counts without the list of their files. */
const maxFilesBytes = 4 * 1024 * 1024;

/** Of a record, beyond which further commits are left out. */
const maxRecordBytes = 8 * 1024 * 1024;

/**
 * The commits of a pull request with their files; undefined where they are not wanted. They all go into one record, so
 * there is an end to them: first the lists of files are left out, whose lines still count, then the commits, and both is
 * reported.
 */
export async function readCommits(
  scan: Scan,
  repository: BitbucketRepository,
  { id }: BitbucketPullRequest,
  place: PullRequestPlace,
): Promise<CommitRecord[] | undefined> {
  const { integration } = scan;
  if (!integration.metadata.fetchPrCommits) return undefined;
  let isCut = false;
  async function* first() {
    let listed = 0;
    for await (const commit of listedCommits(scan, repository, id)) {
      isCut = listed++ === maxCommits;
      if (isCut) return;
      yield commit;
    }
  }
  const read = async (commit: BitbucketCommit) => ({ record: await enrichedCommit(scan, repository, commit) });
  const records: CommitRecord[] = [];
  let bytes = 0;
  let withoutFiles = 0;
  for await (const { record } of readAhead(first(), read, integration.rateLimit.maxInFlight)) {
    const isTooMuch = filesBytes(record.files) > 0 && bytes + commitBytes(record) > maxFilesBytes;
    if (isTooMuch) withoutFiles++;
    const kept = isTooMuch ? { ...record, files: [] } : record;
    const more = commitBytes(kept);
    isCut ||= bytes + more > maxRecordBytes;
    if (bytes + more > maxRecordBytes) break;
    bytes += more;
    await place.grow(more);
    records.push(kept);
  }
  const flaws = [
    ...(isCut ? [`only the first ${records.length} of its commits are sent`] : []),
    ...(withoutFiles > 0 ? [`${withoutFiles} of its commits are sent without their files; their lines count`] : []),
  ];
  if (flaws.length > 0) {
    const code = 'PULL_REQUEST_TOO_LARGE';
    const message = `${repositoryLabel(repository)} pull request ${id}: ${code}: ${flaws.join(', and ')}`;
    scan.addFailure({ message, url: integration.url }, code);
  }
  return records;
}

/** The commits of a pull request whose source is gone cannot be listed any more; the pull request itself still counts. */
async function* listedCommits(scan: Scan, repository: BitbucketRepository, id: number) {
  try {
    yield* scan.bitbucket.pullRequestCommits(repositoryPath(repository), id);
  } catch (error) {
    const isSourceGone = error instanceof SatelliteError && error.kind === 'gone';
    if (!isSourceGone || error.code === 'BITBUCKET_NO_SUCH_PULL_REQUEST') throw error;
    // Or is it the whole repository, closed to us since it was listed? Without its commits it must not go out then.
    if (error.code !== 'BITBUCKET_NO_SUCH_COMMIT') await scan.bitbucket.pullRequest(repositoryPath(repository), id);
    const message = `${repositoryLabel(repository)} pull request ${id}: ${error.code}: its commits cannot be listed`;
    scan.addFailure({ message, url: error.url ?? scan.integration.url }, error.code);
  }
}
