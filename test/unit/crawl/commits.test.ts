import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { crawlCommits } from '../../../src/crawl/commits.ts';
import type { CommitsCursor } from '../../../src/crawl/range-commits.ts';
import type { CommitRecord } from '../../../src/records/types.ts';
import { Store } from '../../../src/store/store.ts';
import { covering } from './covering.ts';
import { bitbucketError, FakeBitbucket, ledger } from './fake-bitbucket.ts';
import { drain, scanOf, sent } from './scan-of.ts';

/** A history of merges in it: each commit on the one before, every third one with a side line of its own. */
function history(length: number): FakeBitbucket {
  const bitbucket = new FakeBitbucket();
  for (let n = 1; n <= length; n++) {
    const parents = n === 1 ? [] : [`c${n - 1}`];
    if (n % 3 === 0) parents.push(bitbucket.commit(`s${n}`, [`c${n - 2}`], n * 100 - 150));
    bitbucket.commit(`c${n}`, parents, n * 100, 'main');
  }
  return bitbucket;
}

/** As the store gives it back. */
function stored(cursor: unknown): CommitsCursor {
  return JSON.parse(JSON.stringify(cursor)) as CommitsCursor;
}

describe('the commits of a window', () => {
  test('come newest first with their files, and the tip is covered in the end', async () => {
    const { scan, failures } = scanOf({ bitbucket: history(4), job: { fromMs: 250 } });
    const { steps, covered } = await drain(crawlCommits(scan, ledger, undefined));
    expect(sent(steps)).toEqual(['c4', 'c3', 's3']);
    expect(covered).toEqual([{ ref: 'HEAD', tip: 'c4' }]);
    expect(steps[0]?.record).toMatchObject({
      id: 'c4',
      repoName: 'Ledger',
      commitUrl: 'https://bitbucket.example.org/projects/PAY/repos/ledger/commits/c4',
      additions: 2,
      deletions: 1,
      files: [{ fileName: 'c4.txt' }],
    });
    expect(failures).toEqual([]);
  });

  test('in a quiet repository are none, and the tip stays covered', async () => {
    const bitbucket = history(4);
    const { scan } = scanOf({ bitbucket, store: covering({ 900: 'c4' }), job: { fromMs: 1_000 } });
    expect(await drain(crawlCommits(scan, ledger, undefined))).toEqual({
      steps: [],
      covered: [{ ref: 'HEAD', tip: 'c4' }],
    });
    expect(bitbucket.calls).toEqual(['commits c4.. @0']);
  });

  test('since a covered tip take no request twice, and the rest is pinned to the tip that was met', async () => {
    const bitbucket = history(9);
    const { scan } = scanOf({
      bitbucket,
      store: covering({ 900: 'c3' }),
      job: { fromMs: 1_000 },
      config: { metadata: { fetchCommitFiles: false } },
    });
    const crawl = crawlCommits(scan, ledger, undefined);
    await crawl.next();
    bitbucket.commit('c10', ['c9'], 1_000, 'main');
    const { steps, covered } = await drain(crawl);
    expect(steps).toHaveLength(7);
    expect(bitbucket.calls).toEqual(['commits c3.. @0', 'commits c3..c9 @21', 'commits c3..c9 @42']);
    expect(covered).toEqual([{ ref: 'HEAD', tip: 'c9' }]);
  });

  test('keep their order, whichever diff comes back first', async () => {
    const bitbucket = history(6);
    bitbucket.beforeDiff = async (sha) => {
      await delay(sha === 'c6' ? 20 : 1);
    };
    const { scan } = scanOf({ bitbucket, job: { fromMs: 0 } });
    const { steps } = await drain(crawlCommits(scan, ledger, undefined));
    expect(sent(steps)).toEqual(['c6', 'c5', 's6', 'c4', 'c3', 'c2', 's3', 'c1']);
  });

  test('read no more diffs at once than are allowed in flight', async () => {
    const bitbucket = history(9);
    let inFlight = 0;
    let most = 0;
    bitbucket.beforeDiff = async () => {
      most = Math.max(most, ++inFlight);
      await delay(2);
      inFlight--;
    };
    const { scan } = scanOf({ bitbucket, job: { fromMs: 0 }, config: { rateLimit: { maxInFlight: 3 } } });
    await drain(crawlCommits(scan, ledger, undefined));
    expect(most).toBe(3);
  });

  test('without files, where they are switched off, cost no diff and have no counts', async () => {
    const bitbucket = history(3);
    const { scan } = scanOf({ bitbucket, job: { fromMs: 0 }, config: { metadata: { fetchCommitFiles: false } } });
    const { steps } = await drain(crawlCommits(scan, ledger, undefined));
    expect(bitbucket.calls.filter((call) => call.startsWith('diff'))).toEqual([]);
    expect(steps[0]?.record).not.toHaveProperty('files');
    expect(steps[0]?.record).not.toHaveProperty('additions');
  });
});

describe('a diff that cannot be had', () => {
  async function crawl(diff: Parameters<FakeBitbucket['diffs']['set']>[1]) {
    const bitbucket = history(3);
    bitbucket.diffs.set('c2', diff);
    const { scan, failures } = scanOf({ bitbucket, job: { fromMs: 0 } });
    const { steps } = await drain(crawlCommits(scan, ledger, undefined));
    const records = steps.map(({ record }) => record as CommitRecord);
    return { records, failures };
  }

  test.each([
    ['the server fails on it', bitbucketError('SERVER_ERROR', 'retryable', 500)],
    ['the commit is gone', bitbucketError('NO_SUCH_COMMIT', 'gone', 404)],
  ])('for good, because %s: the commit goes out without counts, and that is reported', async (_name, error) => {
    const { records, failures } = await crawl(error);
    expect(records.map(({ id }) => id)).toEqual(['c3', 'c2', 's3', 'c1']);
    expect(records[1]).not.toHaveProperty('additions');
    expect(records[2]).toHaveProperty('additions');
    expect(failures).toHaveLength(1);
    expect(failures[0]).toContain(`PAY/ledger c2: ${error.code}: `);
  });

  test.each([
    ['a busy server', bitbucketError('SERVER_ERROR', 'retryable', 503)],
    ['no answer', bitbucketError('UNREACHABLE', 'retryable')],
    ['refused credentials', bitbucketError('CREDENTIALS_REFUSED', 'auth', 401)],
    ['a permission that was taken away', bitbucketError('FORBIDDEN', 'permission', 401)],
    ['a repository that was deleted', bitbucketError('NOT_FOUND', 'gone', 404)],
  ])('now, because of %s: the slice ends there', async (_name, error) => {
    await expect(crawl(error)).rejects.toBe(error);
  });

  test('in full: the counts go out, and that they are too low is reported', async () => {
    const { records, failures } = await crawl({ files: [], truncated: true });
    expect(records[1]).toMatchObject({ id: 'c2', additions: 0, files: [] });
    expect(failures).toHaveLength(1);
  });
});

describe('from a cursor on', () => {
  test('that counts in the order of a clone, REST begins anew: its order may be another', async () => {
    const { scan } = scanOf({ bitbucket: history(4), job: { fromMs: 0 } });
    const cursor: CommitsCursor = { tip: 'c4', base: 'c1', start: 2, skip: 0, source: 'git' };
    const { steps } = await drain(crawlCommits(scan, ledger, cursor));
    expect(sent<string>(steps).sort()).toEqual(['c2', 'c3', 'c4', 's3']);
  });

  test('exactly the rest follows, wherever the crawl was cut and whatever was pushed meanwhile', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 14 }),
        fc.nat(20),
        fc.boolean(),
        fc.boolean(),
        fc.integer({ min: 1, max: 5 }),
        async (length, cut, isCovered, beginsEmpty, pageSize) => {
          const bitbucket = history(length);
          bitbucket.pageSize = pageSize;
          bitbucket.beginsEmpty = beginsEmpty;
          const config = { metadata: { fetchCommitFiles: false } };
          const store = isCovered ? covering({ 900: 'c1' }) : new Store(':memory:');
          const { scan } = scanOf({ bitbucket, store, job: { fromMs: isCovered ? 1_000 : 250 }, config });
          const whole = await drain(crawlCommits(scan, ledger, undefined));
          const step = whole.steps[cut];
          if (step === undefined) return;
          bitbucket.commit('later', [`c${length}`], 5_000, 'main');
          const rest = await drain(crawlCommits(scan, ledger, stored(step.cursor)));
          expect(sent(rest.steps)).toEqual(sent(whole.steps).slice(cut + 1));
          expect(rest.covered).toEqual(whole.covered);
          expect(rest.steps.map(({ cursor }) => stored(cursor))).toEqual(
            whole.steps.slice(cut + 1).map(({ cursor }) => stored(cursor)),
          );
        },
      ),
      { numRuns: 150 },
    );
  });

  test('no range is looked for again', async () => {
    const bitbucket = history(9);
    const { scan } = scanOf({ bitbucket, job: { fromMs: 0 } });
    const { steps } = await drain(crawlCommits(scan, ledger, undefined));
    bitbucket.calls.length = 0;
    await drain(crawlCommits(scan, ledger, stored(steps.at(-2)?.cursor)));
    expect(bitbucket.calls.filter((call) => !call.startsWith('diff'))).toEqual(['commits ..c9 @63']);
  });
});
