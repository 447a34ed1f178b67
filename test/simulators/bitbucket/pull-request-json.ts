import type { Catalogue, Repository } from './catalogue.ts';
import { versionAtLeast } from './options.ts';
import { type Activity, type Comment, commentCount, type Participant, type PullRequest } from './pull-request.ts';
import { type JsonObject, type Representation, refName, repositoryPath } from './representation.ts';

/** How a pull request and its activities look. */
export class PullRequestRepresentation {
  readonly #representation: Representation;
  readonly #catalogue: Catalogue;
  readonly #version: string;

  constructor(representation: Representation, catalogue: Catalogue, version: string) {
    this.#representation = representation;
    this.#catalogue = catalogue;
    this.#version = version;
  }

  pullRequest(pullRequest: PullRequest, target: Repository, withProperties: boolean): JsonObject {
    const { from, to, author, state, id } = pullRequest;
    const source = from.fork === undefined ? target : this.#catalogue.withId(from.fork);
    const properties = {
      ...(state === 'OPEN' ? { mergeResult: { outcome: 'CLEAN', current: true } } : {}),
      resolvedTaskCount: 0,
      commentCount: commentCount(pullRequest) || undefined,
      openTaskCount: 0,
    };
    return {
      id,
      version: pullRequest.version,
      title: pullRequest.title,
      description: pullRequest.description,
      state,
      open: state === 'OPEN',
      closed: state !== 'OPEN',
      draft: versionAtLeast(this.#version, 8, 18) ? false : undefined,
      createdDate: pullRequest.createdDate,
      updatedDate: pullRequest.updatedDate,
      closedDate: pullRequest.closedDate,
      fromRef: this.#ref(from.ref, from.commit, source),
      toRef: this.#ref(to.ref, to.commit, target),
      locked: false,
      author: {
        user: this.#representation.user(author),
        role: 'AUTHOR',
        approved: false,
        status: 'UNAPPROVED',
      },
      reviewers: pullRequest.reviewers.map((reviewer) => this.#participant(reviewer, 'REVIEWER')),
      participants: pullRequest.participants.map((participant) => this.#participant(participant, 'PARTICIPANT')),
      properties: withProperties ? properties : undefined,
      links: { self: [{ href: `${this.#representation.baseUrl}${repositoryPath(target)}/pull-requests/${id}` }] },
    };
  }

  activity(activity: Activity, repository: Repository): JsonObject {
    const { id, createdDate, action } = activity;
    return {
      id,
      createdDate,
      user: this.#representation.user(activity.user),
      action,
      ...this.#details(activity, repository),
    };
  }

  #details(activity: Activity, repository: Repository): JsonObject {
    const json = this.#representation;
    switch (activity.action) {
      case 'UPDATED':
        return {
          addedReviewers: activity.addedReviewers.map((user) => json.user(user)),
          removedReviewers: activity.removedReviewers.map((user) => json.user(user)),
        };
      case 'RESCOPED':
        return {
          fromHash: activity.fromHash,
          previousFromHash: activity.previousFromHash,
          previousToHash: activity.previousToHash,
          toHash: activity.toHash,
          added: { commits: activity.added.map((commit) => json.commit(commit)), total: activity.added.length },
          removed: { commits: activity.removed.map((commit) => json.commit(commit)), total: activity.removed.length },
        };
      case 'MERGED':
        return { commit: activity.commit && json.commitWithParents(activity.commit) };
      case 'COMMENTED':
        return {
          commentAction: 'ADDED',
          comment: this.#comment(activity.comment, repository),
          ...this.#inline(activity),
        };
      default:
        return {};
    }
  }

  #inline(activity: Activity & { action: 'COMMENTED' }): JsonObject {
    if (!activity.inline) return {};
    const { anchor, diff } = activity.inline;
    return {
      commentAnchor: { ...anchor, diffType: 'EFFECTIVE', orphaned: false },
      diff: {
        ...this.#representation.diff(diff),
        properties: { toHash: anchor.toHash, current: true, fromHash: anchor.fromHash },
      },
    };
  }

  #comment(comment: Comment, repository: Repository): JsonObject {
    const { id, text, createdDate } = comment;
    return {
      properties: { repositoryId: repository.id },
      id,
      version: 0,
      text,
      author: this.#representation.user(comment.author),
      createdDate,
      updatedDate: createdDate,
      comments: comment.replies.map((reply) => this.#comment(reply, repository)),
      ...(versionAtLeast(this.#version, 7, 2)
        ? { threadResolved: false, severity: 'NORMAL', state: 'OPEN' }
        : { tasks: [] }),
      permittedOperations: { editable: false, transitionable: true, deletable: false },
    };
  }

  #ref(ref: string, latestCommit: string, repository: Repository): JsonObject {
    return { ...refName(ref), latestCommit, type: 'BRANCH', repository: this.#representation.repository(repository) };
  }

  #participant(participant: Participant, role: 'REVIEWER' | 'PARTICIPANT'): JsonObject {
    const { lastReviewedCommit, status } = participant;
    const user = this.#representation.user(participant.user);
    return { user, lastReviewedCommit, role, approved: status === 'APPROVED', status };
  }
}
