import type { BitbucketParticipant, BitbucketPullRequest } from '../bitbucket/types.ts';

/**
 * Whatever of a pull request a list shows and a change of interest moves. `updatedDate` alone does not do: it stands
 * still on reviews, comments and reviewer changes (bitbucket-dc-rest §1).
 */
export function fingerprint(pullRequest: BitbucketPullRequest): string {
  const { version, updatedDate, title, state, fromRef, toRef, reviewers, participants, properties } = pullRequest;
  return JSON.stringify([
    version,
    updatedDate,
    state,
    title,
    fromRef?.latestCommit,
    toRef?.latestCommit,
    people(reviewers),
    people(participants),
    properties?.commentCount ?? 0,
    properties?.openTaskCount ?? 0,
    properties?.resolvedTaskCount ?? 0,
  ]);
}

/** Their order in the answer means nothing. */
function people(list: readonly BitbucketParticipant[] | null | undefined) {
  return (list ?? [])
    .map(({ user, role, status, lastReviewedCommit }) =>
      [user?.id ?? user?.name, role, status, lastReviewedCommit].join(' '),
    )
    .sort();
}
