import type { CommitFiles } from '../bitbucket/file-change.ts';
import { countRawDiff } from '../bitbucket/raw-diff.ts';
import type { BitbucketCommit } from '../bitbucket/types.ts';
import { GitError, runGit, streamGit } from './git-process.ts';
import { type LoggedCommit, logFormat, parseLog } from './log-parser.ts';

export interface LogRange {
  readonly until: string;
  /** Absent: down to the root. */
  readonly since?: string | undefined;
}

const commitId = /^[0-9a-f]{40,64}$/;

/** As `Bitbucket.commitFiles` counts them: against the first parent, renames found, nothing converted. */
const diffOptions = ['-M', '--no-color', '--no-ext-diff', '--no-textconv'];

/** A bare clone, read. Whatever it answers was asked of nobody else. */
export class Clone {
  readonly path: string;
  readonly #signal: AbortSignal;

  constructor(path: string, signal: AbortSignal) {
    this.path = path;
    this.#signal = signal;
  }

  /**
   * Whether it has these commits, and with them all their history: packs arrive whole or not at all.
   *
   * @throws GitError where the clone is damaged
   */
  async has(ids: readonly string[]): Promise<boolean> {
    if (!ids.every((id) => commitId.test(id))) return false;
    const input = ids.map((id) => `${id}\n`).join('');
    const answer = await this.#run(['cat-file', '--batch-check=%(objecttype)'], input);
    const types = answer.split('\n').slice(0, -1);
    if (types.length !== ids.length) throw new GitError(['cat-file'], 0, 'the answer is cut short');
    return types.every((type) => type === 'commit');
  }

  /**
   * Whether all that its branches point at is there. Git takes a pack that was cut short for one that is not there, so
   * that a commit which is missing may be one that was lost.
   */
  async isSound(): Promise<boolean> {
    const tips = await this.#run(['for-each-ref', '--format=%(objectname)'], '');
    return this.has(tips.split('\n').slice(0, -1));
  }

  /**
   * Commits reachable from `until` and not from `since`, newest first, in an order that stays: by `skip` it can be gone
   * on with.
   *
   * @throws GitError, Error where the clone is damaged
   */
  async *commits(
    { until, since }: LogRange,
    { withFiles, skip = 0 }: { readonly withFiles: boolean; readonly skip?: number },
  ): AsyncGenerator<LoggedCommit, void, undefined> {
    const diff = withFiles
      ? ['--raw', '--numstat', '--no-abbrev', '--diff-merges=first-parent', ...diffOptions]
      : ['--no-patch'];
    const range = since === undefined ? [until] : [until, `^${since}`];
    const args = ['log', '-z', ...diff, `--format=${logFormat}`, `--skip=${skip}`, '--end-of-options', ...range, '--'];
    for await (const logged of parseLog(this.#stream(args))) {
      if (!withFiles) yield { ...logged, files: undefined };
      else if (!logged.needsPatch) yield logged;
      else yield { ...logged, files: await this.files(logged.commit), needsPatch: false };
    }
  }

  /** The counted files of one commit, from its patch, of which nothing is kept. */
  async files({ id, parents }: BitbucketCommit): Promise<CommitFiles> {
    const parent = parents?.[0]?.id;
    const trees = parent === undefined ? ['--root', id] : [parent, id];
    const args = ['diff-tree', '-r', '-p', '-U0', '--no-commit-id', '--src-prefix=src://', '--dst-prefix=dst://'];
    return countRawDiff(this.#stream([...args, ...diffOptions, '--end-of-options', ...trees, '--']));
  }

  #run(args: readonly string[], input: string): Promise<string> {
    return runGit({ args: ['--git-dir=.', ...args], cwd: this.path, signal: this.#signal, input });
  }

  #stream(args: readonly string[]) {
    return streamGit({ args: ['--git-dir=.', ...args], cwd: this.path, signal: this.#signal });
  }
}
