import type { Accounts } from './accounts.ts';
import { derivedPullRequest, mergesOnFirstParentLine } from './derived-pull-requests.ts';
import type { GitRepository, Snapshot } from './git-repository.ts';
import type { PullRequest } from './pull-request.ts';

/** The pull requests into one repository, by id: those derived from its history and those that a test plays. */
export class PullRequestBook {
  readonly #git: GitRepository;
  readonly #accounts: Accounts;
  readonly #derive: boolean;
  /** Activity ids are unique in the whole server: each book counts in a range of its own. */
  #nextActivityId: number;
  readonly #byId = new Map<number, PullRequest>();
  readonly #knownMerges = new Set<string>();
  #nextId = 1;
  #lookedAt: string | undefined;

  constructor(git: GitRepository, accounts: Accounts, options: { derive: boolean; firstActivityId: number }) {
    this.#git = git;
    this.#accounts = accounts;
    this.#derive = options.derive;
    this.#nextActivityId = options.firstActivityId;
  }

  /** In order of id. The target of an open pull request is wherever its branch is now. */
  async list(): Promise<PullRequest[]> {
    const snapshot = await this.#git.snapshot();
    if (this.#derive) this.#deriveFrom(snapshot);
    const all = [...this.#byId.values()];
    for (const { state, to } of all) if (state === 'OPEN') to.commit = snapshot.commitOf.get(to.ref) ?? to.commit;
    return all;
  }

  async get(id: number): Promise<PullRequest | undefined> {
    return (await this.list()).find((pullRequest) => pullRequest.id === id);
  }

  /** Ids are never given twice: one that was deleted leaves a gap. */
  async reserveId(): Promise<number> {
    await this.list();
    this.#nextId += 1;
    return this.#nextId - 1;
  }

  nextActivityId(): number {
    this.#nextActivityId += 1;
    return this.#nextActivityId - 1;
  }

  add(pullRequest: PullRequest): void {
    this.#byId.set(pullRequest.id, pullRequest);
  }

  delete(id: number): void {
    this.#byId.delete(id);
  }

  /** A merge that a pull request was played for is no reason to derive another one. */
  claimMerge(commitId: string): void {
    this.#knownMerges.add(commitId);
  }

  #deriveFrom(snapshot: Snapshot): void {
    const tip = snapshot.defaultTip;
    if (!tip || tip.id === this.#lookedAt) return;
    this.#lookedAt = tip.id;
    const { known } = this.#accounts;
    const merges = mergesOnFirstParentLine(tip);
    const authors = merges.map((merge) => this.#accounts.ofPerson(merge.source.author));
    const approvers = known.length > 0 ? known : [...new Map(authors.map((author) => [author.id, author])).values()];
    // The merge of a pull request that is played, pushed before the pull request is said to be merged.
    const played = new Set(
      [...this.#byId.values()].filter((one) => one.state === 'OPEN').map((one) => one.from.commit),
    );
    for (const merge of merges) {
      if (this.#knownMerges.has(merge.commit.id)) continue;
      this.#knownMerges.add(merge.commit.id);
      if (played.has(merge.source.id)) continue;
      const pullRequest = derivedPullRequest(merge, {
        id: this.#nextId,
        targetRef: snapshot.defaultBranch,
        accounts: this.#accounts,
        approvers,
        firstActivityId: this.#nextActivityId,
      });
      this.#nextId += 1;
      this.#nextActivityId += pullRequest.activities.length;
      this.add(pullRequest);
    }
  }
}
