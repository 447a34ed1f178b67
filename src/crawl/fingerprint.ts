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

/** Places in a fingerprint: where the target stands; people; what is counted. */
const leftOut = { open: new Set([5]), closed: new Set([6, 7, 8, 9, 10]) };

/**
 * Whether a pull request has to be read again. What it would be read for in vain is left out: a push to the target moves
 * no date of an open one, and what is said of a closed one does not move its date either, so SEI would drop the record.
 *
 * @param before a fingerprint of any version, or a word that stands for none
 */
export function hasChanged(before: string, now: string): boolean {
  return before !== now && (!before.startsWith('[') || essence(before) !== essence(now));
}

function essence(print: string): string {
  const fields = JSON.parse(print) as unknown[];
  const without = fields[2] === 'OPEN' ? leftOut.open : leftOut.closed;
  return JSON.stringify(fields.filter((_field, place) => !without.has(place)));
}

/** Their order in the answer means nothing. */
function people(list: readonly BitbucketParticipant[] | null | undefined) {
  return (list ?? [])
    .map(({ user, role, status, lastReviewedCommit }) =>
      [user?.id ?? user?.name, role, status, lastReviewedCommit].join(' '),
    )
    .sort();
}
