import type { RepositoryOptions } from '../simulators/bitbucket/options.ts';
import type { PullRequestPlay } from '../simulators/bitbucket/pull-request-play.ts';
import { type ScratchCommit, ScratchRepository } from '../simulators/bitbucket/scratch-repository.ts';
import type { BitbucketSimulator } from '../simulators/bitbucket/simulator.ts';
import { type Random, seededRandom } from '../simulators/git/random.ts';

const names = ['ada', 'grace', 'edsger', 'barbara'];

/** What the next scan has to bring, whatever happened before. */
export interface Fresh {
  readonly slug: string;
  readonly commitId: string;
  readonly pullRequestId: number;
  readonly reviewer: string;
}

/**
 * What people do to the repositories between two scans: commits, late merges, pull requests and all that happens to them.
 * With a clock of its own that stands still otherwise, the same seed gives the same deeds, dates and ids; without one,
 * everything happens now.
 */
export class People {
  readonly #bitbucket: BitbucketSimulator;
  readonly #repositories: readonly RepositoryOptions[];
  readonly #random: Random;
  readonly #isNow: boolean;
  #atMs = Date.UTC(2026, 0, 1);
  #deeds = 0;
  /** Open pull requests by slug. */
  readonly #open = new Map<string, number[]>();

  constructor(
    bitbucket: BitbucketSimulator,
    repositories: readonly RepositoryOptions[],
    options: { readonly seed: number; readonly now?: boolean },
  ) {
    this.#bitbucket = bitbucket;
    this.#repositories = repositories;
    this.#random = seededRandom(options.seed);
    this.#isNow = options.now ?? false;
  }

  /** Pull requests that are open when the first scan comes, reviewed and commented on. */
  async begin(): Promise<void> {
    for (const repository of this.#alive()) {
      for (let count = 0; count < 2; count++) {
        const id = await this.#openPullRequest(repository);
        await this.#discuss(repository, id);
      }
    }
  }

  /** Something new in every repository, or in one. */
  async work(slug?: string): Promise<void> {
    for (const repository of this.#alive()) {
      if (slug === undefined || repository.slug === slug) await this.#workOn(repository);
    }
  }

  /** A new pull request; resolves with its id. */
  async open(slug: string): Promise<number> {
    return this.#openPullRequest(this.#named(slug));
  }

  /** A commit on the default branch that was made an hour ago. */
  async pushLate(slug: string): Promise<string> {
    const seconds = Math.floor(Date.now() / 1000) - 3600;
    return this.#commit(this.#named(slug), 'main', { at: seconds });
  }

  /** One commit and one review. */
  async fresh(): Promise<Fresh> {
    const repository = this.#random.pick(this.#alive());
    const id = this.#open.get(repository.slug)?.[0] ?? (await this.#openPullRequest(repository));
    const commitId = await this.#commit(repository, 'main');
    const reviewer = `reviewer-${++this.#deeds}`;
    await this.#play(repository).review(id, reviewer, 'APPROVED', this.#when());
    return { slug: repository.slug, commitId, pullRequestId: id, reviewer };
  }

  async #workOn(repository: RepositoryOptions): Promise<void> {
    for (let left = 1 + this.#random.below(3); left > 0; left--) await this.#commit(repository, 'main');
    if (this.#random.below(2) === 0) await this.#mergeLate(repository);
    if (this.#random.below(2) === 0) await this.#openPullRequest(repository);
    for (const id of [...(this.#open.get(repository.slug) ?? [])]) await this.#moveOn(repository, id);
    await this.openAndClose(repository.slug, this.#random.below(4));
  }

  /** Pull requests that no scan sees open. */
  async openAndClose(slug: string, count: number): Promise<void> {
    for (let left = count; left > 0; left--) await this.#openAndClose(this.#named(slug));
  }

  async #openAndClose(repository: RepositoryOptions): Promise<void> {
    const id = await this.#openPullRequest(repository);
    const play = this.#play(repository);
    const name = this.#random.pick(names);
    if (this.#random.below(3) === 0) await play.decline(id, name, this.#when());
    else await play.merge(id, name, this.#when());
    this.#close(repository, id);
  }

  async #mergeLate(repository: RepositoryOptions): Promise<void> {
    const scratch = new ScratchRepository(repository.gitDir);
    const branch = `late/${++this.#deeds}`;
    const at = Math.floor(Date.UTC(2024, 0, 1) / 1000) + this.#deeds;
    const file = `${branch}.txt`;
    await scratch.commit({ branch, from: 'main', at, files: { [file]: this.#text() } });
    const { seconds } = this.#moment();
    await scratch.commit({
      branch: 'main',
      merge: [branch],
      at: seconds,
      files: { [`${branch}-merge.txt`]: this.#text() },
    });
    await scratch.git('update-ref', '-d', `refs/heads/${branch}`);
  }

  async #openPullRequest(repository: RepositoryOptions): Promise<number> {
    const branch = `feature/${++this.#deeds}`;
    await this.#commit(repository, branch, { from: 'main' });
    const id = await this.#play(repository).open({
      from: branch,
      title: `${this.#random.words(3)} ${branch}`,
      author: this.#random.pick(names),
      reviewers: [this.#random.pick(names)],
      ...this.#when(),
    });
    this.#open.set(repository.slug, [...(this.#open.get(repository.slug) ?? []), id]);
    return id;
  }

  async #discuss(repository: RepositoryOptions, id: number): Promise<void> {
    const play = this.#play(repository);
    await play.review(id, this.#random.pick(names), this.#random.pick(['APPROVED', 'NEEDS_WORK']), this.#when());
    await play.comment(id, this.#random.pick(names), this.#random.words(4), this.#when());
  }

  async #moveOn(repository: RepositoryOptions, id: number): Promise<void> {
    const play = this.#play(repository);
    const name = this.#random.pick(names);
    switch (this.#random.below(8)) {
      case 0:
        await play.merge(id, name, this.#when());
        return this.#close(repository, id);
      case 1:
        await play.decline(id, name, this.#when());
        return this.#close(repository, id);
      case 2:
        return play.addReviewer(id, `reviewer-${++this.#deeds}`, this.#when());
      case 3:
        return play.editTitle(id, this.#random.words(5), this.#when());
      case 4:
        await this.#discuss(repository, id);
        return;
      case 5:
        return play.review(id, name, 'UNAPPROVED', this.#when());
      default:
        return;
    }
  }

  #close(repository: RepositoryOptions, id: number): void {
    const open = this.#open.get(repository.slug) ?? [];
    this.#open.set(
      repository.slug,
      open.filter((one) => one !== id),
    );
  }

  async #commit(
    { gitDir }: RepositoryOptions,
    branch: string,
    more: Pick<ScratchCommit, 'from' | 'at'> = {},
  ): Promise<string> {
    const at = this.#moment().seconds;
    const file = `${branch}/file-${++this.#deeds}.txt`;
    const message = `${this.#random.words(4)}\n`;
    const commit = { branch, at, message, files: { [file]: this.#text() }, ...more };
    const [id = ''] = await new ScratchRepository(gitDir).commit(commit);
    return id;
  }

  #text(): string {
    return Array.from({ length: 1 + this.#random.below(20) }, () => `${this.#random.words(5)}\n`).join('');
  }

  /** Later than everything before: SEI takes a pull request again only when its date is newer. */
  #moment(): { readonly ms: number; readonly seconds: number } {
    this.#atMs = this.#isNow ? Math.max(Date.now(), this.#atMs + 1) : this.#atMs + 60_000;
    return { ms: this.#atMs, seconds: Math.floor(this.#atMs / 1000) };
  }

  #when(): { readonly at: number } {
    return { at: this.#moment().ms };
  }

  #play({ projectKey, slug }: RepositoryOptions): PullRequestPlay {
    return this.#bitbucket.pullRequests(projectKey, slug);
  }

  #named(slug: string): RepositoryOptions {
    const repository = this.#repositories.find((one) => one.slug === slug);
    if (repository === undefined) throw new Error(`there is no ${slug}`);
    return repository;
  }

  /** An empty repository stays empty. */
  #alive(): RepositoryOptions[] {
    return this.#repositories.filter(({ slug }) => slug !== 'void');
  }
}
