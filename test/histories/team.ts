import { cp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { PullRequestPlay } from '../simulators/bitbucket/pull-request-play.ts';
import { type ScratchCommit, ScratchRepository } from '../simulators/bitbucket/scratch-repository.ts';
import type { BitbucketSimulator } from '../simulators/bitbucket/simulator.ts';
import type { Deed, DeedName } from './history.ts';

const people = ['ada', 'grace', 'edsger'];
const secondMs = 1_000;
const hourMs = 3_600 * secondMs;
const passes = [secondMs, 60 * secondMs, hourMs, 26 * hourMs];
const oldBy = [2 * hourMs, 24 * 30 * hourMs];

export interface PlayedPullRequest {
  readonly id: number;
  readonly branch: string;
  readonly target: string;
  readonly forkOf: TeamRepository | undefined;
  state: 'OPEN' | 'MERGED' | 'DECLINED';
  /** Something was done to it while SEI had it as closed, so a list by creation does not show it on top. */
  isClosedSinceScan: boolean;
  mayBeOverlooked: boolean;
  /** The target was rewritten since the last change that SEI can see: its commits are others now, its date is not. */
  hasMovedTarget: boolean;
  /** What was done last may have left the list as it was when it was read. */
  mayLookUnchanged: boolean;
  /** By who gave it; with the number of pushes that it is about. */
  readonly verdicts: Map<string, string>;
  pushes: number;
  comments: number[];
}

export interface TeamRepository {
  id: number;
  projectKey: string;
  slug: string;
  readonly gitDir: string;
  head: string;
  readonly branches: Set<string>;
  readonly pullRequests: PlayedPullRequest[];
  /** Undoes the hiding; undefined: visible. */
  show: (() => void) | undefined;
  isArchived: boolean;
  /** What no branch reaches any more was thrown away since the last scan. */
  wasCollected: boolean;
}

/**
 * People at work on all the repositories of a simulated Bitbucket, with a clock of their own that stands still between
 * their deeds. A deed that makes no sense at the time (no open pull request to merge) is left out.
 */
export class Team {
  readonly repositories: TeamRepository[] = [];
  readonly deletedNames: { readonly projectKey: string; readonly slug: string; readonly gitDir: string }[] = [];
  /** Every commit that there ever was. */
  readonly everCommits = new Set<string>();
  nowMs = Date.UTC(2026, 0, 1);
  readonly #bitbucket: BitbucketSimulator;
  readonly #folder: string;
  #names = 0;

  constructor(bitbucket: BitbucketSimulator, folder: string) {
    this.#bitbucket = bitbucket;
    this.#folder = folder;
  }

  pass(ms = secondMs): void {
    this.nowMs += ms;
  }

  /** One with a little history, an empty one and a personal one; the clock then stands at the first scan. */
  async begin(): Promise<void> {
    const ledger = await this.#add('PAY', `r${++this.#names}`);
    await this.#commit(ledger, 'main');
    await this.#commit(ledger, 'main');
    await this.#add('WEB', `r${++this.#names}`);
    await this.#commit(await this.#add('~ada', `r${++this.#names}`), 'main');
    await this.#open(ledger);
  }

  async do({ deed, where, which, how }: Deed): Promise<void> {
    this.pass(passes[how % passes.length]);
    const repository = pick(this.repositories, where);
    if (repository !== undefined || deed === 'create')
      await this.#deeds[deed](repository as TeamRepository, which, how);
  }

  /** What SEI has from now on is known to be closed or open. */
  noteScan(): void {
    for (const { pullRequests } of this.repositories) {
      for (const one of pullRequests) one.isClosedSinceScan = one.state !== 'OPEN';
    }
  }

  readonly #deeds: Record<DeedName, (repository: TeamRepository, which: number, how: number) => Promise<unknown>> = {
    commit: (it) => this.#commit(it, it.head),
    commitLate: (it, _which, how) => this.#commit(it, it.head, { at: this.#oldSeconds(how) }),
    mergeLate: async (it, which, how) => {
      if (!it.branches.has(it.head)) return;
      const side = `side-${++this.#names}`;
      const from = (await this.#ancestor(it, it.head, which % 3)) ?? it.head;
      await this.#commit(it, side, { from, at: this.#oldSeconds(how) });
      await this.#commit(it, it.head, { merge: [side] });
      await this.#drop(it, side);
    },
    rewrite: async (it, which, how) => {
      if (!it.branches.has(it.head)) return;
      const from = (await this.#ancestor(it, it.head, 1 + (which % 3))) ?? null;
      const at = how % 3 === 2 ? { at: this.#oldSeconds(how) } : {};
      await this.#commit(it, it.head, { from, ...at });
      this.#noteMovedTarget(it, it.head);
      if (how % 2 === 1) await this.#collect(it);
    },
    switchDefault: async (it, which) => {
      const branch = pick([...it.branches], which);
      if (branch === undefined) return;
      await this.#scratch(it).git('symbolic-ref', 'HEAD', `refs/heads/${branch}`);
      it.head = branch;
    },
    addBranch: async (it, which, how) => {
      if (!it.branches.has(it.head)) return;
      const at = which % 2 === 1 ? { at: this.#oldSeconds(how) } : {};
      await this.#commit(it, `${how % 2 === 0 ? 'feature' : 'topic'}/${++this.#names}`, { from: it.head, ...at });
    },
    commitToBranch: (it, which) => this.#onBranch(it, which, (branch) => this.#commit(it, branch)),
    catchUp: (it, which) => this.#onBranch(it, which, (branch) => this.#commit(it, branch, { merge: [it.head] })),
    rewriteBranch: (it, which, how) =>
      this.#onBranch(it, which, async (branch) => {
        await this.#commit(it, branch, { from: it.head, at: this.#oldSeconds(how) });
        this.#noteMovedTarget(it, branch);
        if (how % 2 === 1) await this.#collect(it);
      }),
    deleteBranch: (it, which, how) =>
      this.#onBranch(it, which, async (branch) => {
        await this.#drop(it, branch);
        if (how % 2 === 1) await this.#collect(it);
      }),
    rename: async (it) => this.#rename(it, it.projectKey, `r${++this.#names}`),
    move: async (it, which) => this.#rename(it, pick(['PAY', 'WEB', 'OPS', '~grace'], which) ?? 'PAY', it.slug),
    create: async (_it, which, how) => {
      if (this.repositories.length >= 6) return;
      const made = await this.#add(pick(['PAY', '~ada', 'NEW'], which) ?? 'PAY', `r${++this.#names}`);
      for (let left = how % 3; left > 0; left--) await this.#commit(made, 'main', { at: this.#oldSeconds(how) });
    },
    fork: async (it) => {
      if (this.repositories.length < 6) await this.#fork(it);
    },
    delete: async (it) => {
      if (this.repositories.length < 2) return;
      it.show?.();
      this.#bitbucket.deleteRepository(it.projectKey, it.slug);
      this.repositories.splice(this.repositories.indexOf(it), 1);
      this.deletedNames.push({ projectKey: it.projectKey, slug: it.slug, gitDir: it.gitDir });
    },
    recreate: async (_it, which, how) => {
      const [gone] = this.deletedNames.splice(which % Math.max(1, this.deletedNames.length), 1);
      if (gone === undefined) return;
      const made = await this.#add(gone.projectKey, gone.slug, how % 2 === 1 ? gone.gitDir : undefined);
      if (how % 4 === 0) await this.#commit(made, 'main');
    },
    archive: async (it) => {
      it.isArchived = !it.isArchived;
      this.#bitbucket.archiveRepository(it.projectKey, it.slug, it.isArchived);
    },
    hide: async (it, which, how) => {
      if (it.show !== undefined) return;
      const kind = (['gone404', 'permission401', 'scope403'] as const)[which % 3] ?? 'gone404';
      const undo = this.#bitbucket.refuseRepository(it.projectKey, it.slug, kind, { listed: how % 2 === 1 });
      it.show = () => {
        undo();
        it.show = undefined;
      };
    },
    show: async () => {
      for (const one of this.repositories) one.show?.();
    },
    open: (it) => this.#open(it),
    openFromFork: async (it) => {
      const fork = this.repositories.find((one) => one !== it && one.branches.has(it.head) && it.branches.has(it.head));
      if (fork !== undefined) await this.#open(it, fork);
    },
    openAndMerge: async (it) => {
      const opened = await this.#open(it);
      if (opened !== undefined) await this.#merge(it, opened);
    },
    approve: (it, which, how) => this.#review(it, which, how, 'APPROVED'),
    needsWork: (it, which, how) => this.#review(it, which, how, 'NEEDS_WORK'),
    unapprove: (it, which, how) => this.#review(it, which, how, 'UNAPPROVED'),
    comment: async (it, which, how) => {
      const one = pick(it.pullRequests, which);
      if (one === undefined) return;
      one.comments.push(await this.#play(it).comment(one.id, pick(people, how) ?? '', 'words', this.#when()));
      if (one.state === 'OPEN') one.hasMovedTarget = false;
    },
    /** Leaves no trace that a record could show: it is in no list of Bitbucket's and in no field of SEI's. */
    reply: async (it, which, how) => {
      const one = pick(it.pullRequests, which);
      const comment = one?.comments[0];
      if (one !== undefined && comment !== undefined) {
        await this.#play(it).reply(one.id, comment, pick(people, how) ?? '', 'words', this.#when());
      }
    },
    addReviewer: (it, which, how) =>
      this.#onOpen(it, which, how, (id) => this.#play(it).addReviewer(id, `reviewer-${++this.#names}`, this.#when())),
    removeReviewer: (it, which, how) =>
      this.#onOpen(it, which, how, async (id, who, one) => {
        try {
          await this.#play(it).removeReviewer(id, who, this.#when());
        } catch {
          return false;
        }
        one.verdicts.delete(who);
        return true;
      }),
    editTitle: async (it, which) => {
      const one = pick(it.pullRequests, which);
      if (one === undefined) return;
      await this.#play(it).editTitle(one.id, `title ${++this.#names}`, this.#when());
      this.#noteChange(one);
    },
    push: (it, which, how) =>
      this.#onOpen(it, which, how, async (id, _who, one) => {
        const source = one.forkOf ?? it;
        if (!source.branches.has(one.branch) || (one.forkOf && !this.repositories.includes(one.forkOf))) return false;
        await this.#commit(source, one.branch);
        await this.#play(it).push(id, this.#when());
        one.pushes++;
        return true;
      }),
    merge: (it, which, how) => this.#onOpen(it, which, how, (_id, _who, one) => this.#merge(it, one)),
    decline: (it, which, how) =>
      this.#onOpen(it, which, how, async (id, who, one) => {
        await this.#play(it).decline(id, who, this.#when());
        one.state = 'DECLINED';
      }),
    reopen: async (it, which) => {
      const one = pick(
        it.pullRequests.filter(({ state }) => state === 'DECLINED'),
        which,
      );
      if (one === undefined) return;
      await this.#play(it).reopen(one.id, 'ada', this.#when());
      one.state = 'OPEN';
      this.#noteChange(one);
    },
    deletePullRequest: async (it, which) => {
      const one = pick(it.pullRequests, which);
      if (one === undefined) return;
      await this.#play(it).delete(one.id);
      it.pullRequests.splice(it.pullRequests.indexOf(one), 1);
    },
  };

  async #add(projectKey: string, slug: string, copyOf?: string): Promise<TeamRepository> {
    const gitDir = join(this.#folder, `${++this.#names}.git`);
    if (copyOf === undefined) await ScratchRepository.create(gitDir);
    else await cp(copyOf, gitDir, { recursive: true });
    const scratch = new ScratchRepository(gitDir);
    // What its pull requests kept alive stays behind.
    for (const ref of (await scratch.git('for-each-ref', '--format=%(refname)', 'refs/pull-requests')).split('\n')) {
      if (ref !== '') await scratch.git('update-ref', '-d', ref);
    }
    const branches = (await scratch.git('for-each-ref', '--format=%(refname:lstrip=2)', 'refs/heads')).split('\n');
    const head = (await scratch.git('symbolic-ref', 'HEAD')).replace('refs/heads/', '');
    const repository: TeamRepository = {
      id: await this.#bitbucket.addRepository({ projectKey, slug, gitDir }),
      projectKey,
      slug,
      gitDir,
      head,
      branches: new Set(branches.filter((name) => name !== '')),
      pullRequests: [],
      show: undefined,
      isArchived: false,
      wasCollected: false,
    };
    this.repositories.push(repository);
    return repository;
  }

  #rename(it: TeamRepository, projectKey: string, slug: string): void {
    if (projectKey.toUpperCase() === it.projectKey.toUpperCase() && slug === it.slug) return;
    this.#bitbucket.renameRepository(it.projectKey, it.slug, projectKey, slug);
    it.projectKey = projectKey;
    it.slug = slug;
  }

  async #fork(it: TeamRepository): Promise<TeamRepository> {
    return this.#add('~ada', `r${++this.#names}`, it.gitDir);
  }

  async #open(it: TeamRepository, fork?: TeamRepository): Promise<PlayedPullRequest | undefined> {
    if (!it.branches.has(it.head)) return undefined;
    const source = fork ?? it;
    const branch = `feature/${++this.#names}`;
    await this.#commit(source, branch, { from: source.head });
    this.pass();
    const id = await this.#play(it).open({
      from: branch,
      title: `title ${++this.#names}`,
      author: 'ada',
      reviewers: ['grace'],
      ...(fork === undefined ? {} : { fork: { projectKey: fork.projectKey, slug: fork.slug } }),
      ...this.#when(),
    });
    const opened: PlayedPullRequest = {
      id,
      branch,
      target: it.head,
      forkOf: fork,
      state: 'OPEN',
      isClosedSinceScan: false,
      mayBeOverlooked: false,
      hasMovedTarget: false,
      mayLookUnchanged: false,
      verdicts: new Map(),
      pushes: 0,
      comments: [],
    };
    it.pullRequests.push(opened);
    return opened;
  }

  async #merge(it: TeamRepository, one: PlayedPullRequest): Promise<boolean> {
    if (!it.branches.has(one.target)) return false;
    this.pass();
    const id = await this.#play(it).merge(one.id, 'grace', this.#when());
    if (id !== undefined) this.everCommits.add(id);
    one.state = 'MERGED';
    // Others may have had commits in common with it.
    this.#noteMovedTarget(it, one.target);
    return true;
  }

  async #onOpen(
    it: TeamRepository,
    which: number,
    how: number,
    act: (id: number, who: string, one: PlayedPullRequest) => Promise<unknown>,
  ): Promise<void> {
    const one = pick(
      it.pullRequests.filter(({ state }) => state === 'OPEN'),
      which,
    );
    if (one === undefined) return;
    if ((await act(one.id, pick(people, how) ?? '', one)) !== false) this.#noteChange(one);
  }

  /** A verdict that is taken back before the next scan leaves a list as it was: that scan need not see it. */
  async #review(it: TeamRepository, which: number, how: number, status: 'APPROVED' | 'NEEDS_WORK' | 'UNAPPROVED') {
    let mayLookUnchanged = false;
    let reviewed: PlayedPullRequest | undefined;
    await this.#onOpen(it, which, how, async (id, who, one) => {
      const verdict = status === 'UNAPPROVED' ? status : `${status} ${one.pushes}`;
      if ((one.verdicts.get(who) ?? 'UNAPPROVED') === verdict) return false;
      mayLookUnchanged = one.mayLookUnchanged || one.verdicts.has(who);
      reviewed = one;
      one.verdicts.set(who, verdict);
      await this.#play(it).review(id, who, status, this.#when());
      return true;
    });
    if (reviewed !== undefined) reviewed.mayLookUnchanged = mayLookUnchanged;
  }

  /** All but a reply show in what SEI gets, with a newer date. */
  #noteChange(one: PlayedPullRequest): void {
    one.hasMovedTarget = false;
    one.mayLookUnchanged = false;
    if (one.isClosedSinceScan) one.mayBeOverlooked = true;
  }

  #noteMovedTarget(it: TeamRepository, branch: string): void {
    for (const one of it.pullRequests) if (one.target === branch && one.state === 'OPEN') one.hasMovedTarget = true;
  }

  async #onBranch(it: TeamRepository, which: number, act: (branch: string) => Promise<unknown>): Promise<void> {
    const branch = pick(
      [...it.branches].filter((name) => name !== it.head),
      which,
    );
    if (branch !== undefined && it.branches.has(it.head)) await act(branch);
  }

  async #commit(it: TeamRepository, branch: string, more: Partial<ScratchCommit> = {}): Promise<void> {
    const number = ++this.#names;
    const [id = ''] = await this.#scratch(it).commit({
      branch,
      at: Math.floor(this.nowMs / secondMs),
      message: `commit ${number}\n`,
      files: { [`file-${number}.txt`]: 'line\n'.repeat(1 + (number % 3)) },
      ...more,
    });
    it.branches.add(branch);
    this.everCommits.add(id);
    if (more.from === undefined && more.merge === undefined) return;
    // A merge into the target may take commits of an open pull request's source along.
    if (more.merge !== undefined) this.#noteMovedTarget(it, branch);
  }

  async #ancestor(it: TeamRepository, branch: string, generations: number): Promise<string | undefined> {
    const ids = await this.#scratch(it).git('rev-list', '--first-parent', `refs/heads/${branch}`);
    return ids.split('\n')[generations];
  }

  async #drop(it: TeamRepository, branch: string): Promise<void> {
    await this.#scratch(it).git('update-ref', '-d', `refs/heads/${branch}`);
    it.branches.delete(branch);
  }

  async #collect(it: TeamRepository): Promise<void> {
    await this.#scratch(it).git('reflog', 'expire', '--expire=now', '--all');
    it.wasCollected = true;
    await this.#scratch(it).git('gc', '--prune=now', '--quiet');
  }

  #scratch(it: TeamRepository): ScratchRepository {
    return new ScratchRepository(it.gitDir);
  }

  #play({ projectKey, slug }: TeamRepository): PullRequestPlay {
    return this.#bitbucket.pullRequests(projectKey, slug);
  }

  #oldSeconds(how: number): number {
    return Math.floor((this.nowMs - (oldBy[how % oldBy.length] ?? 0)) / secondMs);
  }

  #when(): { readonly at: number } {
    this.pass();
    return { at: this.nowMs };
  }

  async close(): Promise<void> {
    await rm(this.#folder, { recursive: true, force: true });
  }
}

function pick<T>(items: readonly T[], which: number): T | undefined {
  return items.length === 0 ? undefined : items[which % items.length];
}
