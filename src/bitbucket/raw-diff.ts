import { Buffer } from 'node:buffer';
import { SatelliteError } from '../errors.ts';
import { type CommitFiles, FileChangeList } from './file-change.ts';
import { type DiffHeader, headerPaths, readHeaderLine } from './raw-diff-header.ts';

/**
 * Counts a raw git diff as it streams past, without ever holding a line of source: inside a hunk only the first byte of
 * each line is looked at.
 *
 * - **between files**: at the start, and after the last line of a hunk. A `diff --git` line opens a file, an `@@` line
 *   the next hunk. Anything else is not a diff and ends the count: an error page must not pass for an empty commit.
 * - **in a header**: from a `diff --git` line on, until the first `@@` line or the next `diff --git`. The lines are kept
 *   for as long as it takes to read them.
 * - **in a hunk**: for as many lines as its `@@` line announces, and never by what a line looks like: a removed line that
 *   begins with `-- ` reads `--- `, just like a header.
 *
 * Git ends every line with a line feed, and the server passes its output through, so a text that ends anywhere else, in
 * a hunk or in a header that announces more has been cut: better no count than one that is too low and kept for ever.
 *
 * @throws SatelliteError `BITBUCKET_DIFF_INCOMPLETE` (retryable) when the text was cut.
 * @throws SatelliteError `BITBUCKET_DIFF_UNREADABLE` (unsupported) when it is not a diff of two commits.
 */
export async function countRawDiff(chunks: AsyncIterable<Uint8Array>): Promise<CommitFiles> {
  const counter = new DiffCounter();
  for await (const chunk of chunks) counter.take(Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength));
  return counter.finish();
}

/** Two quoted names of the longest path a file system allows fit well into it. */
const MAX_HEADER_LINE_BYTES = 256 * 1024;

const LINE_FEED = 0x0a;
const SPACE = 0x20;
const PLUS = 0x2b;
const MINUS = 0x2d;
const BACKSLASH = 0x5c;
/** Of `\ No newline at end of file`, which is about the line before it and counts for nothing. */
const REMARK_START = Buffer.of(BACKSLASH);
const FILE_START = Buffer.from('diff --git ');
/** `diff --cc` and `diff --combined`. */
const MERGE_START = Buffer.from('diff --c');
const HUNK_START = Buffer.from('@@');

class DiffCounter {
  readonly #files = new FileChangeList();
  #header: DiffHeader | undefined;
  #inHeader = false;
  #linesAdded = 0;
  #linesRemoved = 0;
  /** Lines of the open hunk that are still to come, on either side. */
  #oldLinesLeft = 0;
  #newLinesLeft = 0;
  /** The last chunk ended within a line of a hunk, whose first byte has been seen. */
  #skipsLine = false;
  /** The beginning of a header line of which the last chunk did not have the end. */
  #lineParts: Buffer[] = [];
  #linePartsBytes = 0;

  take(chunk: Buffer): void {
    let at = 0;
    while (at < chunk.length) {
      if (this.#skipsLine) at = this.#skipLine(chunk, at);
      else if (this.#oldLinesLeft > 0 || this.#newLinesLeft > 0) at = this.#takeHunkLines(chunk, at);
      else at = this.#takeHeaderLine(chunk, at);
    }
  }

  finish(): CommitFiles {
    const endsInHunk = this.#skipsLine || this.#oldLinesLeft > 0 || this.#newLinesLeft > 0;
    const endsInLine = this.#linePartsBytes > 0;
    const endsInHeader = this.#inHeader && !this.#header?.isComplete;
    if (endsInLine && !this.#couldBegin(Buffer.concat(this.#lineParts))) throw textOfNoFile();
    if (endsInHunk || endsInLine || endsInHeader) {
      throw new SatelliteError('The diff ends in the middle', {
        code: 'BITBUCKET_DIFF_INCOMPLETE',
        kind: 'retryable',
        hint: 'Bitbucket, or a proxy in between, closed the answer early; the commit is asked for again.',
      });
    }
    this.#closeFile();
    return this.#files.end(false);
  }

  #skipLine(chunk: Buffer, from: number): number {
    const end = chunk.indexOf(LINE_FEED, from);
    this.#skipsLine = end < 0;
    return end < 0 ? chunk.length : end + 1;
  }

  #takeHunkLines(chunk: Buffer, from: number): number {
    let at = from;
    let oldLinesLeft = this.#oldLinesLeft;
    let newLinesLeft = this.#newLinesLeft;
    while (at < chunk.length && (oldLinesLeft > 0 || newLinesLeft > 0)) {
      switch (chunk[at]) {
        case PLUS:
          newLinesLeft -= 1;
          this.#linesAdded += 1;
          break;
        case MINUS:
          oldLinesLeft -= 1;
          this.#linesRemoved += 1;
          break;
        case SPACE:
        case LINE_FEED: // an empty line of context whose blank was trimmed on the way
          oldLinesLeft -= 1;
          newLinesLeft -= 1;
          break;
        case BACKSLASH:
          break;
        default:
          throw unreadable('a line of a hunk begins with an unknown sign');
      }
      const end = chunk.indexOf(LINE_FEED, at);
      this.#skipsLine = end < 0;
      at = end < 0 ? chunk.length : end + 1;
    }
    if (oldLinesLeft < 0 || newLinesLeft < 0) throw unreadable('a hunk is longer than it says');
    this.#oldLinesLeft = oldLinesLeft;
    this.#newLinesLeft = newLinesLeft;
    return at;
  }

  #takeHeaderLine(chunk: Buffer, from: number): number {
    const end = chunk.indexOf(LINE_FEED, from);
    const part = chunk.subarray(from, end < 0 ? chunk.length : end);
    if (this.#linePartsBytes + part.length > MAX_HEADER_LINE_BYTES) throw unreadable('a header line is too long');
    if (end < 0) {
      // A copy: whoever made the chunk may use its memory again.
      this.#lineParts.push(Buffer.from(part));
      this.#linePartsBytes += part.length;
      return chunk.length;
    }
    const line = this.#linePartsBytes === 0 ? part : Buffer.concat([...this.#lineParts, part]);
    this.#lineParts = [];
    this.#linePartsBytes = 0;
    this.#readLine(line);
    return end + 1;
  }

  #readLine(line: Buffer): void {
    if (startsWith(line, FILE_START)) {
      this.#openFile(line.toString('latin1', FILE_START.length));
    } else if (this.#header && startsWith(line, HUNK_START)) {
      this.#openHunk(line);
    } else if (this.#header && this.#inHeader) {
      if (startsWith(line, MERGE_START)) throw unreadable('it compares with several parents at once');
      readHeaderLine(this.#header, line.toString('latin1'));
    } else if (line.length > 0 && !(this.#header && startsWith(line, REMARK_START))) {
      throw textOfNoFile();
    }
  }

  /** What is left when the text ends without a line feed: the beginning of something, or no diff at all. */
  #couldBegin(line: Buffer): boolean {
    const starts = this.#header ? [FILE_START, HUNK_START, REMARK_START] : [FILE_START];
    return this.#inHeader || starts.some((start) => startsWith(line, start.subarray(0, line.length)));
  }

  #openFile(names: string): void {
    this.#closeFile();
    this.#header = { names };
    this.#inHeader = true;
  }

  #closeFile(): void {
    if (!this.#header) return;
    const paths = headerPaths(this.#header);
    if (!paths) throw unreadable('a file has no name');
    this.#files.add({ ...paths, linesAdded: this.#linesAdded, linesRemoved: this.#linesRemoved });
    this.#header = undefined;
    this.#linesAdded = 0;
    this.#linesRemoved = 0;
  }

  #openHunk(line: Buffer): void {
    const lengths = hunkLengths(line);
    if (!lengths) throw unreadable('the head of a hunk is not one');
    this.#oldLinesLeft = lengths.oldLines;
    this.#newLinesLeft = lengths.newLines;
    this.#inHeader = false;
  }
}

const HUNK_LENGTHS = /^@@ -\d+(?:,(\d+))? \+\d+(?:,(\d+))? @@$/;

/** A length of 1 may be left out. What follows the second `@@` is a line of source, which never becomes a string. */
function hunkLengths(line: Buffer): { readonly oldLines: number; readonly newLines: number } | undefined {
  const end = line.indexOf(' @@', HUNK_START.length);
  const match = HUNK_LENGTHS.exec(line.toString('latin1', 0, end + 3));
  return match ? { oldLines: Number(match[1] ?? 1), newLines: Number(match[2] ?? 1) } : undefined;
}

function startsWith(line: Buffer, start: Buffer): boolean {
  return line.length >= start.length && start.compare(line, 0, start.length) === 0;
}

function textOfNoFile(): SatelliteError {
  return unreadable('there is text that belongs to no file');
}

/** The message never quotes the text: it may be source. */
function unreadable(reason: string): SatelliteError {
  return new SatelliteError(`The answer is not a git diff of two commits: ${reason}`, {
    code: 'BITBUCKET_DIFF_UNREADABLE',
    kind: 'unsupported',
    hint: 'The files of the commit are read in the JSON form instead.',
  });
}
