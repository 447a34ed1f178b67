import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { splitPage } from '../../../src/records/split-page.ts';

const metadata = { data_type: 'commits', page_number: 3 };

interface Group {
  readonly repository: { readonly name: string };
  readonly commits: readonly { readonly id: number; readonly files?: readonly object[] }[];
}

const page = (records: readonly Group[]) =>
  Buffer.from(JSON.stringify({ _metadata: metadata, records, count: records.length }));

const flat = (body: Buffer | undefined) => {
  const { records, count } = JSON.parse(String(body)) as { records: Group[]; count: number };
  expect(count).toBe(records.length);
  return records.flatMap(({ repository, commits }) => commits.map(({ id }) => `${repository.name} ${id}`));
};

test('both halves together hold every item once, in order, each with its repository', () => {
  const groups = fc.array(
    fc.nat({ max: 5 }).map((n) => n + 1),
    { minLength: 1, maxLength: 5 },
  );
  fc.assert(
    fc.property(groups, (sizes) => {
      const records = sizes.map((size, index) => ({
        repository: { name: `r${index}` },
        commits: Array.from({ length: size }, (_, id) => ({ id })),
      }));
      const whole = page(records);
      const total = sizes.reduce((sum, size) => sum + size, 0);
      const split = splitPage(whole, 9);
      if (total === 1) {
        expect(split).toBeUndefined();
        return;
      }
      expect([...flat(split?.first), ...flat(split?.second)]).toEqual(flat(whole));
      expect([split?.firstItems, split?.secondItems]).toEqual([Math.ceil(total / 2), Math.floor(total / 2)]);
      expect(JSON.parse(String(split?.first))._metadata).toEqual(metadata);
      expect(JSON.parse(String(split?.second))._metadata).toEqual({ ...metadata, page_number: 9 });
    }),
  );
});

test('a single item gives up the list of its files, then there is nothing left to give', () => {
  const whole = page([{ repository: { name: 'r' }, commits: [{ id: 1, files: [{ fileName: 'a' }] }] }]);
  const split = splitPage(whole, 9);
  expect(split).not.toHaveProperty('second');
  expect(JSON.parse(String(split?.first)).records[0].commits).toEqual([{ id: 1, files: [] }]);
  expect(splitPage(split?.first ?? Buffer.from(''), 9)).toBeUndefined();
});
