import { Buffer } from 'node:buffer';
import fc from 'fast-check';
import type { FileChange } from '../../../src/bitbucket/file-change.ts';
import type { BitbucketJsonDiff } from '../../../src/bitbucket/types.ts';

/**
 * Changes invented by fast-check and written down the way git writes them, so that a count can be held against what was
 * invented. It shares nothing with the code under test.
 */
export interface InventedDiff {
  readonly sections: readonly Section[];
  readonly style: Style;
}

/** One file of a diff: its header and its hunks. */
interface Section {
  readonly change: Change;
  readonly hunks: readonly Hunk[];
}

type Change =
  | { readonly kind: 'modified' | 'added' | 'deleted' | 'binary' | 'mode' | 'empty' | 'emptied'; readonly path: string }
  | { readonly kind: 'renamed' | 'copied'; readonly path: string; readonly from: string };

interface Hunk {
  readonly lines: readonly Line[];
  readonly heading: string;
  /** Index of the line behind which git says that the file ends without a line feed. */
  readonly noNewlineAfter: number;
}

interface Line {
  readonly sign: ' ' | '+' | '-';
  readonly content: Buffer;
}

interface Style {
  readonly prefixes: readonly [source: string, destination: string];
  /** git's core.quotePath: whether bytes beyond ASCII are escaped. */
  readonly quotesUnicode: boolean;
  readonly leavesOutLengthOne: boolean;
}

/** Anything that may be in a file, above all what looks like a part of a diff. */
export const CANARY = 'canary-of-the-source';
const content: fc.Arbitrary<Buffer> = fc.oneof(
  fc
    .constantFrom(
      '',
      '-- src://a',
      '++ dst://a',
      '-- a/b\t',
      '@@ -1 +1 @@',
      'diff --git a/x b/x',
      '\\ No newline at end of file',
      'rename from x',
      'Binary files a and b differ',
      '\r',
      'tail of CRLF\r',
      `${CANARY} äöü 🚀`,
    )
    .map((text) => Buffer.from(text)),
  fc.uint8Array({ maxLength: 30 }).map((bytes) => Buffer.from(bytes.filter((byte) => byte !== 0x0a))),
  fc.integer({ min: 100, max: 3000 }).map((length) => Buffer.alloc(length, CANARY)),
);

export const NO_NEWLINE = '\\ No newline at end of file\n';

const hunk = (signs: readonly Line['sign'][]): fc.Arbitrary<Hunk> =>
  fc.record({
    lines: fc.array(fc.record({ sign: fc.constantFrom(...signs), content }), { minLength: 1, maxLength: 8 }),
    heading: fc.constantFrom('', ` ${CANARY}`, ' @@ -9,9 +9,9 @@', ' ü'),
    noNewlineAfter: fc.integer({ min: -1, max: 10 }),
  });

const name = fc.oneof(
  fc.constantFrom(
    'a',
    'b',
    'src:',
    'x b',
    'b dst:',
    ' ',
    'naïve',
    '🚀.md',
    '"quoted"',
    'back\\slash',
    'tab\there',
    'line\nfeed',
  ),
  fc
    .string({ unit: 'binary', minLength: 1, maxLength: 6 })
    .map((text) => text.replaceAll('/', '_').replaceAll('\0', '_')),
);
const path = fc.array(name, { minLength: 1, maxLength: 3 }).map((names) => names.join('/').toWellFormed());

const section = (own: string, other: string): fc.Arbitrary<Section> =>
  fc.oneof(
    fc.record({
      change: fc.constant({ kind: 'modified', path: own } as const),
      hunks: fc.array(hunk([' ', '+', '-']), { minLength: 1, maxLength: 3 }),
    }),
    fc.record({
      change: fc.constant({ kind: 'added', path: own } as const),
      hunks: fc.array(hunk(['+']), { minLength: 1, maxLength: 1 }),
    }),
    fc.record({
      change: fc.constant({ kind: 'deleted', path: own } as const),
      hunks: fc.array(hunk(['-']), { minLength: 1, maxLength: 1 }),
    }),
    fc.record({
      change: fc.record({
        kind: fc.constantFrom('renamed', 'copied'),
        path: fc.constant(own),
        from: fc.constant(other),
      }),
      hunks: fc.array(hunk([' ', '+', '-']), { maxLength: 2 }),
    }),
    fc.record({
      change: fc.record({ kind: fc.constantFrom('binary', 'mode', 'empty', 'emptied'), path: fc.constant(own) }),
      hunks: fc.constant([]),
    }),
  );

export const inventedDiff: fc.Arbitrary<InventedDiff> = fc.record({
  sections: fc
    .uniqueArray(path, { maxLength: 8 })
    .chain((paths) =>
      fc.tuple(...paths.flatMap((own, at) => (at % 2 === 0 ? [] : [section(own, paths[at - 1] ?? '')]))),
    ),
  style: fc.record({
    prefixes: fc.constantFrom(['src://', 'dst://'] as const, ['a/', 'b/'] as const),
    quotesUnicode: fc.boolean(),
    leavesOutLengthOne: fc.boolean(),
  }),
});

/** What a count has to find. */
export function fileChanges(diff: InventedDiff): FileChange[] {
  return diff.sections.map(({ change, hunks }) => {
    const count = (sign: Line['sign']) =>
      hunks.flatMap(({ lines }) => lines).filter((line) => line.sign === sign).length;
    return {
      sourcePath: ['added', 'empty'].includes(change.kind) ? null : 'from' in change ? change.from : change.path,
      destinationPath: ['deleted', 'emptied'].includes(change.kind) ? null : change.path,
      linesAdded: count('+'),
      linesRemoved: count('-'),
    };
  });
}

/**
 * The text, in pieces after each of which it may end without anything missing: a header with its first hunk, or one
 * further hunk.
 */
export function diffText(diff: InventedDiff): Buffer[] {
  return diff.sections.flatMap((section) => {
    const header = Buffer.from(
      headerLines(section, diff.style)
        .map((line) => `${line}\n`)
        .join(''),
    );
    const [first, ...others] = section.hunks.map((hunk) => hunkText(hunk, diff.style));
    return [Buffer.concat([header, first ?? Buffer.alloc(0)]), ...others];
  });
}

/** What remains of a diff of which only so many pieces have come. */
export function firstPieces(diff: InventedDiff, pieces: number): InventedDiff {
  let left = pieces;
  const sections = diff.sections.flatMap((section) => {
    const hunks = section.hunks.slice(0, left);
    const isThere = left > 0;
    left -= Math.max(1, hunks.length);
    return isThere ? [{ ...section, hunks }] : [];
  });
  return { ...diff, sections };
}

function headerLines({ change, hunks }: Section, style: Style): string[] {
  const [source, destination] = style.prefixes;
  const from = 'from' in change ? change.from : change.path;
  const old = quoted(source + from, style);
  const now = quoted(destination + change.path, style);
  const tab = (path: string) => (path.includes(' ') ? '\t' : '');
  const index = 'index 1111111..2222222 100644';
  const fileLines = [`--- ${old}${tab(from)}`, `+++ ${now}${tab(change.path)}`];
  const first = `diff --git ${old} ${now}`;
  switch (change.kind) {
    case 'modified':
      return [first, index, ...fileLines];
    case 'added':
      return [first, 'new file mode 100644', 'index 0000000..2222222', '--- /dev/null', fileLines[1] ?? ''];
    case 'deleted':
      return [first, 'deleted file mode 100644', 'index 1111111..0000000', fileLines[0] ?? '', '+++ /dev/null'];
    case 'binary':
      return [first, index, `Binary files ${old} and ${now} differ`];
    case 'mode':
      return [first, 'old mode 100644', 'new mode 100755'];
    case 'empty':
      return [first, 'new file mode 100644', 'index 0000000..e69de29'];
    case 'emptied':
      return [first, 'deleted file mode 100644', 'index e69de29..0000000'];
    default: {
      const verb = change.kind === 'renamed' ? 'rename' : 'copy';
      return [
        first,
        `similarity index ${hunks.length === 0 ? '100' : '87'}%`,
        `${verb} from ${quoted(from, style)}`,
        `${verb} to ${quoted(change.path, style)}`,
        ...(hunks.length === 0 ? [] : [index, ...fileLines]),
      ];
    }
  }
}

function hunkText({ lines, heading, noNewlineAfter }: Hunk, style: Style): Buffer {
  const range = (sign: Line['sign']) => {
    const length = lines.filter((line) => line.sign === ' ' || line.sign === sign).length;
    if (length === 1 && style.leavesOutLengthOne) return '7';
    return `${length === 0 ? 6 : 7},${length}`;
  };
  return Buffer.concat([
    Buffer.from(`@@ -${range('-')} +${range('+')} @@${heading}\n`),
    ...lines.flatMap((line, at) => [
      Buffer.from(line.sign),
      line.content,
      Buffer.from(at === noNewlineAfter ? `\n${NO_NEWLINE}` : '\n'),
    ]),
  ]);
}

const NAMED_ESCAPES: Readonly<Record<number, string>> = {
  7: 'a',
  8: 'b',
  9: 't',
  10: 'n',
  11: 'v',
  12: 'f',
  13: 'r',
  34: '"',
  92: '\\',
};

function quoted(name: string, style: Style): string {
  const bytes = [...Buffer.from(name)];
  const needsEscape = (byte: number) =>
    byte < 0x20 || byte === 0x7f || byte === 0x22 || byte === 0x5c || (byte >= 0x80 && style.quotesUnicode);
  if (!bytes.some(needsEscape)) return name;
  const escaped = bytes.flatMap((byte) => {
    if (!needsEscape(byte)) return [byte];
    return [...Buffer.from(`\\${NAMED_ESCAPES[byte] ?? byte.toString(8).padStart(3, '0')}`)];
  });
  return `"${Buffer.from(escaped).toString()}"`;
}

/** The bytes, cut at any places, in chunks that share one piece of memory which each overwrites. */
export async function* chunked(bytes: Uint8Array, cuts: readonly number[]): AsyncGenerator<Uint8Array> {
  const memory = Buffer.alloc(bytes.length);
  const borders = [...cuts.map((cut) => cut % (bytes.length + 1)), bytes.length].sort((a, b) => a - b);
  let from = 0;
  for (const to of borders) {
    memory.fill(0x2b);
    memory.set(bytes.subarray(from, to));
    yield memory.subarray(0, to - from);
    from = to;
  }
}

export const everyByte = (bytes: Uint8Array) => Array.from(bytes.keys());

/** The same diff in the JSON form, as the server writes it: with the text of the lines, and paths that hide `toString`. */
export function jsonDiff(diff: InventedDiff): BitbucketJsonDiff {
  return {
    truncated: false,
    diffs: fileChanges(diff).map((file, at) => {
      const hunks = diff.sections[at]?.hunks ?? [];
      return {
        source: jsonPath(file.sourcePath),
        destination: jsonPath(file.destinationPath),
        truncated: false,
        ...(hunks.length > 0 && { hunks: hunks.map(jsonHunk) }),
      };
    }),
  };
}

function jsonPath(path: string | null) {
  if (path === null) return null;
  const components = path.split('/');
  return { components, parent: components.slice(0, -1).join('/'), name: components.at(-1) ?? '', toString: path };
}

function jsonHunk({ lines }: Hunk) {
  const segments: { type: string; truncated: false; lines: { line: string; truncated: false }[] }[] = [];
  for (const { sign, content } of lines) {
    const type = { ' ': 'CONTEXT', '+': 'ADDED', '-': 'REMOVED' }[sign];
    if (segments.at(-1)?.type !== type) segments.push({ type, truncated: false, lines: [] });
    segments.at(-1)?.lines.push({ line: content.toString(), truncated: false });
  }
  return { segments, truncated: false };
}
