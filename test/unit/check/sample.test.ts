import { describe, expect, test } from '@jest/globals';
import type { Bitbucket } from '../../../src/bitbucket/bitbucket.ts';
import { sampleCommits, samplePullRequests } from '../../../src/check/sample.ts';
import { SatelliteError } from '../../../src/errors.ts';

const dayMs = 24 * 60 * 60 * 1000;
const toMs = 1_700_000_000_000;
const path = { projectKey: 'PAY', slug: 'ledger' };

/** One first page of each list, and a count of all commits. */
function bitbucket(
  values: readonly object[],
  { isLast = false, total }: { isLast?: boolean; total?: number } = {},
): Bitbucket {
  const page = { values, start: 0, nextStart: isLast ? undefined : values.length };
  async function* pages() {
    yield page;
    throw new Error('a second page is asked for');
  }
  return { commits: pages, pullRequests: pages, commitCount: async () => total } as unknown as Bitbucket;
}

/** So many, one every so many days, the first of them that many days ago. */
function commits(count: number, everyDays: number): object[] {
  return Array.from({ length: count }, (_, index) => ({
    id: String(index),
    committerTimestamp: toMs - index * everyDays * dayMs,
  }));
}

describe('sampleCommits', () => {
  const window = (days: number) => ({ fromMs: toMs - days * dayMs, toMs });

  test('counts where the first page reaches back far enough', async () => {
    expect(await sampleCommits(bitbucket(commits(100, 1)), path, window(7))).toEqual({ isEmpty: false, inWindow: 8 });
  });

  test('counts all of a short history', async () => {
    expect(await sampleCommits(bitbucket(commits(5, 1), { isLast: true }), path, window(7))).toEqual({
      isEmpty: false,
      inWindow: 5,
    });
  });

  test('takes the same pace for what it does not see', async () => {
    // 100 in 99 days make 369 in a year.
    expect(await sampleCommits(bitbucket(commits(100, 1), { total: 5000 }), path, window(365))).toMatchObject({
      inWindow: 369,
    });
  });

  test('but no more than there are', async () => {
    expect(await sampleCommits(bitbucket(commits(100, 1), { total: 120 }), path, window(365))).toMatchObject({
      inWindow: 120,
    });
    expect(await sampleCommits(bitbucket(commits(100, 1)), path, window(365))).toMatchObject({ inWindow: 369 });
  });

  test('a count that takes too long is done without', async () => {
    const timeout = new SatelliteError('No answer in time', { code: 'BITBUCKET_TIMEOUT', kind: 'retryable' });
    const slow = { ...bitbucket(commits(100, 1)), commitCount: () => Promise.reject(timeout) } as unknown as Bitbucket;
    expect(await sampleCommits(slow, path, window(365))).toMatchObject({ inWindow: 369 });
  });

  test('an empty repository', async () => {
    const noBranch = new SatelliteError('No default branch', { code: 'BITBUCKET_NO_DEFAULT_BRANCH', kind: 'gone' });
    const empty = {
      commits: async function* () {
        yield await Promise.reject(noBranch);
      },
    } as unknown as Bitbucket;
    expect(await sampleCommits(empty, path, window(7))).toEqual({ isEmpty: true, inWindow: 0 });
    expect(await sampleCommits(bitbucket([], { isLast: true }), path, window(7))).toEqual({
      isEmpty: true,
      inWindow: 0,
    });
  });
});

describe('samplePullRequests', () => {
  const window = { fromMs: toMs - 7 * dayMs, toMs };
  const pullRequest = (id: number, daysAgo: number, state = 'MERGED') => ({
    id,
    state,
    updatedDate: toMs - daysAgo * dayMs,
  });

  test('open ones count however old they are', async () => {
    const some = [pullRequest(4, 1), pullRequest(3, 30), pullRequest(2, 400, 'OPEN'), pullRequest(1, 500)];
    expect(await samplePullRequests(bitbucket(some, { isLast: true }), path, window)).toEqual({ total: 4, wanted: 2 });
  });

  test('the highest id tells how many there are', async () => {
    const some = [pullRequest(3, 1), pullRequest(812, 30), pullRequest(4, 40)];
    expect(await samplePullRequests(bitbucket(some), path, window)).toEqual({ total: 812, wanted: 1 });
  });

  test('where all of the page is wanted, the pace tells how many more are, up to all', async () => {
    const some = [pullRequest(812, 0), pullRequest(811, 0.5), pullRequest(810, 1)];
    expect(await samplePullRequests(bitbucket(some), path, window)).toEqual({ total: 812, wanted: 21 });
    expect(
      await samplePullRequests(bitbucket(some.map((one, index) => ({ ...one, id: 3 - index }))), path, window),
    ).toEqual({
      total: 3,
      wanted: 3,
    });
  });
});
