import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { findCommitRange } from '../../../src/crawl/commit-range.ts';
import { crawlCommits } from '../../../src/crawl/commits.ts';
import { Store } from '../../../src/store/store.ts';
import { commitsOf, discovered, newJob } from '../store/fixtures.ts';
import { covering } from './covering.ts';
import { bitbucketError, FakeBitbucket, ledger } from './fake-bitbucket.ts';
import { drain, scanOf, sent } from './scan-of.ts';

/** c1 to c6 on main, each a hundred later than the one before. */
function straightLine(): FakeBitbucket {
  const bitbucket = new FakeBitbucket();
  for (let n = 1; n <= 6; n++) bitbucket.commit(`c${n}`, n === 1 ? [] : [`c${n - 1}`], n * 100, 'main');
  return bitbucket;
}

async function rangeOf(bitbucket: FakeBitbucket, fromMs: number, store?: Store) {
  const { scan } = scanOf({
    bitbucket,
    job: { id: `from ${fromMs}`, fromMs },
    ...(store === undefined ? {} : { store }),
  });
  const range = await findCommitRange(scan, ledger);
  return range === undefined ? undefined : { tip: range.tip, base: range.base };
}

/** What a scan of the range sends. */
async function sentOf(bitbucket: FakeBitbucket, fromMs: number, store?: Store): Promise<string[]> {
  const { scan } = scanOf({ bitbucket, job: { fromMs }, ...(store === undefined ? {} : { store }) });
  const { steps } = await drain(crawlCommits(scan, ledger, undefined));
  return sent<string>(steps);
}

describe('a covered tip as the base', () => {
  test('one request says whether there is anything new, and what', async () => {
    const bitbucket = straightLine();
    expect(await rangeOf(bitbucket, 1_000, covering({ 900: 'c4' }))).toEqual({ tip: 'c6', base: 'c4' });
    expect(bitbucket.calls).toEqual(['commits c4.. @0']);
  });

  test('nothing new: the range is empty', async () => {
    const bitbucket = straightLine();
    expect(await rangeOf(bitbucket, 1_000, covering({ 900: 'c6' }))).toEqual({ tip: 'c6', base: 'c6' });
    expect(bitbucket.calls).toEqual(['commits c6.. @0']);
  });

  test('the newest one that was covered at or before the start of the window', async () => {
    const store = covering({ 100: 'c1', 200: 'c2', 300: 'c3', 400: 'c4' });
    expect((await rangeOf(straightLine(), 300, store))?.base).toBe('c3');
    expect((await rangeOf(straightLine(), 299, store))?.base).toBe('c2');
  });

  test('a page that permissions have emptied is not "nothing new"', async () => {
    const bitbucket = straightLine();
    bitbucket.beginsEmpty = true;
    expect(await rangeOf(bitbucket, 1_000, covering({ 900: 'c4' }))).toEqual({ tip: 'c6', base: 'c4' });
  });

  test('one that is gone makes way for the next', async () => {
    const bitbucket = straightLine();
    const store = covering({ 100: 'c1', 200: 'c2', 300: 'gone too', 400: 'gone' });
    expect(await rangeOf(bitbucket, 1_000, store)).toEqual({ tip: 'c6', base: 'c2' });
    expect(bitbucket.calls.at(-1)).toBe('commits c2.. @0');
    expect(bitbucket.calls).toHaveLength(3);
  });

  test('after three that are gone, each next one is twice as far back, and the oldest is the last', async () => {
    const bitbucket = straightLine();
    const gone = Object.fromEntries(Array.from({ length: 20 }, (_, index) => [200 + index, `gone ${index}`]));
    expect(await rangeOf(bitbucket, 450, covering({ 100: 'c2', ...gone }))).toEqual({ tip: 'c6', base: 'c2' });
    const tried = bitbucket.calls.map((call) => /commits (.*)\.\./.exec(call)?.[1]);
    expect(tried).toEqual([...[19, 18, 17, 15, 11, 3].map((index) => `gone ${index}`), 'c2']);
  });

  test('where all are gone, it gets what a full scan would give: the new history may be an old one', async () => {
    const store = covering({ 200: 'gone 1', 300: 'gone 2', 400: 'gone 3', 410: 'gone 4', 500: 'gone later' });
    const { scan } = scanOf({
      bitbucket: straightLine(),
      store,
      job: { fromMs: 450, toMs: 24 * 3_600_000 + 250 },
      config: { metadata: { backfillDays: 1 } },
    });
    expect(await findCommitRange(scan, ledger)).toMatchObject({ tip: 'c6', base: 'c2' });
    expect(await rangeOf(straightLine(), 450, store)).toEqual({ tip: 'c6', base: undefined });
  });

  test('a default branch that was switched is followed', async () => {
    const bitbucket = straightLine();
    bitbucket.commit('d1', ['c2'], 700, 'next');
    bitbucket.branchList = bitbucket.branchList.map((branch) => ({
      ...branch,
      isDefault: branch.displayId === 'next',
    }));
    expect(await sentOf(bitbucket, 1_000, covering({ 900: 'c6' }))).toEqual(['d1']);
  });

  test('a forced push whose old tip can still be read sends what is new', async () => {
    const bitbucket = straightLine();
    bitbucket.commit('e5', ['c4'], 650, 'main');
    expect(await sentOf(bitbucket, 1_000, covering({ 900: 'c6' }))).toEqual(['e5']);
  });

  test('what was covered of another branch, repository or integration does not count', async () => {
    const store = new Store(':memory:');
    discovered(store, newJob('other', { integrationId: '8', toMs: 100 }), [ledger.id]);
    store.slices.finish(commitsOf('other', ledger.id), 'done', [{ ref: 'HEAD', tip: 'c5' }]);
    store.acknowledge('other');
    expect((await rangeOf(straightLine(), 350, store))?.base).toBe('c3');
  });
});

describe('without a covered tip', () => {
  test('the base is the first commit on the first-parent line that is older than the window', async () => {
    const bitbucket = straightLine();
    expect(await rangeOf(bitbucket, 350)).toEqual({ tip: 'c6', base: 'c3' });
    expect(bitbucket.calls).toEqual(['branches', 'commits ..c6 @0', 'commits ..c6 @21']);
  });

  test('a commit of the very start of the window is inside it', async () => {
    expect(await sentOf(straightLine(), 300)).toEqual(['c6', 'c5', 'c4', 'c3']);
    expect(await sentOf(straightLine(), 301)).toEqual(['c6', 'c5', 'c4']);
  });

  test('a window that begins before the first commit is the whole history', async () => {
    expect(await rangeOf(straightLine(), 50)).toEqual({ tip: 'c6', base: undefined });
    expect(await sentOf(straightLine(), 50)).toHaveLength(6);
  });

  test('a window from the beginning of time on needs no walk', async () => {
    const bitbucket = straightLine();
    expect(await rangeOf(bitbucket, 0)).toEqual({ tip: 'c6', base: undefined });
    expect(bitbucket.calls).toEqual(['branches']);
  });

  test('old commits that were merged late are inside', async () => {
    const bitbucket = straightLine();
    bitbucket.commit('old 1', ['c1'], 110);
    bitbucket.commit('old 2', ['old 1'], 120);
    bitbucket.commit('merge', ['c6', 'old 2'], 700, 'main');
    expect(await sentOf(bitbucket, 650)).toEqual(['merge', 'old 2', 'old 1']);
  });

  test('a side line that is older does not end the walk, nor does a newer one prolong it', async () => {
    const bitbucket = straightLine();
    bitbucket.commit('side', ['c2'], 250);
    bitbucket.commit('merge', ['c6', 'side'], 700, 'main');
    bitbucket.commit('after', ['merge'], 800, 'main');
    expect(await rangeOf(bitbucket, 350)).toEqual({ tip: 'after', base: 'c3' });
  });

  test('a commit that is listed before its child, because clocks differ, is not lost sight of', async () => {
    const bitbucket = new FakeBitbucket();
    bitbucket.commit('a', [], 100);
    bitbucket.commit('b', ['a'], 200);
    bitbucket.commit('c', ['b'], 850);
    bitbucket.commit('d', ['c'], 860);
    bitbucket.commit('e', ['d'], 300);
    bitbucket.commit('merge', ['e', 'd'], 900, 'main');
    const { scan } = scanOf({ bitbucket, job: { fromMs: 250 } });
    const listed = await Array.fromAsync(bitbucket.commits({ projectKey: '', slug: '' }, { until: 'merge' }));
    expect(listed.flatMap(({ values }) => values.map(({ id }) => id))).toEqual(['merge', 'd', 'c', 'e', 'b', 'a']);
    expect(await findCommitRange(scan, ledger)).toMatchObject({ tip: 'merge', base: 'b' });
  });

  test('dates as text and missing ones', async () => {
    const bitbucket = straightLine();
    const c4 = bitbucket.graph.get('c4');
    if (c4 !== undefined) bitbucket.graph.set('c4', { ...c4, committerTimestamp: '1970-01-01T00:00:00.400Z' });
    expect((await rangeOf(bitbucket, 350))?.base).toBe('c3');
    expect((await rangeOf(bitbucket, 450))?.base).toBe('c4');
  });
});

describe('after a scan that could not read it', () => {
  /** A scan from 250 to 440 that could not read the commits. */
  function fail(store: Store, outcome: { result: object } | { exception: object }): Store {
    discovered(store, newJob('failed', { fromMs: 250, toMs: 440 }), [ledger.id]);
    store.slices.finish(commitsOf('failed', ledger.id), 'failed');
    store.jobs.setDone('failed', 1, outcome);
    store.acknowledge('failed');
    return store;
  }

  test('the window begins where that of the failed job did', async () => {
    expect(await sentOf(straightLine(), 440, fail(new Store(':memory:'), { exception: {} }))).toEqual([
      'c6',
      'c5',
      'c4',
      'c3',
    ]);
  });

  test('a repository that no scan has read yet still gets what a full scan would have given it', async () => {
    const store = new Store(':memory:');
    store.jobs.add(newJob('of others', { toMs: 250 }));
    store.jobs.setDone('of others', 1, { result: {} });
    store.acknowledge('of others');
    expect(await sentOf(straightLine(), 440, fail(store, { result: {} }))).toHaveLength(6);
  });
});

describe('a repository without commits', () => {
  test('is remembered as empty: whatever is pushed into it later is new, however old it is', async () => {
    const bitbucket = new FakeBitbucket();
    const { scan } = scanOf({ bitbucket });
    const covered = [{ ref: 'HEAD', tip: '' }];
    expect(await drain(crawlCommits(scan, ledger, undefined))).toEqual({ steps: [], covered });
    expect(bitbucket.calls).toEqual(['branches']);
    expect(await sentOf(straightLine(), 10_000, covering({ 900: '' }))).toHaveLength(6);
  });

  test('is also whole for a window that begins before it was met empty', async () => {
    const { scan } = scanOf({
      bitbucket: straightLine(),
      store: covering({ 900: '' }),
      job: { fromMs: 450, toMs: 24 * 3_600_000 + 450 },
      config: { metadata: { backfillDays: 1 } },
    });
    expect(await findCommitRange(scan, ledger)).toMatchObject({ tip: 'c6', base: undefined });
  });

  test('on its default branch, which is missing, has nothing to send', async () => {
    const bitbucket = straightLine();
    bitbucket.branchList = bitbucket.branchList.map((branch) => ({ ...branch, isDefault: false }));
    expect(await rangeOf(bitbucket, 350)).toBeUndefined();
  });

  test('on its default branch, as that is missing for one scan, goes on from where it was covered', async () => {
    const bitbucket = straightLine();
    const missing = bitbucketError('NO_DEFAULT_BRANCH', 'gone', 404);
    const store = covering({ 450: 'c4' });
    bitbucket.break('commits c4.. @0', missing);
    const { scan } = scanOf({ bitbucket, store, job: { fromMs: 900, toMs: 1_000 } });
    expect(await drain(crawlCommits(scan, ledger, undefined))).toEqual({ steps: [], covered: [] });
    expect(await sentOf(straightLine(), 1_000, store)).toEqual(['c6', 'c5']);
  });

  test('any more, where there were some, has nothing to send', async () => {
    const bitbucket = straightLine();
    bitbucket.branchList = [];
    expect(await rangeOf(bitbucket, 1_000, covering({ 900: 'c4' }))).toBeUndefined();
  });
});

test.each([
  ['a repository that is closed to us', bitbucketError('FORBIDDEN', 'permission', 401)],
  ['a repository that is gone', bitbucketError('NOT_FOUND', 'gone', 404)],
  ['a busy server', bitbucketError('SERVER_ERROR', 'retryable', 503)],
])('%s is an error, not an empty range', async (_name, error) => {
  const bitbucket = straightLine();
  bitbucket.break('branches', error);
  bitbucket.break('commits c4.. @0', error);
  await expect(rangeOf(bitbucket, 350)).rejects.toBe(error);
  await expect(rangeOf(bitbucket, 1_000, covering({ 900: 'c4' }))).rejects.toBe(error);
});

test('a window that asks again for what was covered still sends what never was, whatever its dates', async () => {
  const bitbucket = straightLine();
  const store = covering({ 900: 'c6' });
  // Made long ago on somebody's machine, pushed just now.
  bitbucket.commit('kept', ['c6'], 20, 'main');
  bitbucket.commit('back', ['kept'], 30, 'main');
  expect(await sentOf(bitbucket, 450, store)).toEqual(expect.arrayContaining(['back', 'kept', 'c6', 'c5']));
});

describe('scan after scan', () => {
  type Step =
    | { readonly do: 'commit'; readonly date: number; readonly onto: number; readonly merge: number | null }
    | { readonly do: 'scan'; readonly from: number; readonly end: 'done' | 'slice failed' | 'job failed' };

  const commit: fc.Arbitrary<Step> = fc.record({
    do: fc.constant('commit'),
    date: fc.integer({ min: 1, max: 60 }),
    onto: fc.nat(2),
    merge: fc.option(fc.nat(20), { nil: null }),
  });
  const scan: fc.Arbitrary<Step> = fc.record({
    do: fc.constant('scan'),
    from: fc.nat(4),
    end: fc.constantFrom('done', 'done', 'slice failed', 'job failed'),
  });
  const step = fc.oneof({ weight: 3, arbitrary: commit }, { weight: 2, arbitrary: scan });

  /**
   * Commits with any dates are pushed, forced and merged, and scanned in windows that follow on one another or reach
   * back; some scans fail in part, some as a whole. After each scan that succeeds, SEI has every commit of the branch,
   * but for those below the base of the first one.
   */
  test('no commit is ever left out', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 2, maxLength: 30 }), async (steps) => {
        const bitbucket = new FakeBitbucket();
        const store = new Store(':memory:');
        const line: string[] = [];
        const received = new Set<string>();
        let below: Set<string> | undefined;
        let clock = 100;
        const ends: number[] = [];
        for (const [n, action] of steps.entries()) {
          clock += 10;
          if (action.do === 'commit') {
            // Onto the tip, mostly; further back it is a forced push.
            const parent = line.at(-1 - action.onto) ?? line.at(-1);
            const merged = action.merge === null ? undefined : line[action.merge];
            const parents = [parent, merged === parent ? undefined : merged].filter((id) => id !== undefined);
            line.push(bitbucket.commit(`c${n}`, parents, action.date * 10, 'main'));
            continue;
          }
          const fromMs = ends.at(-1 - action.from) ?? 50;
          const job = { id: `j${n}`, fromMs, toMs: clock };
          ends.push(clock);
          discovered(store, newJob(job.id, job), [ledger.id]);
          const { scan } = scanOf({ bitbucket, store, job });
          const range = await findCommitRange(scan, ledger);
          const crawl = await drain(crawlCommits(scan, ledger, undefined));
          if (action.end === 'slice failed') store.slices.finish(commitsOf(job.id, ledger.id), 'failed');
          else store.slices.finish(commitsOf(job.id, ledger.id), 'done', crawl.covered);
          store.jobs.setDone(job.id, clock, action.end === 'job failed' ? { exception: {} } : { result: {} });
          store.acknowledge(job.id);
          if (action.end !== 'done' || range === undefined) continue;
          for (const id of sent<string>(crawl.steps)) received.add(id);
          below ??= bitbucket.reachable(range.base);
          const missing = [...bitbucket.reachable(range.tip)].filter((id) => !received.has(id) && !below?.has(id));
          expect(missing).toEqual([]);
        }
      }),
      { numRuns: 150 },
    );
  });
});
