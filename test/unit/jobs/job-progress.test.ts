import { describe, expect, test } from '@jest/globals';
import { JobProgress, progressLine, summarise } from '../../../src/jobs/job-progress.ts';

function progress(values: Partial<JobProgress>): JobProgress {
  return Object.assign(new JobProgress(0), { slices: 10, ...values });
}

describe('the time that is left', () => {
  test.each([
    ['by the pace so far', { slicesDone: 4 }, 15],
    ['by what this process has done', { slicesDone: 6, slicesDoneBefore: 4 }, 20],
    ['unknown while nothing is done', {}, undefined],
    ['unknown when all is read: the pages wait for SEI', { slicesDone: 10 }, undefined],
  ])('%s', (_name, values, expected) => {
    expect(summarise([progress(values)], 10_000).secondsLeft).toBe(expected);
  });
});

test('several jobs are one line', () => {
  const jobs = [
    progress({ slicesDone: 5, repositories: 4, repositoriesDone: 2, pages: 3 }),
    progress({ slicesDone: 5, repositories: 6, repositoriesDone: 1, pages: 1 }),
  ];
  for (const job of jobs) job.requests = { requests: 50, throttled: 1, retried: 0 };
  expect(progressLine(jobs, 120_000)).toBe(
    'repositories 3/10 · commits 0 · pull requests 0 · pages 4 · 0.8 requests/s · throttled 2× · 2 min left',
  );
});
