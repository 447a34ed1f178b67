import type {
  BitbucketActivity,
  BitbucketCommit,
  BitbucketParticipant,
  BitbucketPullRequest,
  BitbucketPullRequestProperties,
  BitbucketPullRequestRef,
} from '../bitbucket/types.ts';
import { epochMs } from './epoch-ms.ts';
import { fields, flag, text, wholeNumber } from './fields.ts';
import { linksRecord } from './links.ts';
import { repositoryRecord } from './repository.ts';
import type {
  ActivityCommitRecord,
  ActivityRecord,
  CommitRecord,
  ParticipantRecord,
  PullRequestPropertiesRecord,
  PullRequestRecord,
  RefRecord,
} from './types.ts';
import { userRecord } from './user.ts';

export interface PullRequestContext {
  /** Absent: not fetched. SEI knows of a merge only from the MERGED activity. */
  readonly activities?: readonly BitbucketActivity[];
  readonly commits?: readonly CommitRecord[];
  /** The date that SEI has of it. */
  readonly sentMs?: number;
}

export function pullRequestRecord(
  pullRequest: BitbucketPullRequest,
  { activities, commits, sentMs }: PullRequestContext = {},
): PullRequestRecord {
  return fields<PullRequestRecord>({
    id: pullRequest.id,
    version: wholeNumber(pullRequest.version),
    title: text(pullRequest.title),
    description: text(pullRequest.description),
    state: state(pullRequest),
    open: flag(pullRequest.open),
    closed: flag(pullRequest.closed),
    locked: flag(pullRequest.locked),
    createdDate: epochMs(pullRequest.createdDate),
    updatedDate: updatedDate(pullRequest, activities, sentMs),
    fromRef: refRecord(pullRequest.fromRef),
    toRef: refRecord(pullRequest.toRef),
    author: participantRecord(pullRequest.author),
    // SEI iterates both without a check: an absent list would end its processing (sei-protocol §4.6).
    reviewers: (pullRequest.reviewers ?? []).map(participantRecord),
    participants: (pullRequest.participants ?? []).map(participantRecord),
    links: linksRecord(pullRequest.links),
    properties: propertiesRecord(pullRequest.properties),
    commits,
    activities: activities?.map(activityRecord),
  });
}

/** SEI cannot do without a state; whether a closed one was merged it takes from the activities, not from here. */
function state({ state, open }: BitbucketPullRequest): string {
  return text(state) ?? (open === false ? 'DECLINED' : 'OPEN');
}

/**
 * SEI replaces a stored pull request only when `updatedDate` is newer, and Bitbucket does not move it on reviews and
 * comments: with Bitbucket's own date they would never arrive. Where the newest comment was deleted, SEI has a later date
 * than there is: only a later one still arrives. A closed one keeps its date, because SEI takes it for the time of closing.
 */
function updatedDate(
  pullRequest: BitbucketPullRequest,
  activities: readonly BitbucketActivity[] | undefined,
  sentMs: number | undefined,
): number | undefined {
  const own = epochMs(pullRequest.updatedDate) ?? epochMs(pullRequest.createdDate);
  if (state(pullRequest) !== 'OPEN' || !activities) return own;
  const newest = activities.reduce<number | undefined>((newest, activity) => {
    const date = epochMs(activity.createdDate);
    return date !== undefined && (newest === undefined || date > newest) ? date : newest;
  }, own);
  return sentMs !== undefined && (newest ?? 0) < sentMs ? sentMs + 1 : newest;
}

function refRecord(ref: BitbucketPullRequestRef | null | undefined): RefRecord {
  return fields<RefRecord>({
    id: text(ref?.id),
    displayId: text(ref?.displayId),
    latestCommit: text(ref?.latestCommit),
    repository: ref?.repository ? repositoryRecord(ref.repository) : undefined,
  });
}

function participantRecord(participant: BitbucketParticipant | null | undefined): ParticipantRecord {
  return fields<ParticipantRecord>({
    user: userRecord(participant?.user),
    role: text(participant?.role),
    approved: flag(participant?.approved),
    status: text(participant?.status),
    lastReviewedCommit: text(participant?.lastReviewedCommit),
  });
}

function propertiesRecord(
  properties: BitbucketPullRequestProperties | null | undefined,
): PullRequestPropertiesRecord | undefined {
  if (!properties) return undefined;
  const { mergeResult } = properties;
  return fields<PullRequestPropertiesRecord>({
    mergeResult: mergeResult
      ? fields<NonNullable<PullRequestPropertiesRecord['mergeResult']>>({
          outcome: text(mergeResult.outcome),
          current: flag(mergeResult.current),
        })
      : undefined,
    resolvedTaskCount: wholeNumber(properties.resolvedTaskCount),
    openTaskCount: wholeNumber(properties.openTaskCount),
  });
}

/** Who did what and when. The comment, the place it hangs on and the diff around it stay behind. */
function activityRecord(activity: BitbucketActivity): ActivityRecord {
  return fields<ActivityRecord>({
    id: wholeNumber(activity.id),
    createdDate: epochMs(activity.createdDate),
    user: userRecord(activity.user),
    action: activity.action.toWellFormed(),
    commit: activity.commit ? activityCommitRecord(activity.commit) : undefined,
  });
}

function activityCommitRecord(commit: BitbucketCommit): ActivityCommitRecord {
  return fields<ActivityCommitRecord>({
    id: commit.id,
    displayId: text(commit.displayId),
    author: commit.author ? userRecord(commit.author) : undefined,
    authorTimestamp: epochMs(commit.authorTimestamp),
    committer: commit.committer ? userRecord(commit.committer) : undefined,
    committerTimestamp: epochMs(commit.committerTimestamp),
    message: text(commit.message),
    parents: commit.parents?.map(activityCommitRecord),
  });
}
