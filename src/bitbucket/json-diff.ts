import { type CommitFiles, FileChangeList } from './file-change.ts';
import type { BitbucketFileDiff, BitbucketJsonDiff, BitbucketPath } from './types.ts';

/**
 * The files and line counts of a diff in its JSON form (bitbucket-dc-rest §5 "Diff and line counts"). One `truncated`
 * flag, at whatever level, makes the whole answer truncated.
 */
export function countJsonDiff(diff: BitbucketJsonDiff): CommitFiles {
  const files = new FileChangeList();
  let truncated = diff.truncated === true;
  for (const file of diff.diffs ?? []) {
    const count = countFile(file);
    files.add({
      sourcePath: pathText(file.source),
      destinationPath: pathText(file.destination),
      linesAdded: count.added,
      linesRemoved: count.removed,
    });
    truncated ||= count.truncated;
  }
  return files.end(truncated);
}

function countFile(file: BitbucketFileDiff): { added: number; removed: number; truncated: boolean } {
  const count = { added: 0, removed: 0, truncated: file.truncated === true };
  for (const hunk of file.hunks ?? []) {
    count.truncated ||= hunk.truncated === true;
    for (const { type, lines, truncated } of hunk.segments ?? []) {
      if (type === 'ADDED') count.added += lines?.length ?? 0;
      if (type === 'REMOVED') count.removed += lines?.length ?? 0;
      count.truncated ||= truncated === true || (lines ?? []).some((line) => line.truncated === true);
    }
  }
  return count;
}

/** The full path; null for the side of a file that does not exist. */
function pathText(path: BitbucketPath | null | undefined): string | null {
  if (!path) return null;
  if (path.components && path.components.length > 0) return path.components.join('/');
  // A string in the answer, which hides the method: to call it, or to interpolate the path, would throw.
  const text: unknown = path.toString;
  return typeof text === 'string' && text !== '' ? text : null;
}
