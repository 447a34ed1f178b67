import type { LoggedCommit } from './commit-log.ts';
import { Heap } from './heap.ts';

export interface Commit extends LoggedCommit {
  readonly parents: readonly Commit[];
  /** One more than the highest of its parents: a commit is always above everything it can reach. */
  readonly level: number;
}

/**
 * The commits of a repository, kept for good: a commit never changes, so the graph only grows. Answers the
 * questions of `git rev-list` without a process per question, in git's own order.
 */
export class CommitGraph {
  readonly #commits = new Map<string, Commit>();

  /** Parents have to come before their children. */
  add(logged: readonly LoggedCommit[]): void {
    for (const commit of logged) {
      if (this.#commits.has(commit.id)) continue;
      const parents = commit.parentIds.flatMap((id) => this.#commits.get(id) ?? []);
      const level = parents.reduce((highest, parent) => Math.max(highest, parent.level), 0) + 1;
      this.#commits.set(commit.id, { ...commit, parents, level });
    }
  }

  get(id: string): Commit | undefined {
    return this.#commits.get(id);
  }

  reachableFrom(tips: readonly string[]): Set<Commit> {
    const seen = new Set<Commit>();
    const stack = tips.flatMap((id) => this.#commits.get(id) ?? []);
    for (let commit = stack.pop(); commit; commit = stack.pop()) {
      if (seen.has(commit)) continue;
      seen.add(commit);
      stack.push(...commit.parents);
    }
    return seen;
  }
}

/** `git rev-list ^excluded… until`: newest committer date first, as far as children come before their parents. */
export function commitRange(until: Commit, excluded: readonly Commit[]): Commit[] {
  const wanted = excluded.length === 0 ? undefined : reachableOnlyFrom(until, excluded);
  return wanted === undefined || wanted.has(until) ? inRevListOrder(until, wanted) : [];
}

/**
 * Walks down level by level: whatever can reach a commit lies above it, so its side is known for certain when its
 * turn comes, whatever the clocks of the committers said. Ends as soon as nothing wanted is left.
 */
function reachableOnlyFrom(until: Commit, excluded: readonly Commit[]): Set<Commit> {
  const isWanted = new Map<Commit, boolean>([[until, true]]);
  const queue = new Heap<Commit>((a, b) => a.level > b.level);
  const result = new Set<Commit>();
  queue.push(until);
  let left = 1;
  const visit = (commit: Commit, wanted: boolean) => {
    const before = isWanted.get(commit);
    if (before === undefined) {
      queue.push(commit);
      isWanted.set(commit, wanted);
      if (wanted) left += 1;
    } else if (before && !wanted) {
      isWanted.set(commit, false);
      left -= 1;
    }
  };
  for (const commit of excluded) visit(commit, false);
  while (left > 0) {
    const commit = queue.pop();
    if (!commit) break;
    const wanted = isWanted.get(commit) ?? false;
    if (wanted) {
      left -= 1;
      result.add(commit);
    }
    for (const parent of commit.parents) visit(parent, wanted);
  }
  return result;
}

function inRevListOrder(until: Commit, wanted: Set<Commit> | undefined): Commit[] {
  const queue = new Heap<{ commit: Commit; turn: number }>((a, b) =>
    a.commit.committerTimestamp === b.commit.committerTimestamp
      ? a.turn < b.turn
      : a.commit.committerTimestamp > b.commit.committerTimestamp,
  );
  const seen = new Set<Commit>([until]);
  const result: Commit[] = [];
  queue.push({ commit: until, turn: 0 });
  for (let next = queue.pop(); next; next = queue.pop()) {
    result.push(next.commit);
    for (const parent of next.commit.parents) {
      if (seen.has(parent) || (wanted && !wanted.has(parent))) continue;
      seen.add(parent);
      queue.push({ commit: parent, turn: seen.size });
    }
  }
  return result;
}
