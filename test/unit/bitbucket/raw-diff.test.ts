import { Buffer } from 'node:buffer';
import { afterEach, describe, expect, jest, test } from '@jest/globals';
import fc from 'fast-check';
import { countRawDiff } from '../../../src/bitbucket/raw-diff.ts';
import {
  CANARY,
  chunked,
  diffText,
  everyByte,
  fileChanges,
  firstPieces,
  type InventedDiff,
  inventedDiff,
  NO_NEWLINE,
} from './diff-text.ts';

const count = (text: string | Uint8Array, cuts: readonly number[] = []) =>
  countRawDiff(chunked(Buffer.from(text), cuts));
const filesOf = async (text: string | Uint8Array) => (await count(text)).files;

/** The lines of one file: its two names, what git says between them and the hunks, and the hunks. */
const diffOf = (names: string, ...lines: string[]) => [`diff --git ${names}`, ...lines, ''].join('\n');

describe('counting', () => {
  test('an empty text is a commit without changes', async () => {
    expect(await count('')).toEqual({ files: [], truncated: false });
  });

  test('whatever the changes and however the text is cut into chunks, each file has its lines', async () => {
    await fc.assert(
      fc.asyncProperty(inventedDiff, fc.array(fc.nat()), async (diff, cuts) => {
        const text = Buffer.concat(diffText(diff));
        expect(await count(text, cuts)).toEqual({ files: fileChanges(diff), truncated: false });
      }),
      { numRuns: 500 },
    );
  });

  test('a border between chunks at every byte changes nothing', async () => {
    await fc.assert(
      fc.asyncProperty(inventedDiff, async (diff) => {
        const text = Buffer.concat(diffText(diff));
        expect((await count(text, everyByte(text))).files).toEqual(fileChanges(diff));
      }),
      { numRuns: 50 },
    );
  });

  test('a removed line that begins with "-- " and an added one that begins with "++ " are lines, not headers', async () => {
    const text = diffOf(
      'src://q.sql dst://q.sql',
      'index 1..2 100644',
      '--- src://q.sql',
      '+++ dst://q.sql',
      '@@ -1,2 +1,2 @@',
      '--- src://other.sql',
      '-x',
      '+++ dst://other.sql',
      '+diff --git src://a dst://a',
    );
    expect(await filesOf(text)).toEqual([
      { sourcePath: 'q.sql', destinationPath: 'q.sql', linesAdded: 2, linesRemoved: 2 },
    ]);
  });

  test.each([
    ['@@ -1 +1 @@', '-a', '+b'],
    ['@@ -1 +1,2 @@', '-a', '+b', '+c'],
    ['@@ -1,2 +1 @@ heading', '-a', '-b', '+c'],
    ['@@ -0,0 +1 @@', '+b'],
    ['@@ -1 +0,0 @@', '-b'],
    ['@@ -1,2 +1,2 @@', ' a', '-b', '\\ No newline at end of file', '+b'],
    ['@@ -1 +1 @@', '-a', '+b', '\\ No newline at end of file'],
    ['@@ -1,3 +1,3 @@', '', '-a', '+b', ''],
  ])('the hunk %s … is counted', async (...hunk) => {
    const text = diffOf('a/f b/f', 'index 1..2 100644', '--- a/f', '+++ b/f', ...hunk);
    const lines = hunk.slice(1);
    expect(await filesOf(`${text}${text.replaceAll('/f', '/g')}`)).toMatchObject(
      ['f', 'g'].map((path) => ({
        sourcePath: path,
        linesAdded: lines.filter((line) => line.startsWith('+')).length,
        linesRemoved: lines.filter((line) => line.startsWith('-')).length,
      })),
    );
  });

  test('lines of a megabyte are counted, with borders between chunks in the middle of a character', async () => {
    const line = `+${'🚀é'.repeat(170_000)}\n`;
    const names = ['new file mode 100644', 'index 0..1', '--- /dev/null', '+++ dst://f', '@@ -0,0 +1,20 @@'];
    const text = Buffer.from(diffOf('src://f dst://f', ...names) + line.repeat(20));
    const cuts = Array.from({ length: text.length / 65_537 }, (_, at) => at * 65_537);
    expect((await count(text, cuts)).files).toEqual([
      { sourcePath: null, destinationPath: 'f', linesAdded: 20, linesRemoved: 0 },
    ]);
  });
});

describe('files without lines', () => {
  const cases: [what: string, text: string, source: string | null, destination: string | null][] = [
    ['a change of mode', diffOf('src://run.sh dst://run.sh', 'old mode 100644', 'new mode 100755'), 'run.sh', 'run.sh'],
    ['a rename', diffOf('src://a b dst://c', 'similarity index 100%', 'rename from a b', 'rename to c'), 'a b', 'c'],
    ['a copy', diffOf('src://a dst://b', 'similarity index 100%', 'copy from a', 'copy to b'), 'a', 'b'],
    [
      'a rename with prefixes',
      diffOf('src://a dst://b', 'similarity index 100%', 'rename from src://a', 'rename to dst://b'),
      'a',
      'b',
    ],
    [
      'a changed binary',
      diffOf('src://i.png dst://i.png', 'index 1..2 100644', 'Binary files src://i.png and dst://i.png differ'),
      'i.png',
      'i.png',
    ],
    [
      'a new binary',
      diffOf(
        'src://i.png dst://i.png',
        'new file mode 100644',
        'index 0..2',
        'Binary files /dev/null and dst://i.png differ',
      ),
      null,
      'i.png',
    ],
    [
      'a deleted binary',
      diffOf(
        'src://i.png dst://i.png',
        'deleted file mode 100644',
        'index 1..0',
        'Binary files src://i.png and /dev/null differ',
      ),
      'i.png',
      null,
    ],
    ['a new empty file', diffOf('src://e dst://e', 'new file mode 100644', 'index 0000000..e69de29'), null, 'e'],
    [
      'a deleted empty file',
      diffOf('src://e dst://e', 'deleted file mode 100644', 'index e69de29..0000000'),
      'e',
      null,
    ],
    [
      'a new empty file under SHA-256',
      diffOf('src://e dst://e', 'new file mode 100644', 'index 0000000..473a0f4c3be8'),
      null,
      'e',
    ],
    [
      'a binary patch',
      diffOf(
        'src://i dst://i',
        'index 1..2 100644',
        'GIT binary patch',
        'literal 2',
        'JcmZQzWC&#w',
        '',
        'literal 1',
        'IcmZPo000310RR91',
        '',
      ),
      'i',
      'i',
    ],
  ];

  test.each(cases)('%s is a file with no lines', async (_what, text, sourcePath, destinationPath) => {
    const file = { sourcePath, destinationPath, linesAdded: 0, linesRemoved: 0 };
    expect(await filesOf(text)).toEqual([file]);
    const next = diffOf('src://next dst://next', 'old mode 100644', 'new mode 100755');
    expect(await filesOf(text + next)).toMatchObject([file, { sourcePath: 'next' }]);
  });

  test('a submodule that moves is a file with one line for another', async () => {
    const lines = [
      'index 1..2 160000',
      '--- src://lib',
      '+++ dst://lib',
      '@@ -1 +1 @@',
      '-Subproject commit 1',
      '+Subproject commit 2',
    ];
    expect(await filesOf(diffOf('src://lib dst://lib', ...lines))).toEqual([
      { sourcePath: 'lib', destinationPath: 'lib', linesAdded: 1, linesRemoved: 1 },
    ]);
  });

  test('a file that becomes a symbolic link is one file, not a deleted and an added one', async () => {
    const removed = [
      'deleted file mode 100644',
      'index 1..0',
      '--- src://f',
      '+++ /dev/null',
      '@@ -1,2 +0,0 @@',
      '-a',
      '-b',
    ];
    const added = ['new file mode 120000', 'index 0..2', '--- /dev/null', '+++ dst://f', '@@ -0,0 +1 @@', '+t'];
    expect(await filesOf(diffOf('src://f dst://f', ...removed) + diffOf('src://f dst://f', ...added))).toEqual([
      { sourcePath: 'f', destinationPath: 'f', linesAdded: 1, linesRemoved: 2 },
    ]);
  });

  test('a deleted file whose name another one takes over remains a file of its own', async () => {
    const removed = ['deleted file mode 100644', 'index 1..0', '--- a/f', '+++ /dev/null', '@@ -1 +0,0 @@', '-a'];
    const renamed = ['similarity index 100%', 'rename from g', 'rename to f'];
    expect(await filesOf(diffOf('a/f b/f', ...removed) + diffOf('a/g b/f', ...renamed))).toMatchObject([
      { sourcePath: 'f', destinationPath: null, linesRemoved: 1 },
      { sourcePath: 'g', destinationPath: 'f', linesRemoved: 0 },
    ]);
  });
});

describe('names', () => {
  const mode = ['old mode 100644', 'new mode 100755'];
  test.each([
    ['src://x b/x dst://x b/x', 'x b/x'],
    ['a/x b/x b/x b/x', 'x b/x'],
    ['a/b/b b/b/b', 'b/b'],
    ['src://a/f dst://a/f', 'a/f'],
    ['src://f dst:/f dst://f dst:/f', 'f dst:/f'],
    ['src://trailing  dst://trailing ', 'trailing '],
    ['"src://tab\\there" "dst://tab\\there"', 'tab\there'],
    ['"src://a\\"b\\\\c\\a\\b\\f\\n\\r\\v" "dst://a\\"b\\\\c\\a\\b\\f\\n\\r\\v"', 'a"b\\c\x07\b\f\n\r\v'],
    ['"src://caf\\303\\251 \\001.txt" "dst://caf\\303\\251 \\001.txt"', 'café \x01.txt'],
    ['src://日本語 dst://日本語', '日本語'],
    ['"src://latin1 \\351" "dst://latin1 \\351"', 'latin1 \ufffd'],
    ['same/name same/name', 'same/name'],
    ['a/x a/x', 'a/x'],
    ['b/x b/x', 'b/x'],
  ])('diff --git %s', async (names, path) => {
    expect(await filesOf(diffOf(names, ...mode))).toMatchObject([{ sourcePath: path, destinationPath: path }]);
  });

  test('the TAB behind a name with spaces is not part of the name', async () => {
    const lines = ['--- src://old name\t', '+++ dst://new name\t', '@@ -1 +1 @@', '-a', '+b'];
    expect(await filesOf(diffOf('src://old name dst://new name', ...lines))).toMatchObject([
      { sourcePath: 'old name', destinationPath: 'new name' },
    ]);
  });

  test('quoted names of a rename are unquoted each for itself', async () => {
    const lines = ['similarity index 100%', 'rename from "tab\\t"', 'rename to plain "quotes" inside'];
    expect(await filesOf(diffOf('"src://tab\\t" dst://plain', ...lines))).toMatchObject([
      { sourcePath: 'tab\t', destinationPath: 'plain "quotes" inside' },
    ]);
  });

  test('the names of a rename are taken from its own lines, even where the first line could be read as one name twice', async () => {
    const lines = ['similarity index 100%', 'rename from u', 'rename to v b/u b/v'];
    expect(await filesOf(diffOf('a/u b/v b/u b/v', ...lines))).toMatchObject([
      { sourcePath: 'u', destinationPath: 'v b/u b/v' },
    ]);
  });

  test('/dev/null stands for no file even where the mode line is missing', async () => {
    const added = ['index 0..1', '--- /dev/null', '+++ dst://n', '@@ -0,0 +1 @@', '+a'];
    const deleted = ['index 1..0', '--- src://o', '+++ /dev/null', '@@ -1 +0,0 @@', '-a'];
    expect(await filesOf(diffOf('src://n dst://n', ...added) + diffOf('src://o dst://o', ...deleted))).toMatchObject([
      { sourcePath: null, destinationPath: 'n' },
      { sourcePath: 'o', destinationPath: null },
    ]);
  });
});

describe('a text that was cut', () => {
  test('anywhere is refused; only between two hunks or two files can nobody tell', async () => {
    await fc.assert(
      fc.asyncProperty(inventedDiff, fc.array(fc.nat(), { maxLength: 30 }), async (diff, places) => {
        const pieces = diffText(diff);
        const text = Buffer.concat(pieces);
        const whole = new Map<number, InventedDiff>();
        let end = 0;
        for (const [at, piece] of [Buffer.alloc(0), ...pieces].entries()) {
          end += piece.length;
          whole.set(end, firstPieces(diff, at));
          // Without the remark on the missing line feed at its end a hunk is whole, too.
          if (piece.toString('latin1').endsWith(`\n${NO_NEWLINE}`)) {
            whole.set(end - NO_NEWLINE.length, firstPieces(diff, at));
          }
        }
        const borders = [...whole.keys()].flatMap((border) => [border - 1, border, border + 1]);
        for (const place of [...borders, ...places.map((place) => place % (text.length + 1))]) {
          const counted = count(text.subarray(0, Math.max(0, place)), places);
          const expected = whole.get(Math.min(Math.max(0, place), text.length));
          if (expected) expect((await counted).files).toEqual(fileChanges(expected));
          else await expect(counted).rejects.toMatchObject({ code: 'BITBUCKET_DIFF_INCOMPLETE', kind: 'retryable' });
        }
      }),
      { numRuns: 150 },
    );
  });

  test.each([
    ['a name and no more', diffOf('a/f b/f')],
    ['an old mode without the new one', diffOf('a/f b/f', 'old mode 100644')],
    ['a rename without its target', diffOf('a/f b/g', 'similarity index 100%', 'rename from f')],
    [
      'a rename that has changes, without them',
      diffOf('a/f b/g', 'similarity index 90%', 'rename from f', 'rename to g'),
    ],
    ['a new mode and blobs, without the hunks', diffOf('a/f b/f', 'old mode 100644', 'new mode 100755', 'index 1..2')],
    ['a mode and half of a rename', diffOf('a/f b/g', 'old mode 1', 'new mode 2', 'similarity index 100%')],
    ['a mode and the old name', diffOf('a/f b/f', 'old mode 1', 'new mode 2', '--- a/f')],
    ['the blobs, without the hunks', diffOf('a/f b/f', 'index 1..2 100644')],
    ['a new file with content, without the hunks', diffOf('a/f b/f', 'new file mode 100644', 'index 0000000..1234567')],
    ['the old name', diffOf('a/f b/f', 'index 1..2 100644', '--- a/f')],
    ['both names', diffOf('a/f b/f', 'index 1..2 100644', '--- a/f', '+++ b/f')],
    [
      'half of a binary patch',
      diffOf('a/f b/f', 'index 1..2', 'GIT binary patch', 'literal 1', 'IcmZPo', '', 'literal 1'),
    ],
    ['the head of a hunk', diffOf('a/f b/f', 'index 1..2', '--- a/f', '+++ b/f', '@@ -1 +1 @@')],
    ['the last line but for its line feed', `${diffOf('a/f b/f', '--- a/f', '+++ b/f', '@@ -0,0 +1 @@')}+a`],
  ])('behind %s is refused', async (_where, text) => {
    await expect(count(text)).rejects.toMatchObject({ code: 'BITBUCKET_DIFF_INCOMPLETE', kind: 'retryable' });
  });
});

describe('a text that is no diff', () => {
  const hunk = diffOf('a/f b/f', '--- a/f', '+++ b/f', '@@ -1 +1 @@', '-a', '+b');
  test.each([
    ['a web page', `<!doctype html>\n<title>${CANARY}</title>\n`],
    ['JSON on one line', `{"diffs":[],"truncated":false,"x":"${CANARY}"}`],
    ['one endless line', CANARY.repeat(100_000)],
    ['more lines than the hunk says', `${hunk}+${CANARY}\n`],
    ['an unknown sign in a hunk', hunk.replace('+b', `*${CANARY}`)],
    ['a hunk of which one side is longer', diffOf('a/f b/f', '--- a/f', '+++ b/f', '@@ -1 +1,2 @@', '-a', '-b', '+c')],
    ['the head of a hunk without numbers', diffOf('a/f b/f', `@@ ${CANARY}`)],
    [
      'a combined diff',
      diffOf('a/f b/f', 'old mode 100644', 'new mode 100755', 'diff --cc g', 'index 1,2..3', '@@@ -1 -1 +1 @@@'),
    ],
    ['a combined diff of a binary', diffOf('a/f b/f', 'index 1..2', 'Binary files', 'diff --cc g', 'Binary files')],
    ['a combined diff alone', 'diff --combined g\nindex 1,2..3\n'],
    ['a first line that is not two names', diffOf('a/f-b/f', 'old mode 1', 'new mode 2')],
    ['a file without a name', diffOf('a/f b/g', '--- a/f', '@@ -1 +1 @@', '-a', '+b')],
    ['a header line without an end', diffOf('a/f b/f', CANARY.repeat(100_000))],
  ])('%s is refused, and the error does not quote it', async (_what, text) => {
    for (const cuts of [[], everyByte(Buffer.from(text.slice(0, 2000)))]) {
      const error: unknown = await count(text, cuts).catch((thrown: unknown) => thrown);
      expect(error).toMatchObject({ code: 'BITBUCKET_DIFF_UNREADABLE', kind: 'unsupported' });
      expect(JSON.stringify(error) + String(error)).not.toContain(CANARY);
    }
  });
});

describe('source lines', () => {
  afterEach(() => {
    jest.restoreAllMocks();
  });

  test('never become a string', async () => {
    const strings: string[] = [];
    const original = Buffer.prototype.toString;
    const text = Buffer.from(
      diffOf('src://f dst://f', 'index 1..2 100644', '--- src://f', '+++ dst://f', `@@ -1,2 +1,2 @@ ${CANARY}`) +
        `-${CANARY}\n ${CANARY}\n+--- ${CANARY}\n`,
    );
    jest.spyOn(Buffer.prototype, 'toString').mockImplementation(function (this: Buffer, ...args) {
      const string = original.apply(this, args);
      strings.push(string);
      return string;
    });
    for (const cuts of [[], everyByte(text)]) await count(text, cuts);
    expect(strings.join('')).toContain('src://f');
    expect(strings.join('')).not.toContain(CANARY);
  });
});
