import { describe, expect, test } from '@jest/globals';
import { estimateFirstScan } from '../../../src/check/estimate.ts';
import { expectedRate } from '../../../src/check/rate.ts';
import { spread } from '../../../src/check/sample.ts';
import { integration } from '../crawl/integration.ts';

const everything = integration().metadata;

const busy = { commits: { isEmpty: false, inWindow: 150 }, pullRequests: { total: 1234, wanted: 10 } };
const quiet = { commits: { isEmpty: false, inWindow: 0 }, pullRequests: { total: 0, wanted: 0 } };
const empty = { commits: { isEmpty: true, inWindow: 0 }, pullRequests: { total: 0, wanted: 0 } };

describe('estimateFirstScan', () => {
  test.each([
    // List of repositories, default branch, branches, tags, pull requests.
    ['an empty repository', [empty], {}, 1 + 1 + 1 + 1 + 1],
    // And one page to see that nothing is new.
    ['a quiet one', [quiet], {}, 5 + 1],
    // Two pages to find the begin, two to read, a diff each; 13 pages, and activities, commits and two diffs for each of 10.
    ['a busy one', [busy], {}, 1 + 1 + 1 + 1 + (2 + 2 + 150) + (13 + 10 * 4)],
    // A clone, and two pages to see who is who.
    ['by git', [busy], { commitSource: 'git' as const }, 4 + (3 + 2) + (13 + 10 * 2)],
    ['without files', [busy], { fetchCommitFiles: false }, 4 + (2 + 2) + (13 + 10 * 2)],
    ['without commits of pull requests', [busy], { fetchPrCommits: false }, 4 + 154 + (13 + 10)],
    ['without commits', [busy], { fetchCommits: false }, 3 + (13 + 10 * 4)],
    ['without pull requests', [busy], { fetchPrs: false }, 4 + 154],
    ['without tags', [quiet], { fetchTags: false }, 5],
  ])('%s', (_name, samples, changes, requests) => {
    const metadata = { ...everything, ...changes };
    expect(estimateFirstScan(samples, { selected: 1, visible: 1 }, metadata).requests).toBe(requests);
  });

  test('a sample stands for all', () => {
    const estimate = estimateFirstScan([busy, quiet], { selected: 20, visible: 2500 }, everything);
    expect(estimate).toEqual({ requests: 3 + 10 * (211 - 1 + 5), commits: 1500, pullRequests: 100 });
  });

  test('nothing measured is nothing', () => {
    expect(estimateFirstScan([], { selected: 20, visible: 20 }, everything)).toMatchObject({
      commits: 0,
      pullRequests: 0,
    });
  });
});

describe('expectedRate', () => {
  test.each([
    [{ maxInFlight: 4 }, undefined, 200, 20, '4 at a time, 200 ms each as just now'],
    [{ maxInFlight: 4, requestsPerSecond: 10 }, undefined, 200, 10, 'rate_limit.requests_per_second'],
    [{ maxInFlight: 4, requestsPerSecond: 10 }, 5, 200, 5, 'the limit of Bitbucket'],
    [{ maxInFlight: 4, requestsPerSecond: 2 }, 5, 200, 2, 'rate_limit.requests_per_second'],
    [{ maxInFlight: 1, requestsPerSecond: 10 }, 5, 1000, 1, '1 at a time, 1000 ms each as just now'],
  ])('%j, granted %s, %d ms', (rateLimit, grantedPerSecond, latencyMs, perSecond, because) => {
    expect(expectedRate(rateLimit, { grantedPerSecond, latencyMs })).toEqual({ perSecond, because });
  });
});

test.each([
  [[], 3, []],
  [[1, 2], 3, [1, 2]],
  [[1, 2, 3, 4, 5, 6, 7, 8, 9], 3, [1, 4, 7]],
  [[1, 2, 3, 4], 1, [1]],
])('spread %j, %d', (items, size, taken) => {
  expect(spread<number>(items, size)).toEqual(taken);
});
