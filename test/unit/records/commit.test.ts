import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { CommitFiles, FileChange } from '../../../src/bitbucket/file-change.ts';
import type { BitbucketCommit } from '../../../src/bitbucket/types.ts';
import { commitRecord } from '../../../src/records/commit.ts';
import { ada, bob, CANARY, commit, repository, sha } from './bitbucket-objects.ts';
import { sent } from './record-schema.ts';

const baseUrl = 'https://bitbucket.example.org/stash';
const record = (source: BitbucketCommit, files?: CommitFiles) =>
  sent('commit', commitRecord(source, { repository, baseUrl, ...(files && { files }) }));
const withFiles = (...files: FileChange[]) => record(commit, { files, truncated: false });
const counts = { linesAdded: 2, linesRemoved: 1 };

test('a commit is what Bitbucket said and nothing that SEI does not know', () => {
  const person = {
    name: 'ada',
    emailAddress: 'ada@example.org',
    id: 3,
    displayName: 'Ada Lovelace',
    active: true,
    slug: 'ada',
    type: 'NORMAL',
  };
  expect(record(commit)).toEqual({
    id: sha('a'),
    displayId: 'aaaaaaaaaaa',
    author: person,
    authorTimestamp: 1_700_000_000_000,
    committer: { ...person, name: 'bob', id: 4, displayName: 'Bob', slug: 'bob' },
    committerTimestamp: 1_700_000_001_000,
    message: 'PAY-9 rounding\n\nUp, not down.',
    parents: [
      { id: sha('b'), displayId: 'bbbbbbbbbbb' },
      { id: sha('c'), displayId: 'ccccccccccc' },
    ],
    projectName: 'Payments',
    repoName: 'Ledger',
    commitUrl: `https://bitbucket.example.org/stash/projects/PAY/repos/ledger/commits/${sha('a')}`,
  });
  expect(JSON.stringify(record(commit))).not.toContain(CANARY);
});

describe('what SEI reads without a check is always there', () => {
  test.each<[string, Partial<BitbucketCommit>, object]>([
    ['no author', { author: null }, { author: { id: 4 }, committer: { id: 4 } }],
    ['no committer', { committer: null }, { author: { id: 3 }, committer: { id: 3 } }],
    ['nobody', { author: null, committer: null }, { author: {}, committer: {} }],
    ['no time of the committer', { committerTimestamp: null }, { committerTimestamp: 1_700_000_000_000 }],
    ['no time at all', { committerTimestamp: null, authorTimestamp: null }, { committerTimestamp: 0 }],
    ['a time as text', { committerTimestamp: '2023-11-14T22:13:21+0000' }, { committerTimestamp: 1_700_000_001_000 }],
  ])('%s', (_what, change, expected) => {
    expect(record({ ...commit, ...change })).toMatchObject(expected);
    // Absent is as good as null.
    const without = Object.entries({ ...commit, ...change }).filter(([, value]) => value !== null);
    expect(record({ ...Object.fromEntries(without), id: commit.id })).toMatchObject(expected);
  });

  test('a commit of which Bitbucket knows nothing but its name', () => {
    expect(record({ id: sha('e') })).toEqual({
      id: sha('e'),
      author: {},
      committer: {},
      committerTimestamp: 0,
      projectName: 'Payments',
      repoName: 'Ledger',
      commitUrl: `${baseUrl}/projects/PAY/repos/ledger/commits/${sha('e')}`,
    });
  });

  test('a person without an account keeps the name and the e-mail', () => {
    const author = { name: 'Jane', emailAddress: 'jane@example.com' };
    expect(record({ ...commit, author }).author).toEqual(author);
  });
});

describe('files', () => {
  test('without them there are no counts, not even zeroes', () => {
    const keys = Object.keys(record(commit));
    for (const key of ['files', 'additions', 'deletions']) expect(keys).not.toContain(key);
  });

  test('a commit that touches none has counts of zero', () => {
    expect(withFiles()).toMatchObject({ additions: 0, deletions: 0, files: [] });
  });

  test('counts are the sums of those of the files, truncated or not', () => {
    const files = [
      { sourcePath: 'a', destinationPath: 'a', linesAdded: 2, linesRemoved: 1 },
      { sourcePath: 'b', destinationPath: 'b', linesAdded: 40, linesRemoved: 0 },
    ];
    for (const truncated of [false, true]) {
      expect(record(commit, { files, truncated })).toMatchObject({ additions: 42, deletions: 1, files: [{}, {}] });
    }
  });

  const file = (sourcePath: string | null, destinationPath: string | null) =>
    withFiles({ sourcePath, destinationPath, ...counts }).files?.[0];

  test('a file has its base name as name, and both paths in full', () => {
    const path = {
      components: ['src', 'main', 'Round.java'],
      parent: 'src/main',
      name: 'Round.java',
      extension: 'java',
      toString: 'src/main/Round.java',
    };
    expect(file('src/main/Round.java', 'src/main/Round.java')).toEqual({
      fileName: 'Round.java',
      source: path,
      destination: path,
      linesAdded: 2,
      linesRemoved: 1,
    });
  });

  test('a side that does not exist is an empty object, and the name comes from the other', () => {
    expect(file(null, 'new/a.ts')).toMatchObject({
      fileName: 'a.ts',
      source: {},
      destination: { toString: 'new/a.ts' },
    });
    expect(Object.keys(file(null, 'new/a.ts')?.source ?? { missing: 1 })).toEqual([]);
    expect(file('old/a.ts', null)).toMatchObject({ fileName: 'a.ts', source: { toString: 'old/a.ts' } });
    expect(Object.keys(file('old/a.ts', null)?.destination ?? { missing: 1 })).toEqual([]);
    expect(file('old/a.ts', 'new/b.ts')).toMatchObject({
      fileName: 'b.ts',
      source: { name: 'a.ts' },
      destination: { name: 'b.ts' },
    });
  });

  test.each([
    ['COPYING', undefined, ''],
    ['.gitignore', 'gitignore', ''],
    ['a/archive.tar.gz', 'gz', 'a'],
    ['v1.2/README', undefined, 'v1.2'],
    ['a/b/ends with dot.', '', 'a/b'],
    ['ü/🚀.md', 'md', 'ü'],
  ])('the path of %s', (path, extension, parent) => {
    const source = file(path, path)?.source;
    expect(source).toMatchObject({ components: path.split('/'), parent, toString: path });
    expect(source?.extension).toBe(extension);
  });
});

describe('the address of a commit', () => {
  test.each([
    ['https://git.example.org', 'https://git.example.org/projects/PAY/repos/ledger'],
    ['https://git.example.org/', 'https://git.example.org/projects/PAY/repos/ledger'],
    ['http://git.example.org:7990/bitbucket', 'http://git.example.org:7990/bitbucket/projects/PAY/repos/ledger'],
  ])('below %s', (base, address) => {
    const { commitUrl } = commitRecord(commit, { repository, baseUrl: base });
    expect(commitUrl).toBe(`${address}/commits/${sha('a')}`);
  });

  test('names are encoded', () => {
    const odd = { ...repository, slug: 'a b#?%/c', project: { ...repository.project, key: '~JOE.D' } };
    const { commitUrl } = commitRecord(commit, { repository: odd, baseUrl });
    expect(commitUrl).toBe(`${baseUrl}/projects/~JOE.D/repos/a%20b%23%3F%25%2Fc/commits/${sha('a')}`);
    expect(new URL(commitUrl).pathname.split('/')).toHaveLength(8);
  });
});

test('whatever is in its texts, a commit survives the way to SEI', () => {
  const anything = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.array(fc.integer({ min: 0, max: 0xffff }), { maxLength: 20 }).map((units) => String.fromCharCode(...units)),
    fc.constantFrom('\0', '\ud83d', 'half \udc00 pair', '"\\\u2028'),
  );
  const name = anything.map((text) => `x${text.replaceAll('/', '_')}`);
  fc.assert(
    fc.property(anything, anything, fc.array(name, { minLength: 1 }), name, (message, person, path, repo) => {
      const source = { ...commit, message, author: { ...ada, name: person }, committer: bob };
      const change = { sourcePath: null, destinationPath: path.join('/'), ...counts };
      const context = {
        repository: { ...repository, name: repo, slug: repo },
        baseUrl,
        files: { files: [change], truncated: false },
      };
      const read = sent('commit', commitRecord(source, context));
      expect(read.message).toBe(message.toWellFormed());
      expect(read.author.name).toBe(person.toWellFormed());
      expect(read.repoName).toBe(repo.toWellFormed());
      expect(read.files?.[0]?.destination.toString).toBe(path.join('/').toWellFormed());
      // What has no half pair in it arrives as it was, to the last NUL.
      if (message.isWellFormed()) expect(read.message).toBe(message);
    }),
  );
});
