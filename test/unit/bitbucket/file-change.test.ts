import { expect, test } from '@jest/globals';
import { FileChangeList, maxListedFiles } from '../../../src/bitbucket/file-change.ts';
import { commitRecord } from '../../../src/records/commit.ts';

test('the import of a huge tree counts whole, though its files are not all listed', () => {
  const list = new FileChangeList();
  const extra = 5;
  for (let index = 0; index < maxListedFiles + extra; index++) {
    list.add({ sourcePath: null, destinationPath: `f${index}`, linesAdded: 2, linesRemoved: 1 });
  }
  const files = list.end(false);
  expect(files.files).toHaveLength(maxListedFiles);
  expect(files.omitted).toEqual({ files: extra, linesAdded: 2 * extra, linesRemoved: extra });
  const record = commitRecord(
    { id: 'a'.repeat(40) },
    { repository: { id: 1, slug: 'r', name: 'r', project: { key: 'P' } }, baseUrl: 'https://b', files },
  );
  expect([record.additions, record.deletions]).toEqual([2 * (maxListedFiles + extra), maxListedFiles + extra]);
});
