import { describe, expect, test } from '@jest/globals';
import type { NewJob } from '../../../src/store/jobs.ts';
import { Store } from '../../../src/store/store.ts';
import { commitsOf, discovered, newJob, pullRequestsOf } from './fixtures.ts';

type End = 'done' | 'failed' | 'open';

/** A job with a slice of commits and one of pull requests per repository, each ended as it says. */
function crawled(
  store: Store,
  job: NewJob,
  ends: Readonly<Record<number, { readonly commits?: End; readonly pullRequests?: End; readonly tip?: string }>>,
): void {
  discovered(store, job, Object.keys(ends).map(Number));
  for (const [id, { commits = 'done', pullRequests = 'done', tip }] of Object.entries(ends)) {
    // An empty repository is covered, too.
    const covered = commits === 'done' ? [tip === undefined ? { ref: '', tip: '' } : { ref: 'HEAD', tip }] : [];
    if (commits !== 'open') store.slices.finish(commitsOf(job.id, Number(id)), commits, covered);
    if (pullRequests !== 'open') store.slices.finish(pullRequestsOf(job.id, Number(id)), pullRequests);
  }
}

function succeeded(store: Store, id: string): void {
  store.jobs.setDone(id, 9_000, { result: { empty: true } });
  store.acknowledge(id);
}

function failed(store: Store, id: string): void {
  store.jobs.setDone(id, 9_000, { result: { empty: true }, exception: { message: 'refused' } });
  store.acknowledge(id);
}

function tips(store: Store, repositoryId: number, fromMs = Number.MAX_SAFE_INTEGER): string[] {
  return store.coverage.tipsBefore('7', repositoryId, 'HEAD', fromMs);
}

describe('an acknowledged job', () => {
  test('covers what its done slices reached, and nothing that failed or is still open', () => {
    const store = new Store(':memory:');
    const ends = {
      1: { tip: 'one' },
      2: { commits: 'failed' },
      3: { commits: 'open', pullRequests: 'failed' },
    } as const;
    crawled(store, newJob('a', { toMs: 2_000 }), ends);
    expect(tips(store, 1)).toEqual([]);
    succeeded(store, 'a');
    expect(tips(store, 1)).toEqual(['one']);
    expect(tips(store, 2)).toEqual([]);
    expect(tips(store, 3)).toEqual([]);
    expect([1, 2, 3].map((id) => store.coverage.pullRequestsToMs('7', id))).toEqual([2_000, 2_000, undefined]);
    expect(store.jobs.list()).toEqual([]);
  });

  test('that failed covers nothing, not even what it had read', () => {
    const store = new Store(':memory:');
    crawled(store, newJob('a'), { 1: { tip: 'one' } });
    store.pullRequests.addFound('a', 1, { id: 3, fingerprint: 'f', isOpen: true, readAtMs: 9 });
    failed(store, 'a');
    expect(tips(store, 1)).toEqual([]);
    expect(store.coverage.pullRequestsToMs('7', 1)).toBeUndefined();
    expect(store.pullRequests.get('7', 1, 3)).toBeUndefined();
    expect(store.coverage.lastScan('7')).toEqual({ toMs: undefined, fullToMs: undefined });
    expect(store.jobs.list()).toEqual([]);
  });

  test('does not cover the tip of a slice that failed, should it have named one', () => {
    const store = new Store(':memory:');
    discovered(store, newJob('a'), [1]);
    store.slices.finish(commitsOf('a', 1), 'failed', [{ ref: 'HEAD', tip: 'one' }]);
    succeeded(store, 'a');
    expect(tips(store, 1)).toEqual([]);
  });

  test('that is not known any more changes nothing', () => {
    const store = new Store(':memory:');
    crawled(store, newJob('a'), { 1: { tip: 'one' } });
    succeeded(store, 'a');
    store.acknowledge('a');
    expect(tips(store, 1)).toEqual(['one']);
  });

  test('says when the last scan ended, and the last full one', () => {
    const store = new Store(':memory:');
    store.jobs.add(newJob('a', { isFull: true, toMs: 2_000 }));
    succeeded(store, 'a');
    store.jobs.add(newJob('b', { toMs: 3_000 }));
    succeeded(store, 'b');
    store.jobs.add(newJob('c', { toMs: 2_500 }));
    succeeded(store, 'c');
    expect(store.coverage.lastScan('7')).toEqual({ toMs: 3_000, fullToMs: 2_000 });
    expect(store.coverage.lastScan('8')).toEqual({ toMs: undefined, fullToMs: undefined });
  });
});

test('the last scan is no more the one of a clock that was ahead, once another is done by the right one', () => {
  const store = new Store(':memory:');
  for (const [id, toMs, doneAtMs] of [
    ['ahead', 900_000, 900_001],
    ['right', 3_000, 3_001],
    ['older', 2_000, 3_002],
  ] as const) {
    store.jobs.add(newJob(id, { toMs }));
    store.jobs.setDone(id, doneAtMs, { result: {} });
    store.acknowledge(id);
    expect(store.coverage.lastScan('7').toMs).toBe(id === 'ahead' ? 900_000 : 3_000);
  }
});

test('of a repository that is met in a job that fails, what it was to get as a new one is owed', () => {
  const store = new Store(':memory:');
  crawled(store, newJob('a'), { 1: {} });
  succeeded(store, 'a');
  store.jobs.add(newJob('b'));
  store.slices.addFound('b', [{ id: 2, body: {} }], () => ['commits', 'tags', 'repositories']);
  store.slices.finish(commitsOf('b', 2), 'failed', []);
  store.slices.finish({ ...commitsOf('b', 2), dataType: 'tags' }, 'done');
  failed(store, 'b');
  const next = { id: 'c', integrationId: '7', fromMs: 2_000 };
  expect(store.coverage.isNew(next, 2)).toBe(false);
  for (const type of ['commits', 'tags', 'repositories'] as const) {
    expect(store.coverage.hasGap(next, 2, type)).toBe(true);
  }
});

describe('covered tips', () => {
  function withTips(): Store {
    const store = new Store(':memory:');
    for (const [id, toMs, tip] of [
      ['a', 1_000, 'old'],
      ['b', 2_000, 'middle'],
      ['c', 3_000, 'new'],
    ] as const) {
      crawled(store, newJob(id, { toMs }), { 1: { tip } });
      succeeded(store, id);
    }
    return store;
  }

  test('are those of scans that ended at or before a time, newest first', () => {
    const store = withTips();
    expect(tips(store, 1, 999)).toEqual([]);
    expect(tips(store, 1, 1_000)).toEqual(['old']);
    expect(tips(store, 1, 2_999)).toEqual(['middle', 'old']);
    expect(tips(store, 1)).toEqual(['new', 'middle', 'old']);
  });

  test('belong to one integration, repository and branch', () => {
    const store = withTips();
    expect(tips(store, 2)).toEqual([]);
    expect(store.coverage.tipsBefore('8', 1, 'HEAD', 9_000)).toEqual([]);
    expect(store.coverage.tipsBefore('7', 1, 'refs/heads/other', 9_000)).toEqual([]);
  });

  test('that stand still keep the time of the first scan, which allows the most', () => {
    const store = withTips();
    crawled(store, newJob('d', { toMs: 4_000 }), { 1: { tip: 'new' } });
    succeeded(store, 'd');
    expect(tips(store, 1, 3_000)).toEqual(['new', 'middle', 'old']);
  });

  test('beyond two hundred of a branch are forgotten, oldest first', () => {
    const store = new Store(':memory:');
    for (let n = 0; n < 205; n++) {
      crawled(store, newJob(`j${n}`, { toMs: 1_000 + n }), {
        1: { tip: `t${n}` },
        ...(n < 3 && { 2: { tip: `other${n}` } }),
      });
      succeeded(store, `j${n}`);
    }
    expect(tips(store, 1)).toHaveLength(200);
    expect(tips(store, 1)[0]).toBe('t204');
    expect(tips(store, 1).at(-1)).toBe('t5');
    expect(tips(store, 2)).toEqual(['other2', 'other1', 'other0']);
  });

  test('of pull requests never go back', () => {
    const store = new Store(':memory:');
    for (const [id, toMs] of [
      ['a', 3_000],
      ['b', 2_000],
    ] as const) {
      crawled(store, newJob(id, { toMs }), { 1: {} });
      succeeded(store, id);
    }
    expect(store.coverage.pullRequestsToMs('7', 1)).toBe(3_000);
  });
});

describe('what is missing at SEI widens the next windows', () => {
  const next = { id: 'next', integrationId: '7', fromMs: 2_000 };

  function windows(store: Store, job: typeof next = next) {
    const of = (repositoryId: number) => ({
      commits: store.coverage.windowFromMs(job, repositoryId, 'commits'),
      pullRequests: store.coverage.windowFromMs(job, repositoryId, 'pull_requests'),
    });
    return [of(1), of(2)];
  }

  test('nothing missing: the window of the job', () => {
    expect(windows(new Store(':memory:'))).toEqual(Array(2).fill({ commits: 2_000, pullRequests: 2_000 }));
  });

  test('a slice that failed is missing from the start of its job on, and no other one', () => {
    const store = new Store(':memory:');
    crawled(store, newJob('a', { fromMs: 1_000 }), { 1: { commits: 'failed' }, 2: {} });
    succeeded(store, 'a');
    expect(windows(store)).toEqual([
      { commits: 1_000, pullRequests: 2_000 },
      { commits: 2_000, pullRequests: 2_000 },
    ]);
    expect(windows(store, { ...next, integrationId: '8' })[0]).toEqual({ commits: 2_000, pullRequests: 2_000 });
  });

  test('a slice that fails again stays missing from the first time on, until it is done', () => {
    const store = new Store(':memory:');
    for (const [id, fromMs] of [
      ['a', 1_000],
      ['b', 1_500],
    ] as const) {
      crawled(store, newJob(id, { fromMs }), { 1: { commits: 'failed' }, 2: {} });
      succeeded(store, id);
    }
    expect(windows(store)[0]).toEqual({ commits: 1_000, pullRequests: 2_000 });
    crawled(store, newJob('c', { fromMs: 1_700 }), { 1: {}, 2: {} });
    succeeded(store, 'c');
    expect(windows(store)[0]).toEqual({ commits: 2_000, pullRequests: 2_000 });
  });

  test('a job that failed is missing as a whole', () => {
    const store = new Store(':memory:');
    crawled(store, newJob('a', { fromMs: 1_000 }), { 1: {}, 2: {} });
    failed(store, 'a');
    expect(windows(store)).toEqual(Array(2).fill({ commits: 1_000, pullRequests: 1_000 }));
    crawled(store, newJob('b', { fromMs: 1_800 }), { 1: {}, 2: {} });
    succeeded(store, 'b');
    expect(windows(store)).toEqual(Array(2).fill({ commits: 2_000, pullRequests: 2_000 }));
  });

  test.each([
    ['only what it asked for', {}, [false, false]],
    ['tags, of a full one', { isFull: true }, [true, false]],
    ['the records of repositories, where it was to send them', { fetchRepositories: true }, [false, true]],
  ])('a job that failed leaves missing %s', (_name, asked, missing) => {
    const store = new Store(':memory:');
    const missed = () =>
      (['tags', 'repositories'] as const).map((dataType) => store.coverage.hasGap(next, 1, dataType));
    store.jobs.add(newJob('a', asked));
    expect(missed()).toEqual([false, false]);
    store.jobs.setDone('a', 9_000, { result: { empty: true }, exception: { message: 'refused' } });
    expect(missed()).toEqual(missing);
    store.acknowledge('a');
    expect(missed()).toEqual(missing);
    crawled(store, newJob('b'), { 1: {} });
    failed(store, 'b');
    expect(missed()).toEqual(missing);
    crawled(store, newJob('c'), { 1: {} });
    succeeded(store, 'c');
    expect(missed()).toEqual([false, false]);
  });

  test('what a failed job left of a repository that the next job does not see stays missing until it is seen', () => {
    const store = new Store(':memory:');
    crawled(store, newJob('a', { fromMs: 500 }), { 1: {}, 2: {} });
    succeeded(store, 'a');
    crawled(store, newJob('b', { fromMs: 1_000, isFull: true, fetchRepositories: true }), {});
    failed(store, 'b');
    crawled(store, newJob('c', { fromMs: 1_800 }), { 1: {} });
    succeeded(store, 'c');
    const types = ['commits', 'pull_requests', 'tags', 'repositories'] as const;
    const missing = (id: number) => types.filter((dataType) => store.coverage.hasGap(next, id, dataType));
    expect([missing(1), missing(2), missing(3)]).toEqual([[], types, []]);
    expect(windows(store)[1]).toEqual({ commits: 1_000, pullRequests: 1_000 });
  });

  test('a slice that fails after a job that failed is missing from the start of that job on', () => {
    const store = new Store(':memory:');
    crawled(store, newJob('a', { fromMs: 1_000 }), { 1: {}, 2: {} });
    failed(store, 'a');
    crawled(store, newJob('b', { fromMs: 1_800 }), { 1: { pullRequests: 'failed' }, 2: {} });
    succeeded(store, 'b');
    expect(windows(store)).toEqual([
      { commits: 2_000, pullRequests: 1_000 },
      { commits: 2_000, pullRequests: 2_000 },
    ]);
  });

  test('a job whose window reaches further back than what is missing keeps it', () => {
    const store = new Store(':memory:');
    crawled(store, newJob('a', { fromMs: 1_000 }), { 1: { commits: 'failed' } });
    succeeded(store, 'a');
    expect(windows(store, { ...next, fromMs: 10 })[0]).toEqual({ commits: 10, pullRequests: 10 });
  });

  test('what failed counts from when it is done, not from when SEI hears of it: the next job may begin before', () => {
    const store = new Store(':memory:');
    crawled(store, newJob('a', { fromMs: 1_000 }), { 1: { commits: 'failed' }, 2: {} });
    store.jobs.setDone('a', 9_000, { result: { empty: true } });
    crawled(store, newJob('b', { fromMs: 500 }), { 1: {}, 2: {} });
    store.jobs.setDone('b', 9_000, { exception: { message: 'refused' } });
    expect(windows(store)).toEqual(Array(2).fill({ commits: 500, pullRequests: 500 }));
    store.acknowledge('b');
    expect(windows(store)).toEqual(Array(2).fill({ commits: 500, pullRequests: 500 }));
  });

  test('a slice that failed counts as soon as its job is done', () => {
    const store = new Store(':memory:');
    crawled(store, newJob('a', { fromMs: 1_000 }), { 1: { commits: 'failed' }, 2: {} });
    expect(windows(store)[0]).toEqual({ commits: 2_000, pullRequests: 2_000 });
    store.jobs.setDone('a', 9_000, { result: { empty: true } });
    expect(windows(store)).toEqual([
      { commits: 1_000, pullRequests: 2_000 },
      { commits: 2_000, pullRequests: 2_000 },
    ]);
  });

  test('a repository that is met late is owed as much as the others got, be the job that reached furthest one that failed', () => {
    const store = new Store(':memory:');
    crawled(store, newJob('a', { fromMs: 300 }), { 1: {} });
    failed(store, 'a');
    crawled(store, newJob('b', { fromMs: 700 }), { 1: {} });
    succeeded(store, 'b');
    expect(windows(store)).toEqual([
      { commits: 2_000, pullRequests: 2_000 },
      { commits: 300, pullRequests: 300 },
    ]);
    expect(store.coverage.windowFromMs(next, 2, 'commits', 100)).toBe(100);
    expect(windows(store, { ...next, integrationId: '8' })[1]).toEqual({ commits: 2_000, pullRequests: 2_000 });
  });

  test('a job does not widen its own window', () => {
    const store = new Store(':memory:');
    crawled(store, newJob('a', { fromMs: 1_000 }), { 1: { commits: 'failed' } });
    store.jobs.setDone('a', 9_000, { exception: { message: 'refused' } });
    expect(windows(store, { id: 'a', integrationId: '7', fromMs: 2_000 })[0]?.commits).toBe(2_000);
  });
});
