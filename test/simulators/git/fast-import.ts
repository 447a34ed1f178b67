import { once } from 'node:events';
import { createReadStream } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { type GitProcess, startGit } from './git.ts';

export interface Person {
  readonly name: string;
  /** May be empty: git then stores `Name <>`. */
  readonly email: string;
  /** `+0530`; UTC when absent. */
  readonly zone?: string;
}

interface Signature extends Person {
  readonly seconds: number;
}

export type FileMode = '100644' | '100755' | '120000';

export type Change =
  | { readonly path: string; readonly mode: FileMode; readonly content: Buffer | string }
  | { readonly path: string; readonly mode: '160000'; readonly commitId: string }
  | { readonly path: string; readonly mode: 'delete' };

export interface CommitRequest {
  /** The ref that moves to the new commit, `refs/heads/…`. */
  readonly ref: string;
  readonly author: Signature;
  readonly committer: Signature;
  readonly message: string;
  /** Marks of earlier commits, first parent first; empty for a root. */
  readonly parents: readonly number[];
  /** Against the tree of the first parent. */
  readonly changes: readonly Change[];
}

export interface TagRequest {
  readonly name: string;
  readonly commit: number;
  /** Absent: a light tag. */
  readonly annotation?: { readonly tagger: Signature; readonly message: string };
}

/**
 * One `git fast-import` process. Open → commits and tags in any number → `finish()`, which waits for git and gives the
 * ids. A crash before `finish()` leaves an unfinished pack and no ref: throw the folder away.
 */
export class FastImport {
  readonly #gitDir: string;
  readonly #process: GitProcess;
  #lastMark = 0;

  constructor(gitDir: string) {
    this.#gitDir = gitDir;
    this.#process = startGit([
      '--git-dir',
      gitDir,
      'fast-import',
      '--quiet',
      '--done',
      '--date-format=raw',
      '--force',
      `--export-marks=${this.#marksPath}`,
    ]);
    // fast-import prints nothing there, but a pipe that nobody reads could stop it.
    this.#process.child.stdout.resume();
  }

  /** Resolves when git has taken the commit in; the number stands for it until `finish()` tells its id. */
  async commit(request: CommitRequest): Promise<number> {
    this.#lastMark += 1;
    const parts: (string | Buffer)[] = [];
    // A commit without `from` continues the branch where it stands; the reset makes a root a root.
    if (request.parents.length === 0) parts.push(`reset ${request.ref}\n`);
    parts.push(`commit ${request.ref}\nmark :${this.#lastMark}\n`);
    parts.push(`author ${signatureLine(request.author)}\ncommitter ${signatureLine(request.committer)}\n`);
    pushData(parts, request.message);
    request.parents.forEach((mark, index) => {
      parts.push(`${index === 0 ? 'from' : 'merge'} :${mark}\n`);
    });
    // Deletions first: a file may make way for a folder of the same name in the same commit.
    const [deletions, writes] = [true, false].map((wanted) =>
      request.changes.filter((change) => (change.mode === 'delete') === wanted),
    );
    for (const change of [...(deletions ?? []), ...(writes ?? [])]) pushChange(parts, change);
    parts.push('\n');
    await this.#write(parts);
    return this.#lastMark;
  }

  async tag(request: TagRequest): Promise<void> {
    if (request.annotation === undefined) return this.reset(`refs/tags/${request.name}`, request.commit);
    const parts: (string | Buffer)[] = [`tag ${request.name}\nfrom :${request.commit}\n`];
    parts.push(`tagger ${signatureLine(request.annotation.tagger)}\n`);
    pushData(parts, request.annotation.message);
    await this.#write(parts);
  }

  /** Points `ref` at a commit. */
  async reset(ref: string, commit: number): Promise<void> {
    await this.#write([`reset ${ref}\nfrom :${commit}\n\n`]);
  }

  /** Ends the import and gives the ids of the commits whose marks `wanted` holds. */
  async finish(wanted: (mark: number) => boolean): Promise<Map<number, string>> {
    await this.#write(['done\n']);
    this.#process.child.stdin.end();
    await this.#process.done;
    const ids = new Map<number, string>();
    for await (const line of createInterface({ input: createReadStream(this.#marksPath) })) {
      const [mark, id] = line.slice(1).split(' ');
      if (id !== undefined && wanted(Number(mark))) ids.set(Number(mark), id);
    }
    await rm(this.#marksPath);
    return ids;
  }

  get #marksPath(): string {
    return join(this.#gitDir, 'fast-import.marks');
  }

  async #write(parts: readonly (string | Buffer)[]): Promise<void> {
    const { stdin } = this.#process.child;
    stdin.cork();
    let room = true;
    for (const part of parts) room = stdin.write(part);
    process.nextTick(() => stdin.uncork());
    // Whoever dies first ends the wait: git's own message is worth more than a broken pipe.
    if (!room && !stdin.destroyed) await Promise.race([once(stdin, 'drain'), this.#process.done]);
    if (stdin.destroyed) await this.#process.done;
  }
}

function signatureLine(signature: Signature): string {
  return `${signature.name} <${signature.email}> ${signature.seconds} ${signature.zone ?? '+0000'}`;
}

function pushData(parts: (string | Buffer)[], content: Buffer | string): void {
  const bytes = typeof content === 'string' ? Buffer.from(content) : content;
  parts.push(`data ${bytes.length}\n`, bytes, '\n');
}

function pushChange(parts: (string | Buffer)[], change: Change): void {
  const path = quotePath(change.path);
  if (change.mode === 'delete') parts.push(`D ${path}\n`);
  else if (change.mode === '160000') parts.push(`M 160000 ${change.commitId} ${path}\n`);
  else {
    parts.push(`M ${change.mode} inline ${path}\n`);
    pushData(parts, change.content);
  }
}

/** C-style quoting: everything but plain printable ASCII as octal, so that no byte of a path can be misread. */
function quotePath(path: string): string {
  let quoted = '"';
  for (const byte of Buffer.from(path)) {
    const plain = byte > 0x20 && byte < 0x7f && byte !== 0x22 && byte !== 0x5c;
    quoted += plain ? String.fromCharCode(byte) : `\\${byte.toString(8).padStart(3, '0')}`;
  }
  return `${quoted}"`;
}
