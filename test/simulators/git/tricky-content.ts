import type { Random } from './random.ts';

/**
 * Paths that have broken parsers. A path cannot hold `//` (git refuses an empty component), so the ` dst://` prefix of
 * Bitbucket's diffs can only be met halfway.
 */
export const oddPaths = [
  'odd/with space.txt',
  'odd/trailing space ',
  'odd/tab\there.txt',
  'odd/new\nline.txt',
  'odd/carriage\rreturn.txt',
  'odd/"quoted".txt',
  "odd/it's.txt",
  'odd/back\\slash.txt',
  'odd/octal\\303\\244.txt',
  '-leading-dash.txt',
  '--help',
  ':(glob)pathspec*.txt',
  'odd/grüße-日本語.txt',
  'odd/nfc-é.txt',
  'odd/nfd-e\u0301.txt',
  'odd/emoji-🚀.txt',
  'odd b/inside.txt',
  'odd b/odd b/inside.txt',
  'odd dst:/inside.txt',
  'src:/odd.txt',
  'odd/a => b.txt',
  'odd/{a => b}.txt',
  'odd/percent%20and+plus&amp;#.txt',
  'odd/question?.txt',
  'odd/.hidden',
  'odd/no-extension',
  'odd/many.dots.tar.gz',
  'odd/ends-with-dot.',
  'odd/constructor',
  'odd/__proto__',
  'odd/dev/null',
] as const;

/** Lines that look like a diff's own; what is removed of them appears as `--- …` and `+++ …` in a diff. */
export const lookalikeLines = {
  before: [
    '--- a/fake.txt',
    '+++ b/fake.txt',
    '@@ -1,2 +1,2 @@',
    '-- sql comment, removed: three dashes and a space in a diff',
    '-- another',
    '++ counter',
    'diff --git a/fake.txt b/fake.txt',
    'diff --git src://fake.txt dst://fake.txt',
    '\\ No newline at end of file',
    'Binary files a/x and b/x differ',
    'rename from fake.txt',
    '',
    ' leading space',
    '+',
    '-',
  ],
  /** Two lines removed (`-- sql…`, `@@…`), three added (`++ added…`, `diff --git…`, `\\ No newline…`). */
  after: [
    '--- a/fake.txt',
    '+++ b/fake.txt',
    '-- another',
    '++ counter',
    'diff --git a/fake.txt b/fake.txt',
    'diff --git src://fake.txt dst://fake.txt',
    '\\ No newline at end of file',
    'Binary files a/x and b/x differ',
    'rename from fake.txt',
    '',
    ' leading space',
    '+',
    '-',
    '++ added: three plus signs and a space in a diff',
    'diff --git a/second.txt b/second.txt',
    '\\ No newline at end of file',
  ],
} as const;

/**
 * Four lines to git, which splits at LF alone; more to a reader that also splits at CR, U+0085, U+2028 or form feed.
 * The NUL comes after the first 8000 bytes, where git no longer looks for one, so the file is text.
 */
export function separatorLines(version: number): string {
  return [
    `version ${version}`,
    'line\u2028separator paragraph\u2029separator next\u0085line',
    'vertical\u000btab form\u000cfeed lone\rreturn',
    `${'x'.repeat(9000)}\u0000late nul ${version}`,
    '',
  ].join('\n');
}

const megabyte = 1_000_000;

/** One line of a megabyte. */
export function longLine(canary: string, tail: string): string {
  const unit = `${canary} `;
  return `${unit.repeat(Math.ceil(megabyte / unit.length)).slice(0, megabyte - tail.length)}${tail}\n`;
}

/** Lines that differ in their number, so that the counts of a diff do not depend on the seed. */
export function numberedLines(random: Random, canary: string, label: string, count: number): string[] {
  return Array.from({ length: count }, (_, index) => `${label} ${index + 1}: ${random.words(4)} ${canary}`);
}

/** The lines as a file, each with its newline. */
export function text(lines: readonly string[]): string {
  return lines.map((line) => `${line}\n`).join('');
}

/** A copy with other text in the given lines (numbered from 1). */
export function changed(lines: readonly string[], ...numbers: readonly number[]): string[] {
  return lines.map((line, index) => (numbers.includes(index + 1) ? `${line}, changed` : line));
}
