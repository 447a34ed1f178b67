import type { Git } from './git.ts';

export interface Person {
  readonly name: string;
  readonly email: string;
}

/** What `git log` says of a commit, before it has its place in the graph. */
export interface LoggedCommit {
  readonly id: string;
  readonly parentIds: readonly string[];
  readonly author: Person;
  /** Epoch milliseconds of whole seconds, as Bitbucket has them. */
  readonly authorTimestamp: number;
  readonly committer: Person;
  readonly committerTimestamp: number;
  readonly message: string;
}

// No name or address can hold a line break and no message a NUL: with the message last this needs no escaping.
const format = '--format=%H%n%P%n%an%n%ae%n%at%n%cn%n%ce%n%ct%n%B';

/**
 * The commits reachable from `tips` and not from `known`, parents before children, read by one git process.
 * Tips that are gone by now are left out.
 */
export async function readCommitLog(
  git: Git,
  gitDir: string,
  tips: readonly string[],
  known: readonly string[],
): Promise<LoggedCommit[]> {
  if (tips.length === 0) return [];
  const input = `${[...tips, ...known.map((id) => `^${id}`)].join('\n')}\n`;
  const args = ['-c', 'i18n.logOutputEncoding=UTF-8', 'log', '-z', '--topo-order', '--reverse', '--ignore-missing'];
  args.push(format, '--stdin');
  const text = await git.text(gitDir, args, { input });
  return text
    .split('\0')
    .filter((record) => record !== '')
    .map(parseRecord);
}

function parseRecord(record: string): LoggedCommit {
  const fields: string[] = [];
  let offset = 0;
  for (let field = 0; field < 8; field += 1) {
    const end = record.indexOf('\n', offset);
    fields.push(record.slice(offset, end));
    offset = end + 1;
  }
  const [id = '', parents = '', an = '', ae = '', at = '', cn = '', ce = '', ct = ''] = fields;
  return {
    id,
    parentIds: parents === '' ? [] : parents.split(' '),
    author: { name: an, email: ae },
    authorTimestamp: Number(at) * 1000,
    committer: { name: cn, email: ce },
    committerTimestamp: Number(ct) * 1000,
    message: record.slice(offset).replace(/\n+$/, ''),
  };
}
