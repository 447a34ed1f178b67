import { StringDecoder } from 'node:string_decoder';
import { parseDiffHeader, unquotedPath } from './patch-header.ts';

/** A git patch in the shape of Bitbucket's JSON diff: what is cut off by the line cap is flagged at every level. */

type SegmentType = 'ADDED' | 'REMOVED' | 'CONTEXT';

type Segment = {
  readonly type: SegmentType;
  readonly lines: { source: number; destination: number; line: string; truncated: boolean }[];
  truncated: boolean;
};

type Hunk = {
  readonly context?: string;
  readonly sourceLine: number;
  readonly sourceSpan: number;
  readonly destinationLine: number;
  readonly destinationSpan: number;
  readonly segments: Segment[];
  truncated: boolean;
};

export interface FileDiff {
  source: string | null;
  destination: string | null;
  binary: boolean;
  readonly hunks: Hunk[];
  truncated: boolean;
}

export interface Patch {
  readonly diffs: FileDiff[];
  readonly truncated: boolean;
}

const hunkHeader = /^@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@ ?(.*)$/s;
const segmentTypes: Readonly<Record<string, SegmentType>> = { '+': 'ADDED', '-': 'REMOVED', ' ': 'CONTEXT' };

/** Reads no further than the cap: git is stopped with it. */
export async function parsePatch(chunks: AsyncIterable<Buffer>, maxLines: number): Promise<Patch> {
  const reader = new PatchReader(maxLines);
  const decoder = new StringDecoder('utf8');
  let rest = '';
  for await (const chunk of chunks) {
    const lines = (rest + decoder.write(chunk)).split('\n');
    rest = lines.pop() ?? '';
    if (!lines.every((line) => reader.read(line))) return { diffs: reader.diffs, truncated: true };
  }
  return { diffs: reader.diffs, truncated: false };
}

class PatchReader {
  readonly diffs: FileDiff[] = [];
  readonly #maxLines: number;
  #count = 0;
  #hunk: Hunk | undefined;
  #sourceLeft = 0;
  #destinationLeft = 0;

  constructor(maxLines: number) {
    this.#maxLines = maxLines;
  }

  /** False when the cap cuts here. */
  read(line: string): boolean {
    const diff = this.diffs.at(-1);
    if (this.#hunk && diff && this.#sourceLeft + this.#destinationLeft > 0) {
      return this.#readLine(line, diff, this.#hunk);
    }
    if (line.startsWith('diff --git ')) {
      if (this.#count >= this.#maxLines) return false;
      this.#hunk = undefined;
      this.diffs.push({ ...parseDiffHeader(line), binary: false, hunks: [], truncated: false });
    } else if (diff) {
      this.#readHeader(line, diff);
    }
    return true;
  }

  #readHeader(line: string, diff: FileDiff): void {
    const hunk = hunkHeader.exec(line);
    if (hunk) {
      const [, sourceLine, sourceSpan = '1', destinationLine, destinationSpan = '1', context = ''] = hunk;
      this.#sourceLeft = Number(sourceSpan);
      this.#destinationLeft = Number(destinationSpan);
      this.#hunk = {
        ...(context === '' ? {} : { context }),
        sourceLine: Number(sourceLine),
        sourceSpan: this.#sourceLeft,
        destinationLine: Number(destinationLine),
        destinationSpan: this.#destinationLeft,
        segments: [],
        truncated: false,
      };
      diff.hunks.push(this.#hunk);
    } else if (line.startsWith('new file mode ')) diff.source = null;
    else if (line.startsWith('deleted file mode ')) diff.destination = null;
    else if (line.startsWith('rename from ')) diff.source = unquotedPath(line.slice('rename from '.length));
    else if (line.startsWith('rename to ')) diff.destination = unquotedPath(line.slice('rename to '.length));
    else if (line.startsWith('Binary files ')) diff.binary = true;
  }

  #readLine(line: string, diff: FileDiff, hunk: Hunk): boolean {
    const type = segmentTypes[line[0] ?? ''];
    if (type === undefined) return true; // "\ No newline at end of file"
    let segment = hunk.segments.at(-1);
    const truncated = this.#count >= this.#maxLines;
    if (!truncated && segment?.type !== type) {
      segment = { type, lines: [], truncated: false };
      hunk.segments.push(segment);
    }
    if (truncated || !segment) {
      diff.truncated = true;
      hunk.truncated = true;
      if (segment) segment.truncated = true;
      return false;
    }
    segment.lines.push({
      source: hunk.sourceLine + hunk.sourceSpan - this.#sourceLeft,
      destination: hunk.destinationLine + hunk.destinationSpan - this.#destinationLeft,
      line: line.slice(1),
      truncated: false,
    });
    if (type !== 'ADDED') this.#sourceLeft -= 1;
    if (type !== 'REMOVED') this.#destinationLeft -= 1;
    this.#count += 1;
    return true;
  }
}
