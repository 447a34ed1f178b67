import type { Account, Accounts } from './accounts.ts';
import type { Catalogue, Repository } from './catalogue.ts';
import type { Commit } from './commit-graph.ts';
import { parsedPatch } from './comparison.ts';
import { advanceBranch, writeMergeCommit } from './merge-commit.ts';
import type { RepositoryName } from './options.ts';
import type { FileDiff } from './patch.ts';
import {
  type ActivityDetails,
  type Anchor,
  type Comment,
  changeState,
  findComment,
  type Participant,
  type PullRequest,
  reviewerOf,
  revise,
  takePart,
} from './pull-request.ts';

/** Everything may be dated with `at`, epoch milliseconds; otherwise it happens now by the simulator's clock. */
export interface When {
  readonly at?: number;
}

export interface OpenOptions extends When {
  /** A branch, short or in full. */
  readonly from: string;
  /** The default branch when left out. */
  readonly to?: string;
  /** The fork that `from` is in. */
  readonly fork?: RepositoryName;
  readonly title: string;
  readonly description?: string;
  /** Names of users; whoever is not among the known users gets an account made up for them. */
  readonly author: string;
  readonly reviewers?: readonly string[];
}

export interface CommentOptions extends When {
  /** A line of the destination side that the pull request's diff shows. */
  readonly inline?: { readonly path: string; readonly line: number };
}

export interface MergeOptions extends When {
  /** Merged by a plain push that the caller has made: no commit of Bitbucket's own, and none in the activity. */
  readonly remotely?: boolean;
}

/** Plays what people do to the pull requests of one repository. Everything rejects when the id is unknown. */
export class PullRequestPlay {
  readonly #repository: Repository;
  readonly #catalogue: Catalogue;
  readonly #accounts: Accounts;
  readonly #now: () => number;

  constructor(
    repository: Repository,
    world: { catalogue: Catalogue; accounts: Accounts; settings: { now: () => number } },
  ) {
    this.#repository = repository;
    this.#catalogue = world.catalogue;
    this.#accounts = world.accounts;
    this.#now = world.settings.now;
  }

  /** Resolves with the new id. */
  async open(options: OpenOptions): Promise<number> {
    const { git, pullRequests } = this.#repository;
    const id = await pullRequests.reserveId();
    const fork = options.fork && this.#catalogue.find(options.fork.projectKey, options.fork.slug);
    const from = { ref: fullRef(options.from), fork: fork?.id, commit: '' };
    from.commit = await this.#readTip(id, from);
    const toRef = options.to === undefined ? (await git.snapshot()).defaultBranch : fullRef(options.to);
    const at = options.at ?? this.#now();
    const author = this.#accounts.ofName(options.author);
    const reviewers = (options.reviewers ?? []).map((name): Participant => {
      return { user: this.#accounts.ofName(name), status: 'UNAPPROVED', lastReviewedCommit: undefined };
    });
    const pullRequest: PullRequest = {
      id,
      version: 0,
      title: options.title,
      description: options.description,
      state: 'OPEN',
      createdDate: at,
      updatedDate: at,
      closedDate: undefined,
      from,
      to: { ref: toRef, commit: (await this.#tipOf(toRef)).id },
      author,
      reviewers,
      participants: [],
      activities: [],
    };
    this.#record(pullRequest, author, at, { action: 'OPENED' });
    pullRequests.add(pullRequest);
    return id;
  }

  /** Looks where the source branch is now, as Bitbucket does after a push to it. */
  async push(id: number, when: When = {}): Promise<void> {
    const pullRequest = await this.#get(id, 'OPEN');
    const { git } = this.#repository;
    const before = { from: pullRequest.from.commit, to: pullRequest.to.commit };
    const tip = await this.#readTip(id, pullRequest.from);
    if (tip === before.from) return;
    const [now, then, target] = await Promise.all([git.commit(tip), git.commit(before.from), git.commit(before.to)]);
    const rangeWithout = (until: Commit | undefined, other: Commit | undefined) =>
      until ? git.range(until, ...[other, target].filter((commit) => commit !== undefined)) : [];
    const at = when.at ?? this.#now();
    pullRequest.from.commit = tip;
    revise(pullRequest, at);
    this.#record(pullRequest, pullRequest.author, at, {
      action: 'RESCOPED',
      fromHash: tip,
      previousFromHash: before.from,
      toHash: before.to,
      previousToHash: before.to,
      added: rangeWithout(now, then),
      removed: rangeWithout(then, now),
    });
  }

  /** The verdict that somebody has given already is none. */
  async review(id: number, user: string, status: Participant['status'], when: When = {}): Promise<void> {
    const pullRequest = await this.#get(id, 'OPEN');
    const account = this.#accounts.ofName(user);
    const known = pullRequest.reviewers.find((one) => one.user.id === account.id);
    const isOfNow = status === 'UNAPPROVED' || known?.lastReviewedCommit === pullRequest.from.commit;
    if ((known?.status ?? 'UNAPPROVED') === status && isOfNow) return;
    const reviewer = reviewerOf(pullRequest, account);
    reviewer.status = status;
    if (status !== 'UNAPPROVED') reviewer.lastReviewedCommit = pullRequest.from.commit;
    const action = status === 'NEEDS_WORK' ? 'REVIEWED' : status;
    this.#record(pullRequest, account, when.at ?? this.#now(), { action });
  }

  /** Resolves with the id of the comment. */
  async comment(id: number, user: string, text: string, options: CommentOptions = {}): Promise<number> {
    const pullRequest = await this.#get(id);
    const inline = options.inline && (await this.#inline(pullRequest, options.inline));
    const comment = this.#newComment(user, text, options);
    takePart(pullRequest, comment.author);
    this.#record(pullRequest, comment.author, comment.createdDate, { action: 'COMMENTED', comment, inline });
    return comment.id;
  }

  /** Leaves no trace but in the comment it answers. Resolves with its own id. */
  async reply(id: number, commentId: number, user: string, text: string, when: When = {}): Promise<number> {
    const parent = findComment(await this.#get(id), commentId);
    if (!parent) throw new Error(`no comment ${commentId} in pull request ${id}`);
    const comment = this.#newComment(user, text, when);
    parent.replies.push(comment);
    return comment.id;
  }

  async addReviewer(id: number, user: string, when: When = {}): Promise<void> {
    const pullRequest = await this.#get(id, 'OPEN');
    const account = this.#accounts.ofName(user);
    reviewerOf(pullRequest, account);
    const details = { action: 'UPDATED', addedReviewers: [account], removedReviewers: [] } as const;
    this.#record(pullRequest, pullRequest.author, when.at ?? this.#now(), details);
  }

  async removeReviewer(id: number, user: string, when: When = {}): Promise<void> {
    const pullRequest = await this.#get(id, 'OPEN');
    const account = this.#accounts.ofName(user);
    const index = pullRequest.reviewers.findIndex((reviewer) => reviewer.user.id === account.id);
    if (index < 0) throw new Error(`${user} does not review pull request ${id}`);
    pullRequest.reviewers.splice(index, 1);
    const details = { action: 'UPDATED', addedReviewers: [], removedReviewers: [account] } as const;
    this.#record(pullRequest, pullRequest.author, when.at ?? this.#now(), details);
  }

  async editTitle(id: number, title: string, when: When = {}): Promise<void> {
    const pullRequest = await this.#get(id);
    pullRequest.title = title;
    revise(pullRequest, when.at ?? this.#now());
  }

  /** Makes the merge commit in the git repository and resolves with its id; rejects when there is a conflict. */
  async merge(id: number, user: string, options: MergeOptions = {}): Promise<string | undefined> {
    const pullRequest = await this.#get(id, 'OPEN');
    const at = options.at ?? this.#now();
    const account = this.#accounts.ofName(user);
    const commit = options.remotely ? undefined : await this.#mergeCommit(pullRequest, account, at);
    changeState(pullRequest, 'MERGED', at);
    this.#record(pullRequest, account, at, { action: 'MERGED', commit });
    return commit?.id;
  }

  async decline(id: number, user?: string, when: When = {}): Promise<void> {
    const pullRequest = await this.#get(id, 'OPEN');
    const at = when.at ?? this.#now();
    changeState(pullRequest, 'DECLINED', at);
    this.#record(pullRequest, user === undefined ? pullRequest.author : this.#accounts.ofName(user), at, {
      action: 'DECLINED',
    });
  }

  async reopen(id: number, user?: string, when: When = {}): Promise<void> {
    const pullRequest = await this.#get(id, 'DECLINED');
    const at = when.at ?? this.#now();
    changeState(pullRequest, 'OPEN', at);
    this.#record(pullRequest, user === undefined ? pullRequest.author : this.#accounts.ofName(user), at, {
      action: 'REOPENED',
    });
  }

  /** 404 from now on; the id is not given again. */
  async delete(id: number): Promise<void> {
    this.#repository.pullRequests.delete((await this.#get(id)).id);
  }

  async #get(id: number, state?: PullRequest['state']): Promise<PullRequest> {
    const pullRequest = await this.#repository.pullRequests.get(id);
    if (!pullRequest) throw new Error(`no pull request ${id}`);
    if (state && pullRequest.state !== state) throw new Error(`pull request ${id} is ${pullRequest.state}`);
    return pullRequest;
  }

  #record(pullRequest: PullRequest, user: Account, createdDate: number, details: ActivityDetails): void {
    const id = this.#repository.pullRequests.nextActivityId();
    pullRequest.activities.unshift({ ...details, id, createdDate, user });
  }

  #newComment(user: string, text: string, when: When): Comment {
    const id = this.#repository.pullRequests.nextActivityId();
    return { id, text, author: this.#accounts.ofName(user), createdDate: when.at ?? this.#now(), replies: [] };
  }

  /** Keeps the source alive under a ref of its own, as Bitbucket does, and brings it over when it is in a fork. */
  async #readTip(id: number, from: { ref: string; fork: number | undefined }): Promise<string> {
    const { git, gitDir } = this.#repository.git;
    const kept = `refs/pull-requests/${id}/from`;
    if (from.fork !== undefined) {
      const fork = this.#catalogue.withId(from.fork).git.gitDir;
      await git.capture(gitDir, [
        'fetch',
        '--quiet',
        '--no-tags',
        '--no-write-fetch-head',
        fork,
        `+${from.ref}:${kept}`,
      ]);
      return (await this.#tipOf(kept)).id;
    }
    const tip = (await this.#tipOf(from.ref)).id;
    await git.capture(gitDir, ['update-ref', kept, tip]);
    return tip;
  }

  async #tipOf(ref: string): Promise<Commit> {
    const commit = await this.#repository.git.resolve(ref);
    if (!commit) throw new Error(`no ${ref} in ${this.#repository.project.key}/${this.#repository.slug}`);
    return commit;
  }

  async #mergeCommit(pullRequest: PullRequest, user: Account, at: number): Promise<Commit> {
    const { git, project, slug, pullRequests } = this.#repository;
    const target = await this.#tipOf(pullRequest.to.ref);
    const source = await this.#tipOf(pullRequest.from.commit);
    const [from, to] = [pullRequest.from.ref, pullRequest.to.ref].map((ref) => ref.replace('refs/heads/', ''));
    const list = git.range(source, target).map((commit) => `  ${commit.message.split('\n')[0]}`);
    const message = `Pull request #${pullRequest.id}: ${pullRequest.title}\n\nMerge in ${project.key}/${slug} from ${from} to ${to}\n\n* commit '${source.id}':\n${list.join('\n')}\n`;
    const id = await writeMergeCommit(git, { target, source, message, user, at });
    pullRequests.claimMerge(id);
    await advanceBranch(git, pullRequest.to.ref, id, target.id);
    pullRequest.to.commit = target.id;
    return this.#tipOf(id);
  }

  async #inline(
    pullRequest: PullRequest,
    place: { path: string; line: number },
  ): Promise<{ anchor: Anchor; diff: FileDiff }> {
    const [until, since] = await Promise.all([
      this.#tipOf(pullRequest.from.commit),
      this.#tipOf(pullRequest.to.commit),
    ]);
    const comparison = { since, until, fromMergeBase: true, path: place.path };
    const patch = await parsedPatch(this.#repository.git, comparison, { contextLines: 10, maxLines: 10_000 });
    const segments = patch.diffs.flatMap((diff) => diff.hunks.flatMap((hunk) => hunk.segments));
    const segment = segments.find(
      (one) => one.type !== 'REMOVED' && one.lines.some((line) => line.destination === place.line),
    );
    const diff = patch.diffs[0];
    if (!diff || !segment) throw new Error(`line ${place.line} of ${place.path} is not in the pull request's diff`);
    const range = { fromHash: since.id, toHash: until.id };
    return { anchor: { ...range, ...place, lineType: segment.type, fileType: 'TO' }, diff };
  }
}

function fullRef(branch: string): string {
  return branch.startsWith('refs/') ? branch : `refs/heads/${branch}`;
}
