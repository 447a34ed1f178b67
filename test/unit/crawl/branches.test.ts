import { describe, expect, test } from '@jest/globals';
import { newBranchSelector } from '../../../src/crawl/branch-filter.ts';
import { crawlCommits } from '../../../src/crawl/commits.ts';
import { Store } from '../../../src/store/store.ts';
import { covering } from './covering.ts';
import { bitbucketError, FakeBitbucket, ledger } from './fake-bitbucket.ts';
import { drain, scanOf, sent } from './scan-of.ts';

/** c1 to c4 on main, and release/1 with r1 on c3. */
function released(): FakeBitbucket {
  const bitbucket = new FakeBitbucket();
  for (let n = 1; n <= 4; n++) bitbucket.commit(`c${n}`, n === 1 ? [] : [`c${n - 1}`], n * 100, 'main');
  bitbucket.commit('r1', ['c3'], 450, 'release/1');
  return bitbucket;
}

function scanned(bitbucket: FakeBitbucket, branches: readonly string[], store = new Store(':memory:'), fromMs = 0) {
  const { scan } = scanOf({ bitbucket, store, job: { fromMs }, config: { metadata: { branches } } });
  return { scan, crawl: () => drain(crawlCommits(scan, ledger, undefined)) };
}

describe('the choice of branches', () => {
  const main = { id: 'refs/heads/main', displayId: 'main' };
  const release = { id: 'refs/heads/release/1', displayId: 'release/1' };
  const dotted = { id: 'refs/heads/.github/x', displayId: '.github/x' };

  test.each([
    [['main'], [main]],
    [['refs/heads/release/1'], [release]],
    [
      ['release/*', '*'],
      [release, main],
    ],
    [['**'], [main, release, dotted]],
    [
      ['all', 'nothing'],
      [main, release, dotted],
    ],
    [['Main', '[main', 'releese/*'], []],
  ])('%j', (entries, chosen) => {
    const selector = newBranchSelector(entries);
    expect([main, release, dotted].filter((branch) => selector.selects(branch)).map(({ id }) => id)).toEqual(
      [main, release, dotted].filter((branch) => chosen.includes(branch)).map(({ id }) => id),
    );
  });

  test('names what matches nothing, once some repository was shown; `all` asks for no name', () => {
    const selector = newBranchSelector(['main', 'm*', '[main', 'releese/*', 'releese/*']);
    selector.selects(main);
    expect(selector.seen().unmatched).toEqual([]);
    selector.passedRepository();
    expect(selector.seen()).toEqual({ unmatched: ['[main', 'releese/*'], repositories: 1 });
    selector.selects({ id: 'refs/heads/releese/2', displayId: 'releese/2' });
    expect(selector.seen().unmatched).toEqual(['[main']);
    const every = newBranchSelector(['all', 'nothing']);
    every.passedRepository();
    expect(every.seen().unmatched).toEqual([]);
  });
});

describe('what a crawl has shown of the named branches', () => {
  test('one that only the default branch matches is there, one that none matches is not', async () => {
    const { scan, crawl } = scanned(released(), ['main', 'nonexistent-branch', 'release/*']);
    await crawl();
    expect(scan.branchSelector.seen()).toEqual({ unmatched: ['nonexistent-branch'], repositories: 1 });
  });

  test('is nothing where the repository is empty or its branches cannot be listed', async () => {
    const empty = scanned(new FakeBitbucket(), ['nonexistent-branch']);
    await empty.crawl();
    expect(empty.scan.branchSelector.seen()).toEqual({ unmatched: [], repositories: 0 });
    const closed = released();
    closed.break('branches', bitbucketError('FORBIDDEN', 'permission', 401));
    const { scan, crawl } = scanned(closed, ['nonexistent-branch']);
    await expect(crawl()).rejects.toThrow();
    expect(scan.branchSelector.seen()).toEqual({ unmatched: [], repositories: 0 });
  });
});

describe('a new branch, while the default branch is missing for one scan', () => {
  function withoutDefault(): FakeBitbucket {
    const bitbucket = released();
    bitbucket.branchList = bitbucket.branchList.filter(({ isDefault }) => !isDefault);
    return bitbucket;
  }

  test('is read from where the default branch was covered', async () => {
    const { steps, covered } = await scanned(withoutDefault(), ['release/*'], covering({ 900: 'c3' }), 900).crawl();
    expect(sent(steps)).toEqual(['r1']);
    expect(covered).toEqual([{ ref: 'refs/heads/release/1', tip: 'r1' }]);
  });

  test.each([
    ['what was covered is gone', 'gone', 900],
    ['it was covered after the begin of the window only', 'c3', 800],
  ])('is read as a whole where %s', async (_name, tip, fromMs) => {
    const { steps } = await scanned(withoutDefault(), ['release/*'], covering({ 900: tip }), fromMs).crawl();
    expect(sent(steps)).toEqual(['r1', 'c3', 'c2', 'c1']);
  });

  test('is read as a whole where it was empty, which is no commit to ask for', async () => {
    const bitbucket = withoutDefault();
    const { steps } = await scanned(bitbucket, ['release/*'], covering({ 900: '' }), 900).crawl();
    expect(sent(steps)).toEqual(['r1', 'c3', 'c2', 'c1']);
    expect(bitbucket.calls.filter((call) => call.endsWith('no such commit'))).toEqual([]);
  });
});
