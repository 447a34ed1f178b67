import type { BitbucketPullRequest } from '../../../src/bitbucket/types.ts';

/** An open pull request without reviews, made and updated at the time that its id says. */
export function pullRequestOf(id: number, overrides: Partial<BitbucketPullRequest> = {}): BitbucketPullRequest {
  const state = overrides.state ?? 'OPEN';
  return {
    id,
    version: 0,
    title: `Pull request ${id}`,
    state,
    open: state === 'OPEN',
    closed: state !== 'OPEN',
    createdDate: id * 1_000,
    updatedDate: id * 1_000,
    fromRef: { id: `refs/heads/f${id}`, displayId: `f${id}`, latestCommit: `from${id}` },
    toRef: { id: 'refs/heads/main', displayId: 'main', latestCommit: 'main' },
    author: { user: { id: 1, name: 'ada' }, role: 'AUTHOR', approved: false, status: 'UNAPPROVED' },
    reviewers: [],
    participants: [],
    properties: { commentCount: 0, openTaskCount: 0, resolvedTaskCount: 0 },
    ...overrides,
  };
}
