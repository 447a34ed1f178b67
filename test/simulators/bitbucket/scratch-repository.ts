import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir } from 'node:fs/promises';
import { promisify } from 'node:util';

/** Real git repositories for tests, whole histories written by one process. */

export interface ScratchCommit {
  /** A branch (short) or a full ref; its tip is the first parent unless `from` says otherwise. */
  readonly branch: string;
  readonly message?: string;
  /** Epoch seconds; one minute after the commit before when left out. */
  readonly at?: number;
  readonly authorAt?: number;
  /** `Name <address>` */
  readonly author?: string;
  readonly committer?: string;
  /** Content by path; null deletes. */
  readonly files?: Readonly<Record<string, string | Buffer | null>>;
  readonly renames?: Readonly<Record<string, string>>;
  /** Path to mode: `100755`, `120000`, … for files of this commit. */
  readonly modes?: Readonly<Record<string, string>>;
  /** Path to commit id. */
  readonly submodules?: Readonly<Record<string, string>>;
  /** A branch, an id, or null for no parent at all. */
  readonly from?: string | null;
  /** Branches or ids that are merged in. Files are not: name them. */
  readonly merge?: readonly string[];
}

const run = promisify(execFile);
const environment = { PATH: process.env.PATH, GIT_CONFIG_NOSYSTEM: '1', GIT_CONFIG_GLOBAL: '/dev/null' };
const person = 'Ada Lovelace <ada@example.com>';

export class ScratchRepository {
  readonly gitDir: string;
  #at = 1_700_000_000;

  constructor(gitDir: string) {
    this.gitDir = gitDir;
  }

  /** A bare repository whose HEAD names `defaultBranch`; empty until something is committed. */
  static async create(gitDir: string, defaultBranch = 'main'): Promise<ScratchRepository> {
    await mkdir(gitDir, { recursive: true });
    await run('git', ['init', '--quiet', '--bare', `--initial-branch=${defaultBranch}`, gitDir], { env: environment });
    return new ScratchRepository(gitDir);
  }

  /** What git says, without the last line break. */
  async git(...args: string[]): Promise<string> {
    const options = { env: environment, maxBuffer: 2 ** 28, cwd: this.gitDir };
    return (await run('git', [`--git-dir=${this.gitDir}`, ...args], options)).stdout.replace(/\n$/, '');
  }

  /** Resolves with the ids in the order of the commits. */
  async commit(...commits: readonly ScratchCommit[]): Promise<string[]> {
    const chunks: (string | Buffer)[] = ['feature done\n'];
    const refs = (await this.git('for-each-ref', '--format=%(refname) %(objectname)')).split('\n');
    const tips = new Map(refs.map((line) => line.split(' ') as [string, string]));
    for (const [index, commit] of commits.entries()) {
      chunks.push(...this.#statements(commit, index + 1, tips));
      tips.set(fullRef(commit.branch), `:${index + 1}`);
    }
    for (let mark = 1; mark <= commits.length; mark += 1) chunks.push(`get-mark :${mark}\n`);
    chunks.push('done\n');
    const child = spawn('git', [`--git-dir=${this.gitDir}`, 'fast-import', '--quiet', '--force', '--date-format=raw'], {
      env: environment,
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    const closed = once(child, 'close');
    child.stdin.end(Buffer.concat(chunks.map((chunk) => Buffer.from(chunk))));
    const output = (await child.stdout.setEncoding('utf8').toArray()).join('');
    const [exitCode] = await closed;
    if (exitCode !== 0) throw new Error(`git fast-import ended with ${exitCode}`);
    return output.trim().split('\n');
  }

  *#statements(commit: ScratchCommit, mark: number, tips: ReadonlyMap<string, string>): Generator<string | Buffer> {
    const at = commit.at ?? this.#at + 60;
    this.#at = at;
    const ref = fullRef(commit.branch);
    if (commit.from === null) yield `reset ${ref}\n`;
    yield `commit ${ref}\nmark :${mark}\n`;
    yield `author ${commit.author ?? person} ${commit.authorAt ?? at} +0000\n`;
    yield `committer ${commit.committer ?? commit.author ?? person} ${at} +0000\n`;
    yield* data(commit.message ?? `Commit ${mark} on ${commit.branch}`);
    const commitish = (name: string) => tips.get(fullRef(name)) ?? name;
    const from = commit.from === undefined ? tips.get(ref) : commit.from;
    if (from) yield `from ${commitish(from)}\n`;
    for (const merged of commit.merge ?? []) yield `merge ${commitish(merged)}\n`;
    for (const [from, to] of Object.entries(commit.renames ?? {})) yield `R ${quoted(from)} ${quoted(to)}\n`;
    for (const [path, id] of Object.entries(commit.submodules ?? {})) yield `M 160000 ${id} ${quoted(path)}\n`;
    for (const [path, content] of Object.entries(commit.files ?? {})) {
      if (content === null) {
        yield `D ${quoted(path)}\n`;
      } else {
        yield `M ${commit.modes?.[path] ?? '100644'} inline ${quoted(path)}\n`;
        yield* data(content);
      }
    }
    yield '\n';
  }
}

function* data(content: string | Buffer): Generator<string | Buffer> {
  const bytes = Buffer.from(content);
  yield `data ${bytes.length}\n`;
  yield bytes;
  yield '\n';
}

function fullRef(branch: string): string {
  return branch.startsWith('refs/') ? branch : `refs/heads/${branch}`;
}

function quoted(path: string): string {
  return `"${path.replace(/[\\"]/g, '\\$&').replace(/\n/g, '\\n')}"`;
}
