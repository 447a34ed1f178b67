import { expect, test } from '@jest/globals';
import { commitBytes } from '../../../src/crawl/record-bytes.ts';
import { commitRecord } from '../../../src/records/commit.ts';
import { ledger } from './fake-bitbucket.ts';

test.each([
  [0, 'a.txt'],
  [10, 'services/payments/src/main/java/org/example/payments/ledger/Class.java'],
  [1_000, 'a/b/c.txt'],
  [300, `${'deep/'.repeat(40)}file.txt`],
])('the bytes of a commit with %i files are about those of its JSON', (count, path) => {
  const change = { sourcePath: path, destinationPath: path, linesAdded: 1, linesRemoved: 1 };
  const person = { name: 'ada', emailAddress: 'ada@example.org', id: 12, displayName: 'Ada', slug: 'ada' };
  const id = 'a'.repeat(40);
  const record = commitRecord(
    {
      id,
      displayId: id,
      author: person,
      committer: person,
      committerTimestamp: 1,
      message: 'words',
      parents: [{ id }],
    },
    {
      repository: ledger,
      baseUrl: 'https://bitbucket.example.org',
      files: { files: Array.from({ length: count }, () => change), truncated: false },
    },
  );
  const ratio = commitBytes(record) / JSON.stringify(record).length;
  expect(ratio).toBeGreaterThan(0.7);
  expect(ratio).toBeLessThan(1.7);
});
