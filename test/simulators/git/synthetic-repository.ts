import { FastImport, type Person } from './fast-import.ts';
import { initBareRepository, runGit } from './git.ts';
import { type Random, seededRandom } from './random.ts';

export interface SyntheticOptions {
  readonly seed: number;
  /** Commits reachable from main, merges and what they merge included. */
  readonly commits: number;
  /** Files that come with the root and are edited ever after. */
  readonly files: number;
  /** Every so many commits of the first-parent line, one is a merge of a side branch of one to three commits; 0: none. */
  readonly mergeEvery: number;
  /** Author and committer time of the root, epoch ms. */
  readonly startMs: number;
  readonly intervalMs: number;
  /** How many people take turns: `Author N <authorN@example.org>`. */
  readonly authors: number;
}

/** What a pull request can be made of. */
interface SyntheticMerge {
  readonly id: string;
  /** Tip of main before it. */
  readonly firstParentId: string;
  /** Tip of the merged branch. */
  readonly sideTipId: string;
  readonly sideCommits: number;
  /** Where the branch forked off main. */
  readonly baseId: string;
  readonly mergedMs: number;
  readonly author: Person;
}

export interface SyntheticRepository {
  readonly gitDir: string;
  readonly headId: string;
  readonly commitCount: number;
  readonly merges: readonly SyntheticMerge[];
  readonly canary: string;
}

interface MarkedMerge {
  readonly merge: number;
  readonly firstParent: number;
  readonly sideTip: number;
  readonly base: number;
  readonly sideCommits: number;
  readonly mergedMs: number;
  readonly author: Person;
}

/**
 * Writes a bare repository of any size (the folder must not exist or be empty). Side branches edit odd files while main
 * edits even ones, so every merge is clean. Memory: the text of the files and one small object a merge.
 */
export async function writeSyntheticRepository(dir: string, options: SyntheticOptions): Promise<SyntheticRepository> {
  await initBareRepository(dir);
  const importer = new FastImport(dir);
  const canary = `canary${options.seed.toString(36)}source`;
  const writer = new SyntheticWriter(importer, options, canary);
  const { head, merges } = await writer.write();

  const wanted = new Set([head, ...merges.flatMap((each) => [each.merge, each.firstParent, each.sideTip, each.base])]);
  const ids = await importer.finish((mark) => wanted.has(mark));
  const id = (mark: number) => ids.get(mark) ?? '';
  if (merges.length > 0) await runGit(['--git-dir', dir, 'update-ref', '-d', 'refs/heads/side']);
  // A server that has kept a repository for a while has this file too; without it, large histories list slowly.
  await runGit(['--git-dir', dir, 'commit-graph', 'write', '--reachable', '--no-progress']);
  return {
    gitDir: dir,
    headId: id(head),
    commitCount: options.commits,
    merges: merges.map((each) => ({
      id: id(each.merge),
      firstParentId: id(each.firstParent),
      sideTipId: id(each.sideTip),
      sideCommits: each.sideCommits,
      baseId: id(each.base),
      mergedMs: each.mergedMs,
      author: each.author,
    })),
    canary,
  };
}

/** Holds the text of every file as it stands at the tip of main and of the side branch that is open, if any. */
class SyntheticWriter {
  readonly #importer: FastImport;
  readonly #options: SyntheticOptions;
  readonly #random: Random;
  readonly #canary: string;
  readonly #files: string[][];
  #written = 0;

  constructor(importer: FastImport, options: SyntheticOptions, canary: string) {
    this.#importer = importer;
    this.#options = options;
    this.#canary = canary;
    this.#random = seededRandom(options.seed);
    this.#files = Array.from({ length: Math.max(2, options.files) }, () =>
      Array.from({ length: 8 + this.#random.below(24) }, () => this.#line()),
    );
  }

  async write(): Promise<{ head: number; merges: MarkedMerge[] }> {
    const merges: MarkedMerge[] = [];
    let main = await this.#commit([], [...this.#files.keys()], this.#author(), 'Initial import');
    let onMain = 1;
    while (this.#written < this.#options.commits) {
      const left = this.#options.commits - this.#written;
      const sideCommits = Math.min(1 + this.#random.below(3), left - 2);
      onMain += 1;
      if (onMain % this.#options.mergeEvery !== 0 || sideCommits < 1) {
        main = await this.#commit([main], [this.#pick(0)], this.#author(), this.#message());
        continue;
      }
      const merge = await this.#mergeSide(main, sideCommits);
      merges.push(merge);
      main = merge.merge;
      onMain += 1;
    }
    return { head: main, merges };
  }

  /** A branch off `base`, one commit on main meanwhile, and the merge of both. */
  async #mergeSide(base: number, sideCommits: number): Promise<MarkedMerge> {
    const author = this.#author();
    const touched = new Set<number>();
    let sideTip = base;
    for (let count = 0; count < sideCommits; count += 1) {
      const file = this.#pick(1);
      touched.add(file);
      sideTip = await this.#commit([sideTip], [file], author, this.#message(), 'refs/heads/side');
    }
    const firstParent = await this.#commit([base], [this.#pick(0)], this.#author(), this.#message());
    // fast-import knows the tree of the first parent only: what the side changed is written again, unchanged.
    const mergedMs = this.#now();
    const message = `Merge pull request #${this.#written} in PRJ/repo from side to main`;
    const merge = await this.#commit([firstParent, sideTip], [...touched], author, message, 'refs/heads/main', false);
    return { merge, firstParent, sideTip, base, sideCommits, mergedMs, author };
  }

  async #commit(
    parents: number[],
    files: readonly number[],
    author: Person,
    message: string,
    ref = 'refs/heads/main',
    edit = parents.length > 0,
  ): Promise<number> {
    const seconds = Math.floor(this.#now() / 1000);
    if (edit) for (const file of files) this.#edit(this.#lines(file));
    this.#written += 1;
    return this.#importer.commit({
      ref,
      parents,
      author: { ...author, seconds },
      committer: { ...author, seconds },
      message: `${message}\n`,
      changes: files.map((file) => ({
        path: `src/module-${file % 50}/file-${file}.txt`,
        mode: '100644',
        content: `${this.#lines(file).join('\n')}\n`,
      })),
    });
  }

  #lines(file: number): string[] {
    const lines = this.#files[file];
    if (lines === undefined) throw new Error(`no file ${file}`);
    return lines;
  }

  /** One line rewritten, and one added or removed so that files stay between 8 and 40 lines. */
  #edit(lines: string[]): void {
    lines[this.#random.below(lines.length)] = this.#line();
    const grow = lines.length < 8 || (lines.length < 40 && this.#random.below(2) === 0);
    if (grow) lines.splice(this.#random.below(lines.length), 0, this.#line());
    else lines.splice(this.#random.below(lines.length), 1);
  }

  /** A file whose number is even (0) or odd (1). */
  #pick(parity: 0 | 1): number {
    return this.#random.below(Math.floor(this.#files.length / 2)) * 2 + parity;
  }

  #line(): string {
    return `${this.#random.words(5)} ${this.#random.below(1_000_000)} ${this.#canary}`;
  }

  #message(): string {
    return `PRJ-${this.#random.below(10_000)} ${this.#random.words(4)}`;
  }

  #author(): Person {
    const number = 1 + this.#random.below(this.#options.authors);
    return { name: `Author ${number}`, email: `author${number}@example.org` };
  }

  #now(): number {
    return this.#options.startMs + this.#written * this.#options.intervalMs;
  }
}
