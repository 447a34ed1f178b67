import { existsSync } from 'node:fs';
import path from 'node:path';
import { type Commit, CommitGraph, commitRange } from './commit-graph.ts';
import { readCommitLog } from './commit-log.ts';
import type { Git } from './git.ts';
import { type Refs, readRefs, refsFingerprint } from './refs.ts';

export interface Snapshot extends Refs {
  readonly fingerprint: string;
  readonly commitOf: ReadonlyMap<string, string>;
  /** Undefined when the default branch has no commit: an empty repository, or a branch that is not there. */
  readonly defaultTip: Commit | undefined;
}

const fullId = /^[0-9a-f]{40}$/;
const abbreviatedId = /^[0-9a-f]{4,39}$/;
const rememberedRanges = 32;

/** One git repository behind the simulator. Metadata is read once, then only what a changed ref brings with it. */
export class GitRepository {
  readonly gitDir: string;
  /** The folder of the working copy, undefined for a bare repository. */
  readonly workingCopy: string | undefined;
  readonly git: Git;
  readonly #graph = new CommitGraph();
  readonly #ranges = new Map<string, readonly Commit[]>();
  #snapshot: Snapshot | undefined;
  #reachable: Set<Commit> | undefined;
  #reading: Promise<Snapshot> | undefined;

  constructor(git: Git, gitDir: string, workingCopy: string | undefined) {
    this.git = git;
    this.gitDir = gitDir;
    this.workingCopy = workingCopy;
  }

  static async open(git: Git, folder: string): Promise<GitRepository> {
    if (!existsSync(folder)) throw new Error(`There is no folder ${folder}`);
    const inWorkingCopy = path.resolve(folder, '.git');
    const asked = existsSync(inWorkingCopy) ? inWorkingCopy : path.resolve(folder);
    const args = ['rev-parse', '--path-format=absolute', '--git-common-dir'];
    const gitDir = (await git.text(asked, args, { cwd: path.resolve(folder) })).trim();
    const isBare = (await git.text(gitDir, ['rev-parse', '--is-bare-repository'])).trim() === 'true';
    return new GitRepository(git, gitDir, isBare ? undefined : path.dirname(gitDir));
  }

  /** The refs as they are now, with the commits behind them in the graph. */
  async snapshot(): Promise<Snapshot> {
    if (this.#reading) await this.#reading;
    const fingerprint = refsFingerprint(this.gitDir);
    if (this.#snapshot?.fingerprint === fingerprint) return this.#snapshot;
    this.#reading ??= this.#read(fingerprint).finally(() => {
      this.#reading = undefined;
    });
    return this.#reading;
  }

  /** A full id, a full ref, a short ref (tags first, as git has it) or an abbreviated id. */
  async resolve(revision: string): Promise<Commit | undefined> {
    const { commitOf, defaultTip } = await this.snapshot();
    if (fullId.test(revision)) return this.commit(revision);
    if (revision === 'HEAD') return defaultTip;
    for (const prefix of ['', 'refs/', 'refs/tags/', 'refs/heads/']) {
      const id = commitOf.get(prefix + revision);
      if (id !== undefined) return this.#graph.get(id);
    }
    if (!abbreviatedId.test(revision)) return undefined;
    const args = ['rev-parse', '--verify', '--quiet', '--end-of-options', `${revision}^{commit}`];
    if (!(await this.git.succeeds(this.gitDir, args))) return undefined;
    return this.commit((await this.git.text(this.gitDir, args)).trim());
  }

  /** By full id. A commit that no ref reaches any more is there until git collects it. */
  async commit(id: string): Promise<Commit | undefined> {
    const { branches, tags, others } = await this.snapshot();
    const tips = [...branches, ...tags, ...others].map((ref) => ref.commitId);
    this.#reachable ??= this.#graph.reachableFrom(tips);
    const known = this.#graph.get(id);
    if (known && this.#reachable.has(known)) return known;
    if (!fullId.test(id) || !(await this.git.succeeds(this.gitDir, ['cat-file', '-e', `${id}^{commit}`])))
      return undefined;
    if (!known) this.#graph.add(await readCommitLog(this.git, this.gitDir, [id], tips));
    return this.#graph.get(id);
  }

  /** The commits reachable from `until` and from none of `excluded`, newest first. */
  range(until: Commit, ...excluded: readonly Commit[]): readonly Commit[] {
    const key = [until, ...excluded].map((commit) => commit.id).join(' ');
    const remembered = this.#ranges.get(key);
    if (remembered) return remembered;
    const range = commitRange(until, excluded);
    const [oldest] = this.#ranges.keys();
    if (oldest !== undefined && this.#ranges.size >= rememberedRanges) this.#ranges.delete(oldest);
    this.#ranges.set(key, range);
    return range;
  }

  async #read(fingerprint: string): Promise<Snapshot> {
    const refs = await readRefs(this.git, this.gitDir);
    const all = [...refs.branches, ...refs.tags, ...refs.others];
    const wanted = new Set(all.map((ref) => ref.commitId).filter((id) => !this.#graph.get(id)));
    const before = [...new Set(this.#snapshot?.commitOf.values())];
    this.#graph.add(await readCommitLog(this.git, this.gitDir, [...wanted], before));
    const commitOf = new Map(all.map((ref) => [ref.id, ref.commitId]));
    const tip = commitOf.get(refs.defaultBranch);
    const defaultTip = tip === undefined ? undefined : this.#graph.get(tip);
    this.#reachable = undefined;
    this.#snapshot = { ...refs, fingerprint, commitOf, defaultTip };
    return this.#snapshot;
  }
}
