import { describe, expect, test } from '@jest/globals';
import type { BitbucketCommit } from '../../../src/bitbucket/types.ts';
import { CommitFilesReader, isLastingDiffError } from '../../../src/crawl/commit-files.ts';
import { Store } from '../../../src/store/store.ts';
import { bitbucketError, FakeBitbucket } from './fake-bitbucket.ts';

const path = { projectKey: 'PAY', slug: 'ledger' };
const sha = (digit: string) => digit.repeat(40);
const a: BitbucketCommit = { id: sha('a'), parents: [] };
const b: BitbucketCommit = { id: sha('b'), parents: [] };

function setUp(store = new Store(':memory:'), jobId = 'job') {
  const bitbucket = new FakeBitbucket();
  const reader = new CommitFilesReader(bitbucket, store, jobId);
  /** As the spool does it. */
  const persist = () => {
    store.transaction(() => reader.persist());
    reader.persisted();
  };
  return { bitbucket, store, reader, persist };
}

describe('the files of a commit are asked for once', () => {
  test('when two ask at the same time', async () => {
    const { bitbucket, reader } = setUp();
    const answer = Promise.withResolvers<void>();
    bitbucket.beforeDiff = () => answer.promise;
    const both = Promise.all([reader.read(path, a), reader.read({ projectKey: '~fork', slug: 'ledger' }, a)]);
    answer.resolve();
    const [first, second] = await both;
    expect(first).toEqual(second);
    expect(first?.files).toHaveLength(1);
    expect(bitbucket.calls).toEqual([`diff ${a.id}`]);
  });

  test('while what was read waits to be stored', async () => {
    const { bitbucket, reader } = setUp();
    const first = await reader.read(path, a);
    expect(await reader.read(path, a)).toEqual(first);
    expect(bitbucket.calls).toHaveLength(1);
  });

  test('once it is stored, by this process and by the next', async () => {
    const { bitbucket, store, reader, persist } = setUp();
    bitbucket.diffs.set(a.id, {
      files: [
        { sourcePath: 'x', destinationPath: 'y', linesAdded: 3, linesRemoved: 4 },
        { sourcePath: null, destinationPath: 'new', linesAdded: 1, linesRemoved: 0 },
        { sourcePath: 'old', destinationPath: null, linesAdded: 0, linesRemoved: 9 },
      ],
      truncated: true,
      omitted: { files: 7, linesAdded: 8, linesRemoved: 9 },
    });
    const first = await reader.read(path, a);
    persist();
    expect(await reader.read(path, a)).toEqual(first);
    const next = setUp(store);
    expect(await next.reader.read(path, a)).toEqual(first);
    expect(next.bitbucket.calls).toEqual([]);
  });

  test('and different commits each by themselves', async () => {
    const { bitbucket, reader } = setUp();
    await Promise.all([reader.read(path, a), reader.read(path, b)]);
    expect(bitbucket.calls).toEqual([`diff ${a.id}`, `diff ${b.id}`]);
  });
});

describe('what becomes durable', () => {
  test('is what was read, with the transaction that it is in', async () => {
    const { store, reader, persist } = setUp();
    await reader.read(path, a);
    expect(store.commitFiles.get(a.id)).toBeUndefined();
    const rolledBack = () =>
      store.transaction(() => {
        reader.persist();
        throw new Error('the disk is full');
      });
    expect(rolledBack).toThrow('the disk is full');
    expect(store.commitFiles.get(a.id)).toBeUndefined();
    persist();
    expect(store.commitFiles.get(a.id)).toBeDefined();
  });

  test('is also what was read while the transaction was under way: with the next one', async () => {
    const { store, reader, persist } = setUp();
    await reader.read(path, a);
    store.transaction(() => reader.persist());
    await reader.read(path, b);
    reader.persisted();
    persist();
    expect(store.commitFiles.get(a.id)).toBeDefined();
    expect(store.commitFiles.get(b.id)).toBeDefined();
  });
});

/** Whether the diff lasts in failing, each of the times that it is asked for in one life of a job. */
async function failIn(
  store: Store,
  jobId: string,
  times: number,
  error = bitbucketError('SERVER_ERROR', 'retryable', 503),
): Promise<boolean[]> {
  const { bitbucket, reader, persist } = setUp(store, jobId);
  bitbucket.diffs.set(a.id, error);
  const lasts: boolean[] = [];
  for (let n = 0; n < times; n++) lasts.push(isLastingDiffError(await reader.read(path, a).catch((error) => error)));
  persist();
  return lasts;
}

describe('a diff that fails', () => {
  test.each([
    ['lasts, where the server fails on it', bitbucketError('SERVER_ERROR', 'retryable', 500), true],
    ['lasts, where the commit is gone', bitbucketError('NO_SUCH_COMMIT', 'gone', 404), true],
    ['does not, where the server is busy', bitbucketError('SERVER_ERROR', 'retryable', 503), false],
    ['does not, where the repository is closed', bitbucketError('FORBIDDEN', 'permission', 401), false],
    ['does not, where the repository is gone', bitbucketError('NOT_FOUND', 'gone', 404), false],
  ])('%s', async (_name, error, lasts) => {
    const { bitbucket, store, reader, persist } = setUp();
    bitbucket.diffs.set(a.id, error);
    await expect(reader.read(path, a)).rejects.toBe(error);
    expect(isLastingDiffError(error)).toBe(lasts);
    persist();
    expect(store.commitFiles.get(a.id)).toBeUndefined();
  });

  test('for now is an error for everybody who waits for it, and is asked for again afterwards', async () => {
    const { bitbucket, reader } = setUp();
    const error = bitbucketError('SERVER_ERROR', 'retryable', 503);
    bitbucket.diffs.set(a.id, error);
    const ends = await Promise.allSettled([reader.read(path, a), reader.read(path, a)]);
    expect(ends).toMatchObject(Array(2).fill({ status: 'rejected', reason: error }));
    bitbucket.diffs.delete(a.id);
    expect((await reader.read(path, a))?.files).toHaveLength(1);
    expect(bitbucket.calls).toHaveLength(2);
  });

  test('for good is asked for once in a scan, however many pull requests hold the commit', async () => {
    const { bitbucket, reader } = setUp();
    bitbucket.diffs.set(a.id, bitbucketError('SERVER_ERROR', 'retryable', 500));
    for (let n = 0; n < 3; n++)
      expect(isLastingDiffError(await reader.read(path, a).catch((error) => error))).toBe(true);
    expect(bitbucket.calls).toHaveLength(1);
  });

  test('for now counts once in a scan: three scans, not three pull requests, give it up', async () => {
    const { store } = setUp();
    const lasts: boolean[] = [];
    for (let scan = 0; scan < 3; scan++) lasts.push(...(await failIn(store, `job ${scan}`, 3)));
    expect(lasts).toEqual([false, false, false, false, false, false, true, true, true]);
  });

  test.each([
    ['breaks off in its text', bitbucketError('DIFF_INCOMPLETE', 'retryable')],
    ['is there in no form', bitbucketError('ROUTE_UNKNOWN', 'unsupported', 406)],
    ['is refused by something before the server', bitbucketError('FORBIDDEN', 'permission', 403)],
    ['is refused as a request', bitbucketError('REQUEST_REFUSED', 'bug', 400)],
  ])('so it is with one that %s', async (_name, error) => {
    const { store } = setUp();
    const lasts: boolean[] = [];
    for (let scan = 0; scan < 3; scan++) lasts.push(...(await failIn(store, `job ${scan}`, 1, error)));
    expect(lasts).toEqual([false, false, true]);
  });

  test('and once in a job that is begun again and again', async () => {
    const { store } = setUp();
    const lasts: boolean[] = [];
    for (let life = 0; life < 5; life++) lasts.push(...(await failIn(store, 'job', 1)));
    expect(lasts).toEqual([false, false, false, false, false]);
    expect(await failIn(store, 'next', 1)).toEqual([false]);
    expect(await failIn(store, 'the one after it', 1)).toEqual([true]);
  });

  test('counts with the page that says so, and not before', async () => {
    const store = new Store(':memory:');
    for (const jobId of ['1', '2', '3', '4']) {
      const { bitbucket, reader } = setUp(store, jobId);
      bitbucket.diffs.set(a.id, bitbucketError('SERVER_ERROR', 'retryable', 503));
      expect(isLastingDiffError(await reader.read(path, a).catch((error) => error))).toBe(false);
    }
  });

  test('where the commit is gone may be had from a fork', async () => {
    const { bitbucket, reader } = setUp();
    bitbucket.diffs.set(a.id, bitbucketError('NO_SUCH_COMMIT', 'gone', 404));
    await expect(reader.read(path, a)).rejects.toThrow();
    bitbucket.diffs.delete(a.id);
    expect((await reader.read({ projectKey: '~ADA', slug: 'fork' }, a)).files).toHaveLength(1);
  });
});
