import { soleAccount } from '../../../src/bitbucket/accounts.ts';
import { Bitbucket, type CommitRange, type RepositoryPath } from '../../../src/bitbucket/bitbucket.ts';
import { BitbucketClient } from '../../../src/bitbucket/client.ts';
import type { CommitFiles } from '../../../src/bitbucket/file-change.ts';
import { Gate } from '../../../src/bitbucket/gate.ts';
import type { Page } from '../../../src/bitbucket/paging.ts';
import type {
  BitbucketActivity,
  BitbucketBranch,
  BitbucketCommit,
  BitbucketPullRequest,
  BitbucketRepository,
  BitbucketTag,
} from '../../../src/bitbucket/types.ts';
import { SatelliteError } from '../../../src/errors.ts';
import { FakeClock } from './fake-clock.ts';
import { integration } from './integration.ts';

/** Starts of pages are opaque: a multiple of this, so that nothing can be right by counting. */
const startStep = 7;

/** What the client makes of a refusal. */
export function bitbucketError(code: string, kind: SatelliteError['kind'], statusCode?: number): SatelliteError {
  const details = { code: `BITBUCKET_${code}`, kind, url: 'https://bitbucket.example.org/rest' };
  return new SatelliteError(code, statusCode === undefined ? details : { ...details, statusCode });
}

export const ledger: BitbucketRepository = {
  id: 1,
  slug: 'ledger',
  name: 'Ledger',
  project: { key: 'PAY', name: 'Payments' },
};

const unusedClient = new BitbucketClient(integration({ url: 'http://127.0.0.1:9' }), {
  accounts: soleAccount(integration(), new Gate({ maxInFlight: 1 })),
  clock: new FakeClock(),
});

/** One repository of a Bitbucket server in memory: a graph of commits, and pull requests. It remembers every call. */
export class FakeBitbucket extends Bitbucket {
  readonly calls: string[] = [];
  readonly graph = new Map<string, BitbucketCommit>();
  branchList: BitbucketBranch[] = [];
  tagList: BitbucketTag[] = [];
  prs = new Map<number, BitbucketPullRequest>();
  /** Of the list of pull requests: by creation or by the last update, as the server pleases. */
  order: 'created' | 'updated' = 'created';
  readonly activityLists = new Map<number, BitbucketActivity[]>();
  readonly prCommits = new Map<number, string[]>();
  readonly diffs = new Map<string, CommitFiles | SatelliteError>();
  pageSize = 3;
  /** Each list begins with a page that permissions have emptied. */
  beginsEmpty = false;
  /** Called before a diff is answered. */
  beforeDiff: (sha: string) => Promise<void> | void = () => undefined;
  readonly #broken = new Map<string, SatelliteError>();

  constructor() {
    super(unusedClient);
  }

  /** From now on, this call fails; without an error it works again. */
  break(call: string, error?: SatelliteError): void {
    if (error === undefined) this.#broken.delete(call);
    else this.#broken.set(call, error);
  }

  /** Adds a commit; where the branch is given, moves its tip there. */
  commit(id: string, parents: readonly string[], committerTimestamp: number, branch?: string): string {
    const person = { name: 'ada', emailAddress: 'ada@example.org' };
    this.graph.set(id, {
      id,
      displayId: id.slice(0, 4),
      author: person,
      committer: person,
      authorTimestamp: committerTimestamp,
      committerTimestamp,
      message: id,
      parents: parents.map((parent) => ({ id: parent })),
    });
    if (branch !== undefined) this.move(branch, id);
    return id;
  }

  /** The first branch there is becomes the default one. */
  move(branch: string, tip: string): void {
    const known = this.branchList.find(({ displayId }) => displayId === branch);
    const isDefault = known?.isDefault ?? this.branchList.length === 0;
    const others = this.branchList.filter((one) => one !== known);
    this.branchList = [{ id: `refs/heads/${branch}`, displayId: branch, latestCommit: tip, isDefault }, ...others];
  }

  /** A forced push and a garbage collection: what no branch reaches any more is gone. */
  collectGarbage(): void {
    const kept = new Set(this.branchList.flatMap(({ latestCommit }) => [...this.reachable(latestCommit)]));
    for (const id of this.graph.keys()) if (!kept.has(id)) this.graph.delete(id);
  }

  reachable(tip: string | undefined): Set<string> {
    const seen = new Set<string>();
    const next = tip === undefined ? [] : [tip];
    for (let id = next.pop(); id !== undefined; id = next.pop()) {
      if (seen.has(id)) continue;
      seen.add(id);
      next.push(...(this.graph.get(id)?.parents ?? []).map((parent) => parent.id));
    }
    return seen;
  }

  override async *branches(): AsyncGenerator<BitbucketBranch, void, undefined> {
    this.#call('branches');
    yield* this.branchList;
  }

  override async defaultBranch(): Promise<BitbucketBranch | undefined> {
    this.#call('default-branch');
    return this.branchList.find(({ isDefault }) => isDefault);
  }

  override async *commits(
    _repository: RepositoryPath,
    { until, since }: CommitRange,
    start = 0,
  ): AsyncGenerator<Page<BitbucketCommit>, void, undefined> {
    const tip = until ?? this.branchList.find(({ isDefault }) => isDefault)?.latestCommit;
    if (tip === undefined) throw bitbucketError('NO_DEFAULT_BRANCH', 'gone', 404);
    for (const id of [tip, since]) {
      if (id !== undefined && !this.graph.has(id)) {
        this.calls.push(`commits ${since ?? ''}..${until ?? ''} @${start}: no such commit`);
        throw bitbucketError('NO_SUCH_COMMIT', 'gone', 404);
      }
    }
    const without = this.reachable(since);
    const listed = this.#log(tip).filter(({ id }) => !without.has(id));
    yield* this.#pages(`commits ${since ?? ''}..${until ?? ''}`, listed, start);
  }

  override async commitFiles(_repository: RepositoryPath, commit: BitbucketCommit): Promise<CommitFiles> {
    this.#call(`diff ${commit.id}`);
    await this.beforeDiff(commit.id);
    const diff = this.diffs.get(commit.id);
    if (diff instanceof SatelliteError) throw diff;
    const path = `${commit.id}.txt`;
    const file = { sourcePath: null, destinationPath: path, linesAdded: 2, linesRemoved: 1 };
    return diff ?? { files: [file], truncated: false };
  }

  override async *tags(): AsyncGenerator<Page<BitbucketTag>, void, undefined> {
    yield* this.#pages('tags', this.tagList, 0);
  }

  override async *pullRequests(
    _repository: RepositoryPath,
    state: 'ALL' | 'OPEN',
  ): AsyncGenerator<Page<BitbucketPullRequest>, void, undefined> {
    const rank = (pr: BitbucketPullRequest) => (this.order === 'created' ? pr.id : Number(pr.updatedDate));
    const listed = [...this.prs.values()]
      .filter((pr) => state === 'ALL' || pr.state === 'OPEN')
      .sort((a, b) => rank(b) - rank(a) || b.id - a.id);
    yield* this.#pages(`pull-requests ${state}`, listed, 0);
  }

  override async pullRequest(_repository: RepositoryPath, id: number): Promise<BitbucketPullRequest> {
    this.#call(`pull-request ${id}`);
    const pullRequest = this.prs.get(id);
    if (pullRequest === undefined) throw bitbucketError('NOT_FOUND', 'gone', 404);
    return pullRequest;
  }

  override async *activities(
    _repository: RepositoryPath,
    id: number,
  ): AsyncGenerator<BitbucketActivity, void, undefined> {
    this.#call(`activities ${id}`);
    yield* this.activityLists.get(id) ?? [];
  }

  override async *pullRequestCommits(
    _repository: RepositoryPath,
    id: number,
  ): AsyncGenerator<BitbucketCommit, void, undefined> {
    this.#call(`commits of ${id}`);
    for (const sha of this.prCommits.get(id) ?? []) {
      const commit = this.graph.get(sha);
      if (commit !== undefined) yield commit;
    }
  }

  /** As git lists it: the newest of those that a commit already listed has for a parent comes next. */
  #log(tip: string): BitbucketCommit[] {
    const listed: BitbucketCommit[] = [];
    const met = new Set([tip]);
    const next = [this.graph.get(tip)].filter((commit) => commit !== undefined);
    for (;;) {
      next.sort((a, b) => Number(b.committerTimestamp) - Number(a.committerTimestamp));
      const commit = next.shift();
      if (commit === undefined) return listed;
      listed.push(commit);
      for (const { id } of commit.parents ?? []) {
        const parent = met.has(id) ? undefined : this.graph.get(id);
        met.add(id);
        if (parent !== undefined) next.push(parent);
      }
    }
  }

  async *#pages<T>(call: string, items: readonly T[], start: number): AsyncGenerator<Page<T>, void, undefined> {
    let index = start / startStep;
    if (this.beginsEmpty && index === 0) {
      this.#call(`${call} @0`);
      // An opaque start that stands for the very beginning.
      yield { values: [], start: 0, nextStart: items.length === 0 ? undefined : 0.5 * startStep };
      if (items.length === 0) return;
      index = 0.5;
    }
    for (;;) {
      const from = Math.floor(index);
      const values = items.slice(from, from + this.pageSize);
      const next = from + this.pageSize;
      const nextStart = next < items.length ? next * startStep : undefined;
      this.#call(`${call} @${index * startStep}`);
      yield { values, start: index * startStep, nextStart };
      if (nextStart === undefined) return;
      index = next;
    }
  }

  #call(call: string): void {
    this.calls.push(call);
    const error = this.#broken.get(call);
    if (error !== undefined) throw error;
  }
}
