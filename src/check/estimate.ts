import type { MetadataConfig } from '../config/config.ts';
import type { RepositorySample } from './sample.ts';

/** Page sizes of the lists that a crawl reads (`bitbucket.ts`). */
const commitsPerPage = 100;
const pullRequestsPerPage = 100;
const repositoriesPerPage = 1000;

/**
 * Commits of a pull request that no default branch has, so that each costs a diff of its own: those of open ones and of
 * ones that were squashed. Nothing cheap tells how many there are.
 */
export const assumedOwnCommits = 2;

/** What the server speaks, which branches it has, and the pack; beside it pages of commits that show the accounts of their authors. */
const requestsPerClone = 3;

export interface Estimate {
  readonly requests: number;
  readonly commits: number;
  readonly pullRequests: number;
}

/**
 * What the first scan of so many repositories asks for, if they are like the sampled ones: the list of repositories, and
 * for each its branches, the walk to the begin of the window, the commits in it with one diff each, the tags, the list of
 * pull requests with the activities and commits of those wanted, and the name of its default branch.
 */
export function estimateFirstScan(
  samples: readonly RepositorySample[],
  repositories: { readonly selected: number; readonly visible: number },
  metadata: MetadataConfig,
): Estimate {
  const scale = samples.length === 0 ? 0 : repositories.selected / samples.length;
  const sum = (of: (sample: RepositorySample) => number) => samples.reduce((total, sample) => total + of(sample), 0);
  const listing = Math.max(1, Math.ceil(repositories.visible / repositoriesPerPage));
  return {
    requests: Math.round(listing + scale * sum((sample) => requestsFor(sample, metadata))),
    commits: Math.round(scale * sum(({ commits }) => commits?.inWindow ?? 0)),
    pullRequests: Math.round(scale * sum(({ pullRequests }) => pullRequests?.wanted ?? 0)),
  };
}

function requestsFor({ commits, pullRequests }: RepositorySample, metadata: MetadataConfig): number {
  const defaultBranch = 1;
  let requests = defaultBranch;
  if (metadata.fetchCommits) {
    const branches = 1;
    requests += branches;
    if (commits !== undefined && !commits.isEmpty && metadata.commitSource === 'git') {
      requests += requestsPerClone + Math.ceil(commits.inWindow / commitsPerPage);
    } else if (commits !== undefined && !commits.isEmpty) {
      const { inWindow } = commits;
      requests += Math.ceil((inWindow + 1) / commitsPerPage) + Math.ceil(inWindow / commitsPerPage);
      if (metadata.fetchCommitFiles) requests += inWindow;
    }
  }
  if (metadata.fetchTags) requests += 1;
  if (metadata.fetchPrs) {
    const { total = 0, wanted = 0 } = pullRequests ?? {};
    requests += Math.max(1, Math.ceil(total / pullRequestsPerPage)) + wanted * requestsPerPullRequest(metadata);
  }
  return requests;
}

function requestsPerPullRequest({ fetchPrCommits, fetchCommitFiles, commitSource }: MetadataConfig): number {
  // Without reviews those of merged ones are still read.
  const activities = 1;
  return activities + (fetchPrCommits ? 1 + (fetchCommitFiles && commitSource === 'rest' ? assumedOwnCommits : 0) : 0);
}
