import type { Commit } from './commit-graph.ts';
import type { GitRepository } from './git-repository.ts';
import { type Patch, parsePatch } from './patch.ts';

/** Two trees held against each other, one git process per question. */
export interface Comparison {
  /** Undefined: the empty tree. */
  readonly since: Commit | undefined;
  readonly until: Commit;
  /** Compare with where the two parted instead of with `since` itself. */
  readonly fromMergeBase?: boolean;
  readonly path?: string | undefined;
}

export interface PatchOptions {
  readonly contextLines: number;
  readonly ignoreWhitespace?: boolean;
}

export interface Change {
  readonly type: 'ADD' | 'MODIFY' | 'DELETE' | 'MOVE' | 'COPY' | 'UNKNOWN';
  readonly nodeType: 'FILE' | 'SUBMODULE';
  readonly path: string;
  readonly sourcePath: string | undefined;
  readonly percentUnchanged: number;
  readonly contentId: string;
  readonly fromContentId: string;
  /** Undefined where there is no file on that side. */
  readonly executable: boolean | undefined;
  readonly sourceExecutable: boolean | undefined;
}

const emptyTree = '4b825dc642cb6eb9a060e54bf8d69288fbee4904';

/** What git has said of two commits, of whichever copy of a repository: their ids say what is in them. */
const remembered = new Map<string, Buffer>();
const maxRemembered = 4_096;
const maxRememberedBytes = 16_384;

export function rawPatch(
  repository: GitRepository,
  comparison: Comparison,
  options: PatchOptions,
  signal?: AbortSignal,
): AsyncGenerator<Buffer, void> {
  const whitespace = options.ignoreWhitespace ? ['-w'] : [];
  const format = ['-p', `-U${options.contextLines}`, '--src-prefix=src://', '--dst-prefix=dst://', ...whitespace];
  return outputOf(repository, diffTree(comparison, format), signal);
}

export function parsedPatch(
  repository: GitRepository,
  comparison: Comparison,
  options: PatchOptions & { readonly maxLines: number },
  signal?: AbortSignal,
): Promise<Patch> {
  return parsePatch(rawPatch(repository, comparison, options, signal), options.maxLines);
}

export async function changesOf(
  repository: GitRepository,
  comparison: Comparison,
  signal?: AbortSignal,
): Promise<Change[]> {
  const args = diffTree(comparison, ['--raw', '-z', '--no-abbrev']);
  const chunks = await Array.fromAsync(outputOf(repository, args, signal));
  const fields = Buffer.concat(chunks).toString('utf8').split('\0');
  const changes: Change[] = [];
  for (let at = 0; at + 1 < fields.length; ) {
    const [sourceMode = '', mode = '', fromContentId = '', contentId = '', status = ''] = (fields[at] ?? '').split(' ');
    const isPair = status.startsWith('R') || status.startsWith('C');
    const path = fields[at + (isPair ? 2 : 1)] ?? '';
    changes.push({
      type: changeType(status),
      nodeType: mode === '160000' || sourceMode === ':160000' ? 'SUBMODULE' : 'FILE',
      path,
      sourcePath: isPair ? fields[at + 1] : undefined,
      percentUnchanged: isPair ? Number(status.slice(1)) : -1,
      contentId,
      fromContentId,
      executable: mode === '000000' ? undefined : mode === '100755',
      sourceExecutable: sourceMode === ':000000' ? undefined : sourceMode === ':100755',
    });
    at += isPair ? 3 : 2;
  }
  return changes;
}

async function* outputOf(
  repository: GitRepository,
  args: readonly string[],
  signal?: AbortSignal,
): AsyncGenerator<Buffer, void> {
  const key = args.join('\0');
  const known = remembered.get(key);
  if (known !== undefined) return yield known;
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of repository.git.stream(repository.gitDir, args, { signal })) {
    bytes += chunk.length;
    if (bytes <= maxRememberedBytes) chunks.push(chunk);
    yield chunk;
  }
  if (bytes > maxRememberedBytes) return;
  const [oldest] = remembered.keys();
  if (oldest !== undefined && remembered.size >= maxRemembered) remembered.delete(oldest);
  remembered.set(key, Buffer.concat(chunks));
}

function diffTree(comparison: Comparison, format: readonly string[]): string[] {
  const config = ['-c', 'core.quotePath=true', '-c', 'diff.suppressBlankEmpty=false', '--literal-pathspecs'];
  const fixed = ['diff-tree', '-r', '-M', '--no-color', '--no-ext-diff', '--no-textconv'];
  const mergeBase = comparison.fromMergeBase ? ['--merge-base'] : [];
  const trees = [comparison.since?.id ?? emptyTree, comparison.until.id];
  const paths = comparison.path === undefined ? [] : [comparison.path];
  return [...config, ...fixed, ...format, ...mergeBase, ...trees, '--', ...paths];
}

function changeType(status: string): Change['type'] {
  switch (status[0]) {
    case 'A':
      return 'ADD';
    case 'M':
    case 'T':
      return 'MODIFY';
    case 'D':
      return 'DELETE';
    case 'R':
      return 'MOVE';
    case 'C':
      return 'COPY';
    default:
      return 'UNKNOWN';
  }
}
