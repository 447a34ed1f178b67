import type { Account } from './accounts.ts';
import type { Commit } from './commit-graph.ts';
import type { FileDiff } from './patch.ts';

/**
 * A pull request is OPEN until it is merged or declined; a declined one can be opened again. What a crawler trips
 * over is kept here and nowhere else: `version` and `updatedDate` move with `revise` only, that is on an edit, a push
 * and a change of state, never on a comment, a reply, a review or a change of reviewers (bitbucket-dc-rest §1).
 */
export interface PullRequest {
  readonly id: number;
  version: number;
  title: string;
  description: string | undefined;
  state: 'OPEN' | 'MERGED' | 'DECLINED';
  readonly createdDate: number;
  updatedDate: number;
  closedDate: number | undefined;
  readonly from: {
    readonly ref: string;
    /** The id of the fork the branch is in; undefined: the target repository itself. */
    readonly fork: number | undefined;
    commit: string;
  };
  /** `commit` is the target's tip when the pull request was last looked at, and stays at that once it is closed. */
  readonly to: { readonly ref: string; commit: string };
  readonly author: Account;
  readonly reviewers: Participant[];
  readonly participants: Participant[];
  /** Newest first. */
  readonly activities: Activity[];
}

export interface Participant {
  readonly user: Account;
  status: 'APPROVED' | 'UNAPPROVED' | 'NEEDS_WORK';
  lastReviewedCommit: string | undefined;
}

export interface Comment {
  readonly id: number;
  readonly text: string;
  readonly author: Account;
  readonly createdDate: number;
  readonly replies: Comment[];
}

export interface Anchor {
  readonly fromHash: string;
  readonly toHash: string;
  readonly line: number;
  readonly lineType: 'ADDED' | 'REMOVED' | 'CONTEXT';
  readonly fileType: 'FROM' | 'TO';
  readonly path: string;
}

export type ActivityDetails =
  | { readonly action: 'OPENED' | 'REOPENED' | 'DECLINED' | 'APPROVED' | 'UNAPPROVED' | 'REVIEWED' }
  | {
      readonly action: 'UPDATED';
      readonly addedReviewers: readonly Account[];
      readonly removedReviewers: readonly Account[];
    }
  | {
      readonly action: 'RESCOPED';
      readonly fromHash: string;
      readonly previousFromHash: string;
      readonly toHash: string;
      readonly previousToHash: string;
      readonly added: readonly Commit[];
      readonly removed: readonly Commit[];
    }
  | {
      readonly action: 'COMMENTED';
      readonly comment: Comment;
      readonly inline: { readonly anchor: Anchor; readonly diff: FileDiff } | undefined;
    }
  /** Without `commit` it was merged by a plain push. */
  | { readonly action: 'MERGED'; readonly commit: Commit | undefined };

export type Activity = ActivityDetails & {
  readonly id: number;
  readonly createdDate: number;
  readonly user: Account;
};

export function revise(pullRequest: PullRequest, at: number): void {
  pullRequest.version += 1;
  pullRequest.updatedDate = at;
}

export function changeState(pullRequest: PullRequest, state: PullRequest['state'], at: number): void {
  revise(pullRequest, at);
  pullRequest.state = state;
  pullRequest.closedDate = state === 'OPEN' ? undefined : at;
}

/** The reviewer of that account; whoever reviews without having been asked becomes one. */
export function reviewerOf(pullRequest: PullRequest, user: Account): Participant {
  const known = pullRequest.reviewers.find((reviewer) => reviewer.user.id === user.id);
  if (known) return known;
  const reviewer: Participant = { user, status: 'UNAPPROVED', lastReviewedCommit: undefined };
  pullRequest.reviewers.push(reviewer);
  const participating = pullRequest.participants.findIndex((participant) => participant.user.id === user.id);
  if (participating >= 0) pullRequest.participants.splice(participating, 1);
  return reviewer;
}

/** Whoever comments takes part, unless they do already. */
export function takePart(pullRequest: PullRequest, user: Account): void {
  const involved = [...pullRequest.reviewers, ...pullRequest.participants].some((one) => one.user.id === user.id);
  if (involved || pullRequest.author.id === user.id) return;
  pullRequest.participants.push({ user, status: 'UNAPPROVED', lastReviewedCommit: undefined });
}

/** Top-level comments only: replies are not counted. */
export function commentCount(pullRequest: PullRequest): number {
  return pullRequest.activities.filter((activity) => activity.action === 'COMMENTED').length;
}

export function findComment(pullRequest: PullRequest, id: number): Comment | undefined {
  const search = (comments: readonly Comment[]): Comment | undefined => {
    for (const comment of comments) {
      const found = comment.id === id ? comment : search(comment.replies);
      if (found) return found;
    }
    return undefined;
  };
  return search(
    pullRequest.activities.flatMap((activity) => (activity.action === 'COMMENTED' ? [activity.comment] : [])),
  );
}
