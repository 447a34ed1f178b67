import { type CommitFiles, type FileChange, FileChangeList, maxListedFiles } from '../bitbucket/file-change.ts';
import type { BitbucketCommit } from '../bitbucket/types.ts';

/** One commit of `git log`, in the shape in which Bitbucket shows it where nobody has an account. */
export interface LoggedCommit {
  readonly commit: BitbucketCommit & { readonly author: GitPerson; readonly committer: GitPerson };
  /** Undefined where the counts have to come from the patch itself (`needsPatch`), or were not asked for. */
  readonly files: CommitFiles | undefined;
  /** A file became something else (a link, a submodule): `--numstat` compares the two, a patch removes one and adds the other. */
  readonly needsPatch: boolean;
}

export interface GitPerson {
  readonly name: string;
  readonly emailAddress?: string;
}

/** No field can hold a NUL, so nothing has to be escaped. `%an` and the like ignore a `.mailmap`, as Bitbucket does. */
export const logFormat = 'tformat:%H%x00%P%x00%an%x00%ae%x00%at%x00%cn%x00%ce%x00%ct%x00%B';

const headFields = 9;

/** What Bitbucket shortens an id to. */
const displayIdLength = 11;

/** Longer than any path, and than any message that somebody wrote by hand. */
const maxTokenBytes = 64 * 2 ** 20;

/**
 * Reads `git log -z --raw --numstat --format=<logFormat>`: a sequence of texts that end with a NUL. Which of them means
 * what follows from those before it, never from what it looks like:
 *
 * - **head**: the nine fields of a commit
 * - **changes**: `:mode mode id id status` and one path, or two of a rename; git gives all of a commit's first
 * - **counts**: `added TAB removed TAB path`, or without the path, which then follows in two texts; as many as changes
 *
 * Then comes the next head. No line of source is ever among it.
 *
 * @throws Error where it is none: git was ended, or is of a kind that nobody knows here
 */
export async function* parseLog(chunks: AsyncIterable<Buffer>): AsyncGenerator<LoggedCommit, void, undefined> {
  const parser = new LogParser();
  let rest: Buffer = Buffer.alloc(0);
  for await (const chunk of chunks) {
    const text = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    let from = 0;
    for (let end = text.indexOf(0); end >= 0; end = text.indexOf(0, from)) {
      const done = parser.take(text.toString('utf8', from, end));
      if (done !== undefined) yield done;
      from = end + 1;
    }
    rest = text.subarray(from);
    if (rest.length > maxTokenBytes) throw unreadable();
  }
  if (rest.length > 0) throw unreadable();
  const last = parser.end();
  if (last !== undefined) yield last;
}

interface Change {
  readonly source: string | null;
  readonly destination: string | null;
}

class LogParser {
  #head: string[] = [];
  #changes: Change[] = [];
  #changeCount = 0;
  #counted = 0;
  #needsPatch = false;
  #files = new FileChangeList();
  /** Status of a change, or the counts of one, whose paths are still to come. */
  #status = '';
  #counts: [added: number, removed: number] | undefined;
  #paths: string[] = [];
  #pathsDue = 0;

  /** @returns the commit before, where this text begins another */
  take(token: string): LoggedCommit | undefined {
    if (this.#pathsDue > 0) {
      this.#takePath(token);
      return undefined;
    }
    if (this.#head.length < headFields) {
      this.#head.push(token);
      return undefined;
    }
    const text = token.startsWith('\n') ? token.slice(1) : token;
    if (text.startsWith(':')) this.#openChange(text);
    else if (text.includes('\t')) this.#openCounts(text);
    else if (/^[0-9a-f]{40,64}$/.test(text)) {
      const done = this.end();
      this.#head.push(text);
      return done;
    } else if (text !== '') throw unreadable();
    return undefined;
  }

  end(): LoggedCommit | undefined {
    if (this.#head.length === 0) return undefined;
    if (this.#head.length < headFields || this.#pathsDue > 0 || this.#counted !== this.#changeCount) throw unreadable();
    const logged = {
      commit: commitOf(this.#head),
      files: this.#needsPatch ? undefined : this.#files.end(false),
      needsPatch: this.#needsPatch,
    };
    this.#head = [];
    this.#changes = [];
    this.#changeCount = 0;
    this.#counted = 0;
    this.#needsPatch = false;
    this.#files = new FileChangeList();
    return logged;
  }

  #openChange(text: string): void {
    if (this.#counted > 0) throw unreadable();
    this.#status = text.slice(text.lastIndexOf(' ') + 1);
    if (this.#status.startsWith('T')) this.#needsPatch = true;
    this.#pathsDue = isPair(this.#status) ? 2 : 1;
  }

  #openCounts(text: string): void {
    const [added = '', removed = '', ...path] = text.split('\t');
    this.#counts = [countOf(added), countOf(removed)];
    // A path may hold a TAB of its own.
    if (path.join('\t') === '') this.#pathsDue = 2;
    else this.#count();
  }

  #takePath(path: string): void {
    this.#paths.push(path);
    if (--this.#pathsDue > 0) return;
    const paths = this.#paths;
    this.#paths = [];
    if (this.#counts !== undefined) {
      this.#count();
      return;
    }
    this.#changeCount++;
    // The rest counts without being listed: its paths would only take memory.
    if (this.#changes.length < maxListedFiles) this.#changes.push(changeOf(this.#status, paths));
  }

  /** The counts come in the order of the changes. */
  #count(): void {
    const [linesAdded, linesRemoved] = this.#counts ?? [0, 0];
    this.#counts = undefined;
    const { source, destination } = this.#changes[this.#counted] ?? { source: null, destination: '' };
    this.#counted++;
    if (this.#counted > this.#changeCount) throw unreadable();
    const change: FileChange = { sourcePath: source, destinationPath: destination, linesAdded, linesRemoved };
    this.#files.add(change);
  }
}

function isPair(status: string): boolean {
  return status.startsWith('R') || status.startsWith('C');
}

function changeOf(status: string, [path = '', newPath = '']: readonly string[]): Change {
  if (isPair(status)) return { source: path, destination: newPath };
  if (status === 'A') return { source: null, destination: path };
  return { source: path, destination: status === 'D' ? null : path };
}

/** Of a binary file git says `-`. */
function countOf(text: string): number {
  if (text === '-') return 0;
  if (!/^\d+$/.test(text)) throw unreadable();
  return Number(text);
}

function commitOf(head: readonly string[]): LoggedCommit['commit'] {
  const [id = '', parents = '', an = '', ae = '', at = '', cn = '', ce = '', ct = '', message = ''] = head;
  return {
    ...shortened(id),
    author: person(an, ae),
    authorTimestamp: Number(at) * 1000,
    committer: person(cn, ce),
    committerTimestamp: Number(ct) * 1000,
    message: message.replace(/\n+$/, ''),
    parents: parents === '' ? [] : parents.split(' ').map(shortened),
  };
}

function shortened(id: string): { id: string; displayId: string } {
  return { id, displayId: id.slice(0, displayIdLength) };
}

function person(name: string, email: string): GitPerson {
  return email === '' ? { name } : { name, emailAddress: email };
}

function unreadable(): Error {
  return new Error('The output of git log cannot be read');
}
