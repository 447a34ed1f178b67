import type { Account, Accounts } from './accounts.ts';
import type { Commit } from './commit-graph.ts';
import type { Activity, ActivityDetails, Participant, PullRequest } from './pull-request.ts';

/** Every merge on the first-parent line of a branch, told as the merged pull request that it once may have been. */

export interface Merge {
  readonly commit: Commit;
  readonly target: Commit;
  readonly source: Commit;
  /** Committer date of the oldest commit that came in with it. */
  readonly firstCommitAt: number;
}

/** Oldest first. One walk over the history, however many merges there are. */
export function mergesOnFirstParentLine(tip: Commit): Merge[] {
  const line: Commit[] = [];
  for (let commit: Commit | undefined = tip; commit; commit = commit.parents[0]) line.push(commit);
  const reached = new Set<Commit>();
  const merges: Merge[] = [];
  for (const commit of line.reverse()) {
    const [target, source] = commit.parents;
    if (target && source) {
      const firstCommitAt = visitUnreached(source, reached);
      merges.push({ commit, target, source, firstCommitAt: Math.min(firstCommitAt, commit.committerTimestamp) });
    }
    visitUnreached(commit, reached);
  }
  return merges.sort((a, b) => a.commit.committerTimestamp - b.commit.committerTimestamp);
}

function visitUnreached(from: Commit, reached: Set<Commit>): number {
  let oldest = from.committerTimestamp;
  const stack = [from];
  for (let commit = stack.pop(); commit; commit = stack.pop()) {
    if (reached.has(commit)) continue;
    reached.add(commit);
    oldest = Math.min(oldest, commit.committerTimestamp);
    stack.push(...commit.parents);
  }
  return oldest;
}

export interface Derivation {
  readonly id: number;
  readonly targetRef: string;
  readonly accounts: Accounts;
  /** Who may have approved. */
  readonly approvers: readonly Account[];
  /** The ids of its activities start here. */
  readonly firstActivityId: number;
}

export function derivedPullRequest(merge: Merge, derivation: Derivation): PullRequest {
  const { accounts, id } = derivation;
  const mergedAt = merge.commit.committerTimestamp;
  const author = accounts.ofPerson(merge.source.author);
  const approver = approverOf(merge, author, derivation.approvers);
  const reviewers: Participant[] = approver
    ? [{ user: approver, status: 'APPROVED', lastReviewedCommit: merge.source.id }]
    : [];
  const activities: Activity[] = [];
  const add = (createdDate: number, user: Account, details: ActivityDetails) => {
    activities.unshift({ ...details, id: derivation.firstActivityId + activities.length, createdDate, user });
  };
  add(merge.firstCommitAt, author, { action: 'OPENED' });
  if (approver) add(Math.max(merge.firstCommitAt, mergedAt - 60_000), approver, { action: 'APPROVED' });
  add(mergedAt, accounts.ofPerson(merge.commit.committer), { action: 'MERGED', commit: merge.commit });
  return {
    id,
    version: 1,
    title: titleOf(merge),
    description: undefined,
    state: 'MERGED',
    createdDate: merge.firstCommitAt,
    updatedDate: mergedAt,
    closedDate: mergedAt,
    from: { ref: `refs/heads/${sourceBranchOf(merge)}`, fork: undefined, commit: merge.source.id },
    to: { ref: derivation.targetRef, commit: merge.target.id },
    author,
    reviewers,
    participants: [],
    activities,
  };
}

/** Three of four, chosen by the merge's own id: the same in every run. */
function approverOf(merge: Merge, author: Account, approvers: readonly Account[]): Account | undefined {
  const others = approvers.filter((account) => account.id !== author.id);
  const lot = Number.parseInt(merge.commit.id.slice(0, 8), 16);
  return lot % 4 === 0 ? undefined : others[Math.floor(lot / 4) % others.length];
}

const branchInMessage = [
  /^Merge branch '([^']+)'/,
  /^Merge remote-tracking branch '(?:origin\/)?([^']+)'/,
  /^Merge pull request #\d+ from [^\s/]+\/(\S+)/,
  /^Merged in (\S+) \(pull request/,
  /^Merge in \S+ from (\S+) to /m,
];

function sourceBranchOf(merge: Merge): string {
  const found = branchInMessage.map((pattern) => pattern.exec(merge.commit.message)?.[1]).find((name) => name);
  return found ?? `merged/${merge.source.id.slice(0, 11)}`;
}

function titleOf(merge: Merge): string {
  const ofBitbucket = /^Pull request #\d+: (.+)$/m.exec(merge.commit.message)?.[1];
  return ofBitbucket ?? merge.source.message.split('\n')[0] ?? '';
}
