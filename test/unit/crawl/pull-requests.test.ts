import { describe, expect, test } from '@jest/globals';
import type { BitbucketActivity } from '../../../src/bitbucket/types.ts';
import { crawlCommits } from '../../../src/crawl/commits.ts';
import { crawlPullRequests } from '../../../src/crawl/pull-requests.ts';
import { crawlRepository } from '../../../src/crawl/repository.ts';
import { crawlTags } from '../../../src/crawl/tags.ts';
import type { PullRequestRecord } from '../../../src/records/types.ts';
import { Store } from '../../../src/store/store.ts';
import { discovered, newJob, pullRequestsOf } from '../store/fixtures.ts';
import { bitbucketError, FakeBitbucket, ledger } from './fake-bitbucket.ts';
import { pullRequestOf } from './pull-request-of.ts';
import { drain, scanOf, sent } from './scan-of.ts';

const person = { id: 1, name: 'ada', displayName: 'Ada' };
const canary = 'what somebody wrote, and the source around it';

function activity(id: number, action: string, others: Partial<BitbucketActivity> = {}): BitbucketActivity {
  return { id, action, createdDate: id * 10, user: person, ...others };
}

/** As the server sends it: with the comment, its replies, and the lines around it. */
function comment(id: number): BitbucketActivity {
  const written = {
    comment: { id, text: canary, comments: [{ text: canary }] },
    commentAnchor: { path: canary },
    diff: { hunks: [{ segments: [{ lines: [{ line: canary }] }] }] },
  };
  return { ...activity(id, 'COMMENTED'), ...written };
}

/** One merged pull request, with reviews and two commits. */
function withMerged(): FakeBitbucket {
  const bitbucket = new FakeBitbucket();
  bitbucket.commit('a1', [], 100, 'main');
  bitbucket.commit('a2', ['a1'], 200);
  bitbucket.commit('a3', ['a2'], 300, 'main');
  bitbucket.prs.set(3, pullRequestOf(3, { state: 'MERGED', open: false, closed: true, updatedDate: 5_000 }));
  bitbucket.activityLists.set(3, [
    activity(9, 'MERGED', { commit: { id: 'a3', displayId: 'a3' } }),
    comment(8),
    activity(7, 'APPROVED'),
    activity(6, 'OPENED'),
  ]);
  bitbucket.prCommits.set(3, ['a3', 'a2']);
  return bitbucket;
}

async function recordsOf(bitbucket: FakeBitbucket, metadata: Parameters<typeof scanOf>[0]['config'] = {}) {
  const { scan, failures } = scanOf({ bitbucket, config: metadata });
  const { steps, covered } = await drain(crawlPullRequests(scan, ledger));
  return {
    records: steps.flatMap(({ record }) => (record === undefined ? [] : [record as PullRequestRecord])),
    steps,
    covered,
    failures,
  };
}

describe('a pull request', () => {
  test('goes out with its reviews and its commits, and is remembered with the page that holds it', async () => {
    const { records, steps, covered } = await recordsOf(withMerged());
    expect(records).toHaveLength(1);
    expect(records[0]).toMatchObject({
      id: 3,
      state: 'MERGED',
      updatedDate: 5_000,
      activities: [
        { action: 'MERGED', commit: { id: 'a3' } },
        { action: 'COMMENTED' },
        { action: 'APPROVED' },
        { action: 'OPENED' },
      ],
      commits: [
        { id: 'a3', additions: 2, files: [{ fileName: 'a3.txt' }] },
        { id: 'a2', additions: 2 },
      ],
    });
    expect(steps).toMatchObject([{ found: { id: 3, isOpen: false }, record: { id: 3 } }]);
    expect(covered).toEqual([]);
  });

  test('carries nothing of what was written in it, nor of the source around it', async () => {
    const { records } = await recordsOf(withMerged());
    expect(JSON.stringify(records)).not.toContain(canary);
    expect(records[0]?.activities?.[1]).toEqual({ id: 8, action: 'COMMENTED', createdDate: 80, user: person });
  });

  test('whose commits cannot be listed any more goes out without them', async () => {
    const bitbucket = withMerged();
    bitbucket.break('commits of 3', bitbucketError('NOT_FOUND', 'gone', 404));
    const { records } = await recordsOf(bitbucket);
    expect(records).toMatchObject([{ id: 3, commits: [] }]);
  });

  test.each([
    ['activities 3', bitbucketError('SERVER_ERROR', 'retryable', 500)],
    ['commits of 3', bitbucketError('SERVER_ERROR', 'retryable', 503)],
    ['commits of 3', bitbucketError('FORBIDDEN', 'permission', 401)],
  ])('whose %s cannot be read is reported, does not go out in half, and is asked for again', async (call, error) => {
    const bitbucket = withMerged();
    bitbucket.break(call, error);
    const { records, steps, failures } = await recordsOf(bitbucket);
    expect(records).toEqual([]);
    expect(failures).toEqual([expect.stringContaining(`PAY/ledger pull request 3: ${error.code}: `)]);
    expect(steps).toEqual([{ found: expect.objectContaining({ id: 3, fingerprint: 'unread', isOpen: true }) }]);
  });

  test('whose repository is closed to us while it is read does not go out without its commits', async () => {
    const bitbucket = withMerged();
    bitbucket.break('commits of 3', bitbucketError('NOT_FOUND', 'gone', 404));
    bitbucket.break('pull-request 3', bitbucketError('NOT_FOUND', 'gone', 404));
    const { records, steps } = await recordsOf(bitbucket);
    expect(records).toEqual([]);
    expect(steps).toMatchObject([{ found: { id: 3, fingerprint: 'unread' } }]);
  });

  test('that was deleted after it was listed is remembered as that, and nothing is amiss', async () => {
    const bitbucket = withMerged();
    bitbucket.break('activities 3', bitbucketError('NO_SUCH_PULL_REQUEST', 'gone', 404));
    const { records, steps, failures } = await recordsOf(bitbucket);
    expect([records, failures]).toEqual([[], []]);
    expect(steps).toEqual([{ found: expect.objectContaining({ id: 3, fingerprint: 'deleted', isOpen: false }) }]);
  });

  test('that cannot be read because nobody answers ends the slice', async () => {
    const bitbucket = withMerged();
    const error = bitbucketError('UNREACHABLE', 'retryable');
    bitbucket.break('activities 3', error);
    await expect(recordsOf(bitbucket)).rejects.toBe(error);
  });

  test('that is only to be remembered costs no request', async () => {
    const bitbucket = withMerged();
    const { scan } = scanOf({ bitbucket, job: { fromMs: 6_000 } });
    const { steps } = await drain(crawlPullRequests(scan, ledger));
    expect(steps).toEqual([{ found: expect.objectContaining({ id: 3, readAtMs: 0 }) }]);
    expect(bitbucket.calls).toEqual(['pull-requests ALL @0']);
  });

  test('without a diff of one of its commits goes out, and that is reported', async () => {
    const bitbucket = withMerged();
    bitbucket.diffs.set('a2', bitbucketError('SERVER_ERROR', 'retryable', 500));
    const { records, failures } = await recordsOf(bitbucket);
    expect(records[0]?.commits?.[1]).not.toHaveProperty('files');
    expect(failures).toEqual([expect.stringContaining('a2')]);
  });

  test('that takes long to read keeps none behind it waiting', async () => {
    const bitbucket = new FakeBitbucket();
    for (const id of [1, 2, 3, 4, 5, 6, 7, 8, 9]) bitbucket.prs.set(id, pullRequestOf(id));
    bitbucket.commit('slow', [], 100);
    bitbucket.prCommits.set(9, ['slow']);
    const slow = Promise.withResolvers<void>();
    bitbucket.beforeDiff = () => slow.promise;
    const { scan } = scanOf({ bitbucket });
    const came: unknown[] = [];
    for await (const { found } of crawlPullRequests(scan, ledger)) {
      came.push(found?.id);
      if (came.length === 8) slow.resolve();
    }
    expect(came).toEqual([8, 7, 6, 5, 4, 3, 2, 1, 9]);
  });
});

test('an open one whose newest comment was deleted goes out with a later date than SEI has, or it would be dropped', async () => {
  const bitbucket = new FakeBitbucket();
  const store = new Store(':memory:');
  const commented = { commentCount: 1, openTaskCount: 0, resolvedTaskCount: 0 };
  bitbucket.prs.set(1, pullRequestOf(1, { properties: commented }));
  bitbucket.activityLists.set(1, [activity(900, 'COMMENTED'), activity(1, 'OPENED')]);
  const datesOf = async (id: string, window: object) => {
    const job = newJob(id, window);
    discovered(store, job, [ledger.id]);
    const { scan } = scanOf({ bitbucket, store, job });
    const { steps } = await drain(crawlPullRequests(scan, ledger));
    for (const { found } of steps) if (found !== undefined) store.pullRequests.addFound(id, ledger.id, found);
    store.slices.finish(pullRequestsOf(id, ledger.id), 'done');
    store.jobs.setDone(id, 1, { result: {} });
    store.acknowledge(id);
    return steps.map(({ record }) => (record as PullRequestRecord | undefined)?.updatedDate);
  };
  expect(await datesOf('a', { fromMs: 1_000, toMs: 10_000 })).toEqual([9_000]);
  bitbucket.activityLists.set(1, [activity(1, 'OPENED')]);
  bitbucket.prs.set(1, pullRequestOf(1));
  expect(await datesOf('b', { fromMs: 10_000, toMs: 11_000 })).toEqual([9_001]);
  // Closed, it has the date of its closing.
  bitbucket.prs.set(1, pullRequestOf(1, { state: 'DECLINED', updatedDate: 8_500 }));
  expect(await datesOf('c', { fromMs: 11_000, toMs: 12_000 })).toEqual([8_500]);
});

describe('a very large pull request', () => {
  const change = (path: string) => ({ sourcePath: path, destinationPath: path, linesAdded: 2, linesRemoved: 1 });
  function withCommits(count: number, files = 1): FakeBitbucket {
    const bitbucket = new FakeBitbucket();
    bitbucket.prs.set(3, pullRequestOf(3));
    const ids = Array.from({ length: count }, (_, n) => bitbucket.commit(`c${n}`, [], n));
    bitbucket.prCommits.set(3, ids);
    for (const id of ids) {
      const paths = Array.from({ length: files }, (_, file) =>
        change(`services/src/main/java/org/Class${id}_${file}.java`),
      );
      bitbucket.diffs.set(id, { files: paths, truncated: false });
    }
    return bitbucket;
  }

  test('goes out with its first 1,000 commits, asks for no others, and is reported', async () => {
    const bitbucket = withCommits(1_200);
    const { records, failures } = await recordsOf(bitbucket);
    expect(records[0]?.commits?.map(({ id }) => id)).toEqual(Array.from({ length: 1_000 }, (_, n) => `c${n}`));
    expect(bitbucket.calls.filter((call) => call.startsWith('diff'))).toHaveLength(1_000);
    expect(failures).toEqual([
      'PAY/ledger pull request 3: PULL_REQUEST_TOO_LARGE: only the first 1000 of its commits are sent',
    ]);
  });

  test('of exactly 1,000 commits is whole', async () => {
    const { records, failures } = await recordsOf(withCommits(1_000));
    expect([records[0]?.commits?.length, failures]).toEqual([1_000, []]);
  });

  test('loses lists of files first: all lines count, and the record stays small', async () => {
    const { records, failures } = await recordsOf(withCommits(100, 200));
    const commits = records[0]?.commits ?? [];
    expect(commits).toHaveLength(100);
    expect(commits.every(({ additions, deletions }) => additions === 400 && deletions === 200)).toBe(true);
    const withoutFiles = commits.filter(({ files }) => files?.length === 0).length;
    expect(withoutFiles).toBeGreaterThan(10);
    expect(withoutFiles).toBeLessThan(90);
    expect(JSON.stringify(records[0]).length).toBeLessThan(6 * 1024 * 1024);
    expect(failures).toEqual([
      expect.stringContaining(`PULL_REQUEST_TOO_LARGE: ${withoutFiles} of its commits are sent without their files`),
    ]);
  });

  test('loses commits whose messages are too much', async () => {
    const bitbucket = withCommits(20);
    for (const commit of bitbucket.graph.values()) {
      bitbucket.graph.set(commit.id, { ...commit, message: 'x'.repeat(1024 * 1024) });
    }
    const { records, failures } = await recordsOf(bitbucket);
    expect(records[0]?.commits).toHaveLength(7);
    expect(failures).toEqual([expect.stringContaining('only the first 7 of its commits are sent')]);
  });

  test('waits for the other large ones; each leaves room for the next, also where the crawl is given up', async () => {
    const bitbucket = withCommits(300);
    for (const id of [4, 5, 6]) {
      bitbucket.prs.set(id, pullRequestOf(id));
      bitbucket.prCommits.set(id, bitbucket.prCommits.get(3) ?? []);
    }
    for (const commit of bitbucket.graph.values()) {
      bitbucket.graph.set(commit.id, { ...commit, message: 'x'.repeat(4096) });
    }
    const { scan } = scanOf({ bitbucket });
    for await (const { record } of crawlPullRequests(scan, ledger)) {
      expect(record).toHaveProperty('commits.length', 300);
      break;
    }
    const { steps } = await drain(crawlPullRequests(scan, ledger));
    expect(sent<number>(steps).sort()).toEqual([3, 4, 5, 6]);
  });
});

describe('with fetch_pr_reviews: false', () => {
  const config = { metadata: { fetchPrReviews: false } };

  test('a merged one still says when and by whom it was merged, and nothing else', async () => {
    const { records } = await recordsOf(withMerged(), config);
    expect(records[0]?.activities).toEqual([
      { id: 9, action: 'MERGED', createdDate: 90, user: person, commit: { id: 'a3', displayId: 'a3' } },
    ]);
  });

  test('a merged one without such an activity (a plain push) says nothing', async () => {
    const bitbucket = withMerged();
    bitbucket.activityLists.set(3, [comment(8)]);
    expect((await recordsOf(bitbucket, config)).records[0]?.activities).toEqual([]);
  });

  test.each(['OPEN', 'DECLINED'])('of one that is %s no activity is asked for', async (state) => {
    const bitbucket = withMerged();
    bitbucket.prs.set(3, pullRequestOf(3, { state }));
    const { records } = await recordsOf(bitbucket, config);
    expect(records[0]).not.toHaveProperty('activities');
    expect(bitbucket.calls).not.toContain('activities 3');
  });
});

test('with fetch_pr_commits: false no commit is asked for', async () => {
  const bitbucket = withMerged();
  const { records } = await recordsOf(bitbucket, { metadata: { fetchPrCommits: false } });
  expect(records[0]).not.toHaveProperty('commits');
  expect(bitbucket.calls).not.toContain('commits of 3');
  expect(bitbucket.calls.filter((call) => call.startsWith('diff'))).toEqual([]);
});

test('a commit of the branch and of a pull request costs one diff, though both are crawled at the same time', async () => {
  const bitbucket = withMerged();
  const gate = Promise.withResolvers<void>();
  bitbucket.beforeDiff = () => gate.promise;
  const { scan } = scanOf({ bitbucket, job: { fromMs: 0 } });
  const both = Promise.all([drain(crawlCommits(scan, ledger, undefined)), drain(crawlPullRequests(scan, ledger))]);
  for (let n = 0; n < 20; n++) await new Promise((resolve) => setImmediate(resolve));
  gate.resolve();
  await both;
  const diffs = bitbucket.calls.filter((call) => call.startsWith('diff')).sort();
  expect(diffs).toEqual(['diff a1', 'diff a2', 'diff a3']);
});

test('tags go out one by one, over all pages', async () => {
  const bitbucket = new FakeBitbucket();
  bitbucket.tagList = [1, 2, 3, 4].map((n) => ({
    id: `refs/tags/v${n}`,
    displayId: `v${n}`,
    latestCommit: 'a',
    hash: null,
  }));
  const { scan } = scanOf({ bitbucket });
  const { steps, covered } = await drain(crawlTags(scan, ledger));
  expect(sent(steps)).toEqual(['refs/tags/v1', 'refs/tags/v2', 'refs/tags/v3', 'refs/tags/v4']);
  expect(covered).toEqual([]);
});

test('a repository goes out with the name of its default branch, where it has one', async () => {
  const bitbucket = new FakeBitbucket();
  const { scan } = scanOf({ bitbucket });
  expect((await drain(crawlRepository(scan, ledger))).steps[0]?.record).not.toHaveProperty('defaultBranch');
  bitbucket.commit('a1', [], 100, 'main');
  expect((await drain(crawlRepository(scan, ledger))).steps[0]?.record).toMatchObject({
    slug: 'ledger',
    defaultBranch: 'main',
  });
});

describe('a pull request that changes while it is read', () => {
  /** Before its activities are read for the n-th time, something happens to it. */
  class Busy extends FakeBitbucket {
    #reads = 0;
    readonly #happens: (read: number) => void;

    constructor(happens: (this: void, bitbucket: FakeBitbucket, read: number) => void) {
      super();
      this.#happens = (read) => happens(this, read);
      this.prs.set(1, pullRequestOf(1));
    }

    override async *activities(...args: Parameters<FakeBitbucket['activities']>) {
      this.#happens(++this.#reads);
      yield* super.activities(...args);
    }
  }

  test('goes out as it is afterwards: a merge never as an open one with the date of its merge', async () => {
    const bitbucket = new Busy((it, read) => {
      if (read > 1) return;
      it.prs.set(1, pullRequestOf(1, { state: 'MERGED', version: 1, updatedDate: 90_000 }));
      it.activityLists.set(1, [activity(9_000, 'MERGED')]);
    });
    const { records, steps } = await recordsOf(bitbucket);
    expect(records).toMatchObject([{ state: 'MERGED', updatedDate: 90_000, activities: [{ action: 'MERGED' }] }]);
    expect(steps).toMatchObject([{ found: { isOpen: false } }]);
  });

  test('is looked at once more where its activities are ahead of it, and no more where nothing has moved', async () => {
    const bitbucket = new Busy((it) => it.activityLists.set(1, [activity(9_000, 'APPROVED')]));
    const { records } = await recordsOf(bitbucket);
    expect(records).toMatchObject([{ state: 'OPEN', updatedDate: 90_000 }]);
    expect(bitbucket.calls.filter((call) => / 1$/.test(call))).toEqual([
      'activities 1',
      'commits of 1',
      'pull-request 1',
    ]);
  });

  test('without an end is reported and left to the next scan', async () => {
    const bitbucket = new Busy((it, read) => {
      it.prs.set(1, pullRequestOf(1, { title: `title ${read}` }));
      it.activityLists.set(1, [activity(9_000 + read, 'APPROVED')]);
    });
    const { steps, failures } = await recordsOf(bitbucket);
    expect(steps).toMatchObject([{ found: { id: 1, fingerprint: 'unread', isOpen: true } }]);
    expect(failures).toEqual([expect.stringContaining('BITBUCKET_PULL_REQUEST_MOVING')]);
  });
});
