import { setImmediate } from 'node:timers/promises';
import { describe, expect, test } from '@jest/globals';
import { readAhead } from '../../../src/crawl/read-ahead.ts';
import { commitRecord } from '../../../src/records/commit.ts';
import type { CommitRecord } from '../../../src/records/types.ts';
import { ledger } from './fake-bitbucket.ts';

function record(n: number, files = 1): CommitRecord {
  const path = (file: number) => `services/payments/src/main/java/org/example/Class${n}_${file}.java`;
  const changes = Array.from({ length: files }, (_, file) => ({
    sourcePath: path(file),
    destinationPath: path(file),
    linesAdded: 1,
    linesRemoved: 1,
  }));
  const commit = { id: String(n), author: null, committer: null, authorTimestamp: n, committerTimestamp: n };
  return commitRecord(
    { ...commit, message: 'm', parents: [] },
    { repository: ledger, baseUrl: 'https://bitbucket.example.org', files: { files: changes, truncated: false } },
  );
}

/** Begins to read so many commits, of which the first takes for ever until it is let go. */
function begin(count: number, files: number) {
  const first = Promise.withResolvers<void>();
  const begun: number[] = [];
  async function* listing() {
    for (let n = 0; n < count; n++) yield n;
  }
  const read = async (n: number) => {
    begun.push(n);
    if (n === 0) await first.promise;
    return { record: record(n, files), n };
  };
  const all = Array.fromAsync(readAhead(listing(), read, 4));
  return { begun, first, all };
}

async function settle(): Promise<void> {
  for (let n = 0; n < 2_000; n++) await setImmediate();
}

describe('commits that are read ahead of their turn', () => {
  test('a slow one does not make those behind it wait, and all come in order', async () => {
    const { begun, first, all } = begin(200, 1);
    await settle();
    expect(begun.length).toBeGreaterThan(50);
    expect(begun.length).toBeLessThan(80);
    first.resolve();
    expect((await all).map(({ n }) => n)).toEqual(Array.from({ length: 200 }, (_, n) => n));
  });

  test('large ones wait for room: of commits of 2,000 files few are in memory', async () => {
    const { begun, first, all } = begin(30, 2_000);
    await settle();
    expect(begun.length).toBeLessThan(10);
    first.resolve();
    expect(await all).toHaveLength(30);
  });

  test('what cannot be listed or read ends it in its place', async () => {
    async function* listing() {
      yield 0;
      yield 1;
      throw new Error('the list broke off');
    }
    const came: number[] = [];
    const crawl = async () => {
      for await (const { n } of readAhead(listing(), async (n) => ({ record: record(n), n }), 4)) came.push(n);
    };
    await expect(crawl()).rejects.toThrow('the list broke off');
    expect(came).toEqual([0, 1]);
  });
});
