import { once } from 'node:events';
import type { Readable } from 'node:stream';
import { startGit } from './git.ts';

/** `T`: the kind of the file changed, e.g. from a plain file to a symlink. */
type ChangeStatus = 'A' | 'M' | 'D' | 'R' | 'C' | 'T';

export interface FileTruth {
  readonly status: ChangeStatus;
  /** Null for an added file. */
  readonly sourcePath: string | null;
  /** Null for a deleted file. */
  readonly destinationPath: string | null;
  /** `100644`, `100755`, `120000` (symlink), `160000` (submodule); `000000` where there is none. */
  readonly sourceMode: string;
  readonly destinationMode: string;
  /** Lines; 0 when binary. */
  readonly added: number;
  readonly removed: number;
  readonly binary: boolean;
}

interface SignatureTruth {
  readonly name: string;
  readonly email: string;
  readonly seconds: number;
}

export interface CommitTruth {
  readonly id: string;
  readonly parents: readonly string[];
  readonly author: SignatureTruth;
  readonly committer: SignatureTruth;
  /** As stored, with its newline at the end when it has one. */
  readonly message: string;
  /** Against the first parent; against nothing for a root. */
  readonly files: readonly FileTruth[];
}

/**
 * What git itself says about every commit of `range` (revision arguments such as `main`, `a..b`, `--all`; everything when
 * absent), newest first as `git log` has it. Every field is separated by NUL, so no name can be misread.
 */
export async function gitTruth(gitDir: string, range: string | readonly string[] = '--all'): Promise<CommitTruth[]> {
  const commits = await readCommits(gitDir, typeof range === 'string' ? [range] : range);
  const files = await readFiles(gitDir, commits);
  return commits.map((commit) => ({ ...commit, files: files.get(commit.id) ?? [] }));
}

type CommitHead = Omit<CommitTruth, 'files'>;

const logFields = ['%H', '%P', '%an', '%ae', '%at', '%cn', '%ce', '%ct', '%B'];

async function readCommits(gitDir: string, range: readonly string[]): Promise<CommitHead[]> {
  const { child, done } = startGit([
    '--git-dir',
    gitDir,
    'log',
    '-z',
    `--format=tformat:${logFields.join('%x00')}`,
    ...range,
    '--',
  ]);
  child.stdin.end();
  const commits: CommitHead[] = [];
  let fields: string[] = [];
  for await (const field of nulSeparated(child.stdout)) {
    fields.push(field);
    if (fields.length < logFields.length) continue;
    commits.push(commitOf(fields));
    fields = [];
  }
  await done;
  if (fields.length > 0) throw new Error(`git log ended within a commit: ${fields.join(' ')}`);
  return commits;
}

function commitOf(fields: readonly string[]): CommitHead {
  const [id = '', parents = '', authorName = '', authorEmail = '', authorSeconds = ''] = fields;
  const [committerName = '', committerEmail = '', committerSeconds = '', message = ''] = fields.slice(5);
  return {
    id,
    parents: parents === '' ? [] : parents.split(' '),
    author: { name: authorName, email: authorEmail, seconds: Number(authorSeconds) },
    committer: { name: committerName, email: committerEmail, seconds: Number(committerSeconds) },
    message,
  };
}

/**
 * `diff-tree --stdin` takes "commit parent" lines and compares with exactly the parent it is given: that is the first
 * parent of a merge, and with `--root` the empty tree for a line without a parent.
 */
async function readFiles(gitDir: string, commits: readonly CommitHead[]): Promise<Map<string, FileTruth[]>> {
  const { child, done } = startGit([
    '--git-dir',
    gitDir,
    'diff-tree',
    '--stdin',
    '--root',
    '--always',
    '-r',
    '-z',
    '-M',
    '--raw',
    '--numstat',
  ]);
  const feeding = (async () => {
    for (const { id, parents } of commits) {
      if (!child.stdin.write(`${id}${parents[0] === undefined ? '' : ` ${parents[0]}`}\n`)) {
        await Promise.race([once(child.stdin, 'drain'), done]);
      }
    }
    child.stdin.end();
  })();
  const files = await parseDiffTree(nulSeparated(child.stdout));
  await Promise.all([feeding, done]);
  return files;
}

/**
 * Per commit: its id; then raw records (`:modes ids status`, path, and a second path after R or C); then as many numstat
 * records (`added TAB removed TAB path`, or an empty path followed by both paths).
 */
async function parseDiffTree(tokens: AsyncGenerator<string>): Promise<Map<string, FileTruth[]>> {
  const take = async (): Promise<string> => {
    const { value, done } = await tokens.next();
    if (done === true) throw new Error('git diff-tree ended within a record');
    return value;
  };
  const result = new Map<string, FileTruth[]>();
  let files: FileTruth[] = [];
  let counted = 0;
  for (let next = await tokens.next(); next.done !== true; next = await tokens.next()) {
    const token = next.value;
    if (token.startsWith(':')) {
      files.push(await rawRecord(token, take));
    } else if (token.includes('\t')) {
      const file = files[counted];
      if (file === undefined) throw new Error(`git counted a file that it did not list: ${token}`);
      files[counted] = await withCounts(file, token, take);
      counted += 1;
    } else {
      if (counted !== files.length) throw new Error(`git listed files that it did not count before ${token}`);
      files = [];
      counted = 0;
      result.set(token, files);
    }
  }
  if (counted !== files.length) throw new Error('git listed files at the end that it did not count');
  return result;
}

async function rawRecord(token: string, take: () => Promise<string>): Promise<FileTruth> {
  const [sourceMode = '', destinationMode = '', , , verdict = ''] = token.slice(1).split(' ');
  const status = statusOf(verdict);
  const first = await take();
  const second = status === 'R' || status === 'C' ? await take() : first;
  return {
    status,
    sourcePath: status === 'A' ? null : first,
    destinationPath: status === 'D' ? null : second,
    sourceMode,
    destinationMode,
    added: 0,
    removed: 0,
    binary: false,
  };
}

async function withCounts(file: FileTruth, token: string, take: () => Promise<string>): Promise<FileTruth> {
  const [, added = '', removed = '', inlinePath = ''] = /^(\d+|-)\t(\d+|-)\t(.*)$/s.exec(token) ?? [];
  const source = inlinePath === '' ? await take() : inlinePath;
  const path = inlinePath === '' ? await take() : inlinePath;
  if (path !== (file.destinationPath ?? file.sourcePath) || (inlinePath === '' && source !== file.sourcePath)) {
    throw new Error(`git counts ${path} where it listed ${file.destinationPath ?? file.sourcePath}`);
  }
  const binary = added === '-';
  return { ...file, binary, added: binary ? 0 : Number(added), removed: binary ? 0 : Number(removed) };
}

function statusOf(verdict: string): ChangeStatus {
  const letter = verdict.charAt(0);
  if (letter === 'A' || letter === 'M' || letter === 'D' || letter === 'R' || letter === 'C' || letter === 'T') {
    return letter;
  }
  throw new Error(`unknown status ${verdict}`);
}

/** The NUL-terminated strings of a stream. */
async function* nulSeparated(stream: Readable): AsyncGenerator<string> {
  let pieces: Buffer[] = [];
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    let start = 0;
    for (let end = chunk.indexOf(0); end !== -1; end = chunk.indexOf(0, start)) {
      pieces.push(chunk.subarray(start, end));
      yield Buffer.concat(pieces).toString('utf8');
      pieces = [];
      start = end + 1;
    }
    if (start < chunk.length) pieces.push(chunk.subarray(start));
  }
  if (pieces.length > 0) throw new Error('a string without its NUL at the end of the stream');
}
