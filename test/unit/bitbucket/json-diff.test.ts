import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { countJsonDiff } from '../../../src/bitbucket/json-diff.ts';
import type { BitbucketJsonDiff } from '../../../src/bitbucket/types.ts';
import { CANARY, fileChanges, inventedDiff, jsonDiff } from './diff-text.ts';

test('whatever the changes, each file has its lines, and no text of them remains', () => {
  fc.assert(
    fc.property(inventedDiff, (diff) => {
      const counted = countJsonDiff(jsonDiff(diff));
      expect(counted).toEqual({ files: fileChanges(diff), truncated: false });
      expect(JSON.stringify(counted)).not.toContain(CANARY);
    }),
  );
});

/** As the server would answer it: parsed from text, so that the types cannot make it better than it is. */
const count = (diff: object) => {
  const answer: BitbucketJsonDiff = JSON.parse(JSON.stringify(diff));
  return countJsonDiff(answer);
};

describe('a diff that was cut says so', () => {
  const line = { source: 1, destination: 1, line: CANARY, truncated: false };
  const segment = { type: 'ADDED', lines: [line, line], truncated: false };
  const hunk = { segments: [segment], truncated: false };
  const file = { source: null, destination: { toString: 'a' }, hunks: [hunk], truncated: false };
  const cut = { truncated: true };
  test.each<[string, object, boolean]>([
    ['nowhere', { diffs: [file], truncated: false }, false],
    ['as a whole', { diffs: [file], ...cut }, true],
    ['in a file', { diffs: [file, { ...file, ...cut }] }, true],
    ['in a hunk', { diffs: [{ ...file, hunks: [{ ...hunk, ...cut }] }, file] }, true],
    ['in a segment', { diffs: [{ ...file, hunks: [hunk, { segments: [{ ...segment, ...cut }] }] }] }, true],
    [
      'in a line',
      { diffs: [{ ...file, hunks: [{ segments: [{ ...segment, lines: [line, { ...line, ...cut }] }] }] }] },
      true,
    ],
    ['nowhere, without a word on it', { diffs: [{ hunks: [{ segments: [{ type: 'ADDED', lines: [{}] }] }] }] }, false],
    ['nowhere, with null for no', { truncated: null, diffs: [{ truncated: null }] }, false],
  ])('%s', (_where, diff, truncated) => {
    expect(count(diff).truncated).toBe(truncated);
  });

  test('and keeps what was counted', () => {
    expect(count({ diffs: [{ ...file, ...cut }] }).files).toMatchObject([{ linesAdded: 2, linesRemoved: 0 }]);
  });
});

describe('files', () => {
  test.each<[string, object]>([
    ['an empty answer', {}],
    ['no list', { diffs: null }],
    ['an empty list', { diffs: [] }],
  ])('%s has none', (_what, diff) => {
    expect(count(diff)).toEqual({ files: [], truncated: false });
  });

  test.each<[string, object, string | null]>([
    ['its components', { components: ['src', 'a.ts'], toString: 'ignored' }, 'src/a.ts'],
    ['its text where there are no components', { toString: 'src/a.ts' }, 'src/a.ts'],
    ['its text where the components are empty', { components: [], toString: 'src/a.ts' }, 'src/a.ts'],
    ['nothing where it says nothing', {}, null],
    ['nothing where its text is empty', { toString: '' }, null],
  ])('a path is %s', (_what, source, expected) => {
    expect(count({ diffs: [{ source }] }).files).toEqual([
      { sourcePath: expected, destinationPath: null, linesAdded: 0, linesRemoved: 0 },
    ]);
  });

  test('a binary, a pure rename and a null hunk have no lines', () => {
    const path = (name: string) => ({ components: [name], toString: name });
    const diffs = [
      { source: path('a.png'), destination: path('a.png'), binary: true },
      { source: path('old'), destination: path('new'), hunks: [] },
      {
        source: path('x'),
        destination: path('x'),
        hunks: [{ segments: null }, { segments: [{ type: 'ADDED', lines: null }] }],
      },
    ];
    expect(count({ diffs }).files).toEqual([
      { sourcePath: 'a.png', destinationPath: 'a.png', linesAdded: 0, linesRemoved: 0 },
      { sourcePath: 'old', destinationPath: 'new', linesAdded: 0, linesRemoved: 0 },
      { sourcePath: 'x', destinationPath: 'x', linesAdded: 0, linesRemoved: 0 },
    ]);
  });

  test('a change of type, told as a deletion and an addition, is one file', () => {
    const path = { components: ['link'] };
    const lines = [{ line: CANARY }];
    const diffs = [
      { source: path, destination: null, hunks: [{ segments: [{ type: 'REMOVED', lines }] }] },
      { source: null, destination: path, hunks: [{ segments: [{ type: 'ADDED', lines }] }] },
    ];
    expect(count({ diffs }).files).toEqual([
      { sourcePath: 'link', destinationPath: 'link', linesAdded: 1, linesRemoved: 1 },
    ]);
  });
});
