import type { Change, FastImport, FileMode, Person } from './fast-import.ts';

/** A file of a tree; a gitlink carries the commit of the submodule instead of content. */
export type Entry =
  | { readonly mode: FileMode; readonly content: Buffer | string }
  | { readonly mode: '160000'; readonly commitId: string };

type Tree = ReadonlyMap<string, Entry>;

export interface StoryCommit<Name extends string> {
  readonly name: Name;
  /** Branch whose tip it becomes. */
  readonly branch: string;
  /** First parent first; none: a root. */
  readonly parents: readonly Name[];
  /** Side branches to merge in, path by path, against the commit they forked from: what they changed wins. */
  readonly take?: readonly { readonly tip: Name; readonly base: Name }[];
  readonly write?: Readonly<Record<string, Entry | string>>;
  readonly remove?: readonly string[];
  readonly rename?: Readonly<Record<string, string>>;
  readonly message?: string;
  readonly author?: Person;
  readonly committer?: Person;
  readonly authorSeconds?: number;
  readonly committerSeconds?: number;
}

export interface StoryClock {
  readonly startSeconds: number;
  readonly stepSeconds: number;
}

/** History told commit by commit, each with a name; trees are kept, so that a change is said against any parent. */
export class Story<Name extends string> {
  readonly #importer: FastImport;
  readonly #clock: StoryClock;
  readonly #person: Person;
  readonly #told = new Map<Name, { readonly mark: number; readonly tree: Tree }>();

  readonly #tips = new Map<string, Name>();

  constructor(importer: FastImport, clock: StoryClock, person: Person) {
    this.#importer = importer;
    this.#clock = clock;
    this.#person = person;
  }

  get length(): number {
    return this.#told.size;
  }

  mark(name: Name): number {
    return this.#of(name).mark;
  }

  /** Branch → the commit told last on it. */
  tips(): Record<string, Name> {
    return Object.fromEntries(this.#tips);
  }

  names(): Name[] {
    return [...this.#told.keys()];
  }

  async commit(step: StoryCommit<Name>): Promise<void> {
    if (this.#told.has(step.name)) throw new Error(`${step.name} is told twice`);
    const [first] = step.parents;
    const before: Tree = first === undefined ? new Map() : this.#of(first).tree;
    const tree = this.#grow(before, step);
    const seconds = this.#clock.startSeconds + this.length * this.#clock.stepSeconds;
    const author = step.author ?? this.#person;
    const mark = await this.#importer.commit({
      ref: `refs/heads/${step.branch}`,
      author: { ...author, seconds: step.authorSeconds ?? seconds },
      committer: { ...(step.committer ?? author), seconds: step.committerSeconds ?? seconds },
      message: step.message ?? `${step.name}\n`,
      parents: step.parents.map((parent) => this.mark(parent)),
      changes: difference(before, tree),
    });
    this.#told.set(step.name, { mark, tree });
    this.#tips.set(step.branch, step.name);
  }

  #grow(before: Tree, step: StoryCommit<Name>): Tree {
    const tree = new Map(before);
    for (const { tip, base } of step.take ?? []) {
      for (const change of difference(this.#of(base).tree, this.#of(tip).tree)) apply(tree, change);
    }
    for (const [from, to] of Object.entries(step.rename ?? {})) {
      const entry = tree.get(from);
      if (entry === undefined) throw new Error(`${step.name} renames ${from}, which is not there`);
      tree.delete(from);
      tree.set(to, entry);
    }
    for (const path of step.remove ?? []) {
      if (!tree.delete(path)) throw new Error(`${step.name} removes ${path}, which is not there`);
    }
    for (const [path, entry] of Object.entries(step.write ?? {})) {
      tree.set(path, typeof entry === 'string' ? { mode: '100644', content: entry } : entry);
    }
    return tree;
  }

  #of(name: Name): { readonly mark: number; readonly tree: Tree } {
    const told = this.#told.get(name);
    if (told === undefined) throw new Error(`${name} is not told yet`);
    return told;
  }
}

/** Entries are never changed in place, so the same object means the same file. */
function difference(before: Tree, after: Tree): Change[] {
  const changes: Change[] = [];
  for (const path of before.keys()) {
    if (!after.has(path)) changes.push({ path, mode: 'delete' });
  }
  for (const [path, entry] of after) {
    if (before.get(path) !== entry) changes.push({ path, ...entry });
  }
  return changes;
}

function apply(tree: Map<string, Entry>, change: Change): void {
  if (change.mode === 'delete') tree.delete(change.path);
  else if (change.mode === '160000') tree.set(change.path, { mode: change.mode, commitId: change.commitId });
  else tree.set(change.path, { mode: change.mode, content: change.content });
}
