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
  /** What was counted beyond `maxListedFiles` and is not in the list; absent where nothing was. */
  readonly omitted?: { readonly files: number; readonly linesAdded: number; readonly linesRemoved: number };
}

/**
 * The import of a whole tree may touch hundreds of thousands of files, and its record would not fit into memory: beyond
 * this many they still count for the commit, but are not listed one by one.
 */
export const maxListedFiles = 20_000;

/** The files of one diff while it is read. */
export class FileChangeList {
  readonly #files: FileChange[] = [];
  readonly #omitted = { files: 0, linesAdded: 0, linesRemoved: 0 };

  add(change: FileChange): void {
    if (this.#files.length < maxListedFiles) {
      appendFileChange(this.#files, change);
      return;
    }
    this.#omitted.files++;
    this.#omitted.linesAdded += change.linesAdded;
    this.#omitted.linesRemoved += change.linesRemoved;
  }

  end(truncated: boolean): CommitFiles {
    const files = this.#files;
    return this.#omitted.files === 0 ? { files, truncated } : { files, truncated, omitted: this.#omitted };
  }
}

/**
 * Git writes a change of type (a file that becomes a symbolic link) as a deletion followed by an addition of the same
 * path. It is one file all the same, as in `git diff --numstat`.
 */
function appendFileChange(files: FileChange[], change: FileChange): void {
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
