/** One file of a commit: where it was, where it is, and how many lines came and went. */
export interface FileChange {
  /** Full path before the commit; null when the commit adds the file. */
  readonly sourcePath: string | null;
  /** Full path after the commit; null when the commit deletes the file. */
  readonly destinationPath: string | null;
  readonly linesAdded: number;
  readonly linesRemoved: number;
}

export interface CommitFiles {
  readonly files: readonly FileChange[];
  /** The server cut the diff short: the counts are lower bounds and files may be missing. */
  readonly truncated: boolean;
}

/**
 * Git writes a change of type (a file that becomes a symbolic link) as a deletion followed by an addition of the same
 * path. It is one file all the same, as in `git diff --numstat`.
 */
export function appendFileChange(files: FileChange[], change: FileChange): void {
  const last = files.at(-1);
  const isTypeChange =
    last !== undefined &&
    last.destinationPath === null &&
    change.sourcePath === null &&
    last.sourcePath === change.destinationPath;
  if (!isTypeChange) {
    files.push(change);
    return;
  }
  files[files.length - 1] = {
    sourcePath: last.sourcePath,
    destinationPath: change.destinationPath,
    linesAdded: last.linesAdded + change.linesAdded,
    linesRemoved: last.linesRemoved + change.linesRemoved,
  };
}
