import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { BitbucketPullRequest } from '../../../src/bitbucket/types.ts';
import { changedPullRequests } from '../../../src/crawl/pull-request-changes.ts';
import type { NewJob } from '../../../src/store/jobs.ts';
import { Store } from '../../../src/store/store.ts';
import { discovered, newJob, pullRequestsOf } from '../store/fixtures.ts';
import { bitbucketError, FakeBitbucket, ledger } from './fake-bitbucket.ts';
import { FakeClock } from './fake-clock.ts';
import { pullRequestOf } from './pull-request-of.ts';
import { scanOf } from './scan-of.ts';

const dayMs = 24 * 60 * 60 * 1000;

/** A repository's pull requests, the store, and time. */
class World {
  readonly bitbucket = new FakeBitbucket();
  readonly store = new Store(':memory:');
  readonly clock = new FakeClock(1_000_000);
  #jobs = 0;
  #toMs = 500_000;

  constructor(...pullRequests: readonly BitbucketPullRequest[]) {
    this.bitbucket.pageSize = 2;
    for (const pullRequest of pullRequests) this.set(pullRequest);
  }

  set(pullRequest: BitbucketPullRequest): void {
    this.bitbucket.prs.set(pullRequest.id, pullRequest);
  }

  change(id: number, changes: Partial<BitbucketPullRequest>): void {
    this.set({ ...(this.bitbucket.prs.get(id) ?? pullRequestOf(id)), ...changes });
  }

  /** The window of the next scan follows on the last one, unless it is said otherwise. */
  job(window: Partial<NewJob> = {}): NewJob {
    const fromMs = this.#toMs;
    this.#toMs += 10_000;
    return newJob(`j${++this.#jobs}`, { fromMs, toMs: this.#toMs, ...window });
  }

  /** What the job would send and what it would only remember; nothing of it is durable yet. */
  async look(job: NewJob) {
    this.bitbucket.calls.length = 0;
    if (this.store.jobs.get(job.id) === undefined) discovered(this.store, job, [ledger.id]);
    const { scan, failures } = scanOf({ bitbucket: this.bitbucket, store: this.store, job, clock: this.clock });
    const seen = await Array.fromAsync(changedPullRequests(scan, ledger));
    const ids = (isSent: boolean) =>
      seen
        .filter(({ pullRequest }) => (pullRequest !== undefined) === isSent)
        .map(({ found }) => found.id)
        .sort((a, b) => a - b);
    return { seen, sent: ids(true), remembered: ids(false), calls: [...this.bitbucket.calls], failures };
  }

  /** A whole scan, acknowledged; or one of which only so many steps were read, or that failed with all it had read. */
  async scan(
    window: Partial<NewJob> = {},
    end: 'done' | 'in part' | 'failed' = 'done',
    steps = Number.MAX_SAFE_INTEGER,
  ) {
    const job = this.job(window);
    const outcome = await this.look(job);
    const durable = end === 'done' ? outcome.seen : outcome.seen.slice(0, steps);
    for (const { found } of durable) this.store.pullRequests.addFound(job.id, ledger.id, found);
    this.store.slices.finish(pullRequestsOf(job.id, ledger.id), end === 'in part' ? 'failed' : 'done');
    this.store.jobs.setDone(job.id, 1, end === 'failed' ? { exception: {} } : { result: {} });
    this.store.acknowledge(job.id);
    const received = end === 'failed' ? [] : durable.filter(({ pullRequest }) => pullRequest !== undefined);
    return { ...outcome, received: received.map(({ found }) => found.id) };
  }
}

const merged = { state: 'MERGED', open: false, closed: true };

describe('a sweep', () => {
  const old = { updatedDate: 499_999 };
  const recent = { updatedDate: 500_000 };

  test('of a repository that was never scanned sends what is open or was updated in the window, and remembers the rest', async () => {
    const world = new World(
      pullRequestOf(1, { ...merged, ...old }),
      pullRequestOf(2, { ...merged, ...recent }),
      pullRequestOf(3, old),
      pullRequestOf(4, { ...recent, state: 'DECLINED' }),
      pullRequestOf(5, { ...merged, ...old }),
    );
    expect(await world.look(world.job())).toMatchObject({
      sent: [2, 3, 4],
      remembered: [1, 5],
      calls: ['pull-requests ALL @0', 'pull-requests ALL @14', 'pull-requests ALL @28'],
    });
  });

  test('of a full scan looks at everything again', async () => {
    const world = new World(
      pullRequestOf(1, { ...merged, ...old }),
      pullRequestOf(2, old),
      pullRequestOf(3, { ...merged, ...old }),
    );
    await world.scan();
    expect(await world.scan({ isFull: true })).toMatchObject({ sent: [2], remembered: [] });
  });

  test('does not read a closed one for what is said of it later: its date stands still, so SEI would drop it', async () => {
    const world = new World(pullRequestOf(1, { ...merged, ...old }));
    await world.scan();
    const late = { user: { id: 9 }, role: 'PARTICIPANT', status: 'UNAPPROVED' };
    world.change(1, { properties: { commentCount: 1 }, participants: [late] });
    expect(await world.scan({ isFull: true })).toMatchObject({ seen: [] });
    world.change(1, { title: 'another' });
    expect(await world.scan({ isFull: true })).toMatchObject({ sent: [1] });
  });

  test('of a full scan sends what is new since the last one, though it is older than the window', async () => {
    const world = new World(pullRequestOf(1, { ...merged, ...old }));
    await world.scan();
    world.set(pullRequestOf(2, { ...merged, updatedDate: 505_000 }));
    expect(await world.look(world.job({ isFull: true, fromMs: 600_000 }))).toMatchObject({ sent: [2] });
  });

  test('is what a window that reaches back before the last scan gets', async () => {
    const world = new World(
      pullRequestOf(1, { ...merged, updatedDate: 505_000 }),
      pullRequestOf(2, { ...merged, ...old }),
    );
    await world.scan();
    expect(await world.look(world.job())).toMatchObject({ sent: [] });
    expect(await world.look(world.job({ fromMs: 504_000 }))).toMatchObject({ sent: [1] });
  });

  test('asked again for a window, of open ones only those of which SEI has something from it, or is not known to', async () => {
    const world = new World(
      pullRequestOf(1, old),
      pullRequestOf(2, old),
      pullRequestOf(3, old),
      pullRequestOf(4, { updatedDate: 505_500 }),
      pullRequestOf(5, old),
    );
    await world.scan();
    const dates = { 1: 499_999, 2: 505_000, 4: 499_999, 5: 499_999 };
    const job = newJob('dates', { fromMs: 510_000, toMs: 510_000 });
    discovered(world.store, job, [ledger.id]);
    for (const [id, sentMs] of Object.entries(dates)) {
      const known = world.store.pullRequests.get('7', ledger.id, Number(id));
      if (known !== undefined) world.store.pullRequests.addFound(job.id, ledger.id, { ...known, sentMs });
    }
    world.store.slices.finish(pullRequestsOf(job.id, ledger.id), 'done');
    world.store.jobs.setDone(job.id, 1, { result: {} });
    world.store.acknowledge(job.id);
    world.change(5, { title: 'another' });
    expect(await world.look(world.job({ fromMs: 505_000 }))).toMatchObject({ sent: [2, 3, 4, 5], remembered: [] });
    // A full scan sends whatever is open.
    expect(await world.look(world.job({ fromMs: 505_000, isFull: true }))).toMatchObject({ sent: [1, 2, 3, 4, 5] });
  });

  test('dates as text count as well', async () => {
    const date = (ms: number) => new Date(ms).toISOString();
    const world = new World(
      pullRequestOf(1, { ...merged, updatedDate: date(499_999) }),
      pullRequestOf(2, { ...merged, updatedDate: date(500_000) }),
      pullRequestOf(3, { ...merged, updatedDate: null }),
    );
    expect(await world.look(world.job())).toMatchObject({ sent: [2], remembered: [1, 3] });
  });

  test('asks for what was open and is not in the list any more', async () => {
    const world = new World(pullRequestOf(1), pullRequestOf(2));
    await world.scan();
    world.bitbucket.prs.delete(1);
    expect(await world.scan({ isFull: true })).toMatchObject({ sent: [2], remembered: [1] });
  });
});

describe('an incremental scan', () => {
  test('of a quiet repository sends nothing: one page of all, and the open ones', async () => {
    const world = new World(...[1, 2, 3].map((id) => pullRequestOf(id, merged)), pullRequestOf(4), pullRequestOf(5));
    await world.scan();
    expect(await world.look(world.job())).toMatchObject({
      seen: [],
      calls: ['pull-requests ALL @0', 'pull-requests OPEN @0'],
    });
  });

  test('of one whose pull requests fit on a page needs that page only', async () => {
    const world = new World(pullRequestOf(1, merged), pullRequestOf(2));
    await world.scan();
    expect(await world.look(world.job())).toMatchObject({ seen: [], calls: ['pull-requests ALL @0'] });
  });

  test('of one without pull requests costs one request', async () => {
    const world = new World();
    await world.scan();
    expect(await world.look(world.job())).toMatchObject({ seen: [], calls: ['pull-requests ALL @0'] });
  });

  test('sends one that was opened and merged between two scans, however many there are', async () => {
    const world = new World(pullRequestOf(1, merged), pullRequestOf(2));
    await world.scan();
    for (const id of [3, 4, 5, 6, 7]) world.set(pullRequestOf(id, { ...merged, updatedDate: 1 }));
    expect(await world.scan()).toMatchObject({ sent: [3, 4, 5, 6, 7] });
    expect(await world.scan()).toMatchObject({ seen: [] });
  });

  test.each<[string, Partial<BitbucketPullRequest>]>([
    ['version', { version: 1 }],
    ['updatedDate', { updatedDate: 2_000_000 }],
    ['title', { title: 'Another' }],
    ['source commit', { fromRef: { latestCommit: 'pushed' } }],
    ['reviewers', { reviewers: [{ user: { id: 9 }, role: 'REVIEWER', status: 'UNAPPROVED' }] }],
    ['participants', { participants: [{ user: { id: 9 }, role: 'PARTICIPANT', status: 'UNAPPROVED' }] }],
    ['comments', { properties: { commentCount: 1, openTaskCount: 0, resolvedTaskCount: 0 } }],
    ['open tasks', { properties: { commentCount: 0, openTaskCount: 1, resolvedTaskCount: 0 } }],
    ['resolved tasks', { properties: { commentCount: 0, openTaskCount: 0, resolvedTaskCount: 1 } }],
    ['state', merged],
  ])('sends one whose %s changed, and not again afterwards', async (_name, change) => {
    const world = new World(
      pullRequestOf(1, merged),
      pullRequestOf(2),
      pullRequestOf(3, merged),
      pullRequestOf(4, merged),
    );
    await world.scan();
    world.change(2, change);
    expect(await world.scan()).toMatchObject({ sent: [2], remembered: [] });
    expect(await world.scan()).toMatchObject({ seen: [] });
  });

  test.each<[string, Partial<BitbucketPullRequest>]>([
    ['an approval', { reviewers: [{ user: { id: 9 }, role: 'REVIEWER', status: 'APPROVED' }] }],
    ['a push that was looked at', { reviewers: [{ user: { id: 9 }, role: 'REVIEWER', lastReviewedCommit: 'x' }] }],
    ['one of two who have no account id', { reviewers: [{ user: { name: 'bob' }, status: 'APPROVED' }] }],
  ])('sends one with %s, though neither date nor version moved', async (_name, change) => {
    const world = new World(
      pullRequestOf(2, { reviewers: [{ user: { id: 9 }, role: 'REVIEWER', status: 'UNAPPROVED' }] }),
    );
    await world.scan();
    world.change(2, change);
    expect(await world.scan()).toMatchObject({ sent: [2] });
  });

  test('does not read an open one because its target moved: no date moves with it, so SEI would drop it', async () => {
    const world = new World(pullRequestOf(1), pullRequestOf(2));
    await world.scan();
    for (const id of [1, 2]) world.change(id, { toRef: { latestCommit: 'moved' } });
    expect(await world.scan()).toMatchObject({ seen: [] });
  });

  test('does not take another order of the same people, or a zero that is left out, for a change', async () => {
    const [ada, bob] = [
      { user: { id: 1, name: 'ada' }, role: 'REVIEWER', status: 'APPROVED' },
      { user: { id: 2, name: 'bob' }, role: 'REVIEWER', status: 'UNAPPROVED' },
    ];
    const world = new World(pullRequestOf(2, { reviewers: [ada, bob] }));
    await world.scan();
    world.change(2, { reviewers: [bob, ada], properties: { openTaskCount: 0 }, participants: null });
    expect(await world.scan()).toMatchObject({ seen: [] });
  });

  test('asks for one that was open and has left the lists: merged, it is sent', async () => {
    const world = new World(pullRequestOf(1), ...[2, 3, 4].map((id) => pullRequestOf(id, merged)));
    await world.scan();
    world.change(1, merged);
    const outcome = await world.scan();
    expect(outcome).toMatchObject({ sent: [1] });
    expect(outcome.calls.at(-1)).toBe('pull-request 1');
    expect((await world.scan()).calls).not.toContain('pull-request 1');
  });

  test('asks for one that was open and has left the lists: deleted, it is forgotten', async () => {
    const world = new World(pullRequestOf(1), ...[2, 3, 4].map((id) => pullRequestOf(id, merged)));
    await world.scan();
    world.bitbucket.prs.delete(1);
    expect(await world.scan()).toMatchObject({ sent: [], remembered: [1] });
    expect(world.store.pullRequests.openIds('7', ledger.id)).toEqual([]);
    const next = await world.scan();
    expect(next.seen).toEqual([]);
    expect(next.calls).not.toContain('pull-request 1');
  });

  test('asks for one that was open and has left the lists: it only slipped from one page to another', async () => {
    const world = new World(
      ...[1, 2, 3].map((id) => pullRequestOf(id)),
      ...[4, 5, 6].map((id) => pullRequestOf(id, merged)),
    );
    await world.scan();
    const { pullRequests } = world.bitbucket;
    world.bitbucket.pullRequests = async function* (repository, state) {
      for await (const page of pullRequests.call(this, repository, state)) {
        yield { ...page, values: page.values.filter(({ id }) => id !== 2) };
      }
    };
    const outcome = await world.scan();
    expect(outcome.seen).toEqual([]);
    expect(outcome.calls.at(-1)).toBe('pull-request 2');
    expect(world.store.pullRequests.openIds('7', ledger.id)).toContain(2);
  });

  test('ends with what hinders it from asking: nothing is taken for deleted', async () => {
    const world = new World(pullRequestOf(1), ...[2, 3, 4].map((id) => pullRequestOf(id, merged)));
    await world.scan();
    world.bitbucket.prs.delete(1);
    const error = bitbucketError('FORBIDDEN', 'permission', 401);
    world.bitbucket.break('pull-request 1', error);
    await expect(world.look(world.job())).rejects.toBe(error);
  });

  describe('one that was open, has left the lists and answers 500', () => {
    const broken = bitbucketError('SERVER_ERROR', 'retryable', 500);
    const newWorld = async () => {
      const world = new World(
        ...[1, 2, 3, 4, 5, 6].map((id) => pullRequestOf(id)),
        ...[7, 8, 9].map((id) => pullRequestOf(id, merged)),
      );
      await world.scan();
      return world;
    };

    test('is reported and asked for in each scan, and ends none', async () => {
      const world = await newWorld();
      for (const id of [1, 2]) world.change(id, merged);
      world.bitbucket.break('pull-request 1', broken);
      for (let scan = 0; scan < 2; scan++) {
        const outcome = await world.scan();
        expect(outcome.seen).toContainEqual({
          found: expect.objectContaining({ id: 1, fingerprint: 'unread', isOpen: true }),
        });
        expect(outcome.failures).toEqual(['PAY/ledger pull request 1: BITBUCKET_SERVER_ERROR: SERVER_ERROR']);
        expect(outcome.sent).toEqual(scan === 0 ? [2] : []);
      }
      world.bitbucket.break('pull-request 1');
      expect(await world.scan()).toMatchObject({ sent: [1], failures: [] });
    });

    test('ends the scan where it is one of many: the server fails', async () => {
      const world = await newWorld();
      for (const id of [1, 2, 3, 4, 5]) {
        world.change(id, merged);
        world.bitbucket.break(`pull-request ${id}`, broken);
      }
      await expect(world.look(world.job())).rejects.toBe(broken);
    });
  });

  test('has no trouble with more pull requests than a call may have arguments', async () => {
    const world = new World();
    world.bitbucket.pullRequests = async function* () {
      const values = (from: number) => Array.from({ length: 100_000 }, (_, n) => pullRequestOf(from + n, merged));
      yield { values: values(100_001), start: 0, nextStart: 1 };
      yield { values: values(1), start: 1, nextStart: undefined };
    };
    expect((await world.look(world.job({ fromMs: 0 }))).sent).toHaveLength(200_000);
  });

  test('sends one that was reopened', async () => {
    const world = new World(
      pullRequestOf(1, { state: 'DECLINED' }),
      ...[2, 3, 4].map((id) => pullRequestOf(id, merged)),
    );
    await world.scan();
    world.change(1, { state: 'OPEN', open: true, closed: false });
    expect(await world.scan()).toMatchObject({ sent: [1] });
  });

  test('sends one that was reopened and merged between two scans: in the first scan of a day, where no list shows it on top', async () => {
    const world = new World(
      pullRequestOf(1, { state: 'DECLINED' }),
      ...[2, 3, 4].map((id) => pullRequestOf(id, merged)),
    );
    await world.scan();
    world.change(1, { ...merged, version: 2, updatedDate: 505_000 });
    expect(await world.scan()).toMatchObject({ seen: [] });
    expect(await world.scan({ toMs: dayMs })).toMatchObject({ sent: [1] });
    expect(await world.scan({ fromMs: dayMs, toMs: dayMs + 1 })).toMatchObject({
      seen: [],
      calls: ['pull-requests ALL @0', 'pull-requests OPEN @0'],
    });
  });

  test('reads an open one again after a day: replies leave no trace in a list', async () => {
    const world = new World(pullRequestOf(1), pullRequestOf(2, merged));
    await world.scan();
    world.clock.nowMs += dayMs - 1;
    expect(await world.scan()).toMatchObject({ seen: [] });
    world.clock.nowMs += 1;
    expect(await world.scan()).toMatchObject({ sent: [1] });
    expect(await world.scan()).toMatchObject({ seen: [] });
  });
});

describe('each pull request comes once', () => {
  test('also where the list moves while it is read', async () => {
    const world = new World(...[1, 2, 3, 4].map((id) => pullRequestOf(id)));
    const { pullRequests } = world.bitbucket;
    world.bitbucket.pullRequests = async function* (repository, state) {
      let last: BitbucketPullRequest | undefined;
      for await (const page of pullRequests.call(this, repository, state)) {
        yield { ...page, values: last === undefined ? page.values : [last, ...page.values] };
        last = page.values.at(-1);
      }
    };
    expect(await world.look(world.job())).toMatchObject({ sent: [1, 2, 3, 4] });
  });

  test('also after a restart: what the job has found is not read again, and does not end the list early', async () => {
    const world = new World(pullRequestOf(1, merged), pullRequestOf(2));
    await world.scan();
    for (const id of [3, 4, 5, 6, 7, 8]) world.set(pullRequestOf(id, merged));
    const job = world.job();
    const { seen } = await world.look(job);
    // The newest four were durable when the process ended.
    for (const { found } of seen.filter((one) => one.found.id > 4))
      world.store.pullRequests.addFound(job.id, ledger.id, found);
    expect(await world.look(job)).toMatchObject({ sent: [3, 4] });
  });
});

describe('scan after scan', () => {
  type Act =
    | 'open'
    | 'open and merge'
    | 'merge'
    | 'decline'
    | 'reopen'
    | 'approve'
    | 'comment'
    | 'push'
    | 'delete'
    | 'scan';

  /** Does something to one of the pull requests, or leaves it where that is not possible; true where a scan must see it. */
  function act(world: World, what: Act, pick: number, nowMs: number): number | undefined {
    const { prs } = world.bitbucket;
    if (what === 'open' || what === 'open and merge') {
      const id = Math.max(0, ...prs.keys()) + 1;
      world.set(pullRequestOf(id, { createdDate: nowMs, updatedDate: nowMs, ...(what === 'open' ? {} : merged) }));
      return id;
    }
    const id = [...prs.keys()][pick % Math.max(1, prs.size)];
    const known = id === undefined ? undefined : prs.get(id);
    if (id === undefined || known === undefined || (what !== 'reopen') !== (known.state === 'OPEN')) return undefined;
    const moved = { version: Number(known.version) + 1, updatedDate: nowMs };
    switch (what) {
      case 'merge':
        world.change(id, { ...merged, ...moved });
        return id;
      case 'decline':
        world.change(id, { state: 'DECLINED', open: false, closed: true, ...moved });
        return id;
      case 'reopen':
        if (known.state !== 'DECLINED') return undefined;
        world.change(id, { state: 'OPEN', open: true, closed: false, ...moved });
        return id;
      case 'approve':
        world.change(id, { reviewers: [{ user: { id: nowMs }, role: 'REVIEWER', status: 'APPROVED' }] });
        return id;
      case 'comment':
        world.change(id, { properties: { commentCount: Number(known.properties?.commentCount) + 1 } });
        return id;
      case 'push':
        world.change(id, { fromRef: { latestCommit: `pushed ${nowMs}` }, ...moved });
        return id;
      case 'delete':
        prs.delete(id);
        return undefined;
      default:
        return undefined;
    }
  }

  test('every change of an open one, and every new or closed one, reaches SEI, in whichever order the server lists and whatever fails', async () => {
    const acts = fc.constantFrom<Act[]>(
      ...([
        'open',
        'open',
        'open and merge',
        'merge',
        'decline',
        'reopen',
        'approve',
        'comment',
        'push',
        'delete',
      ] as const),
      ...(['scan', 'scan', 'scan'] as const),
    );
    const end = fc.constantFrom('done', 'done', 'in part', 'failed');
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom('created', 'updated'),
        fc.array(fc.tuple(acts, fc.nat(50), end), { minLength: 5, maxLength: 60 }),
        async (order, history) => {
          const world = new World();
          world.bitbucket.order = order;
          const { prs } = world.bitbucket;
          const owed = new Set<number>();
          let closedBefore = new Set<number>();
          let nowMs = 600_000;
          let isFirst = true;
          for (const [what, pick, how] of [
            ...history,
            ['scan', 0, 'done'] as const,
            ['day after', 0, 'done'] as const,
          ]) {
            nowMs += 1;
            if (what !== 'scan' && what !== 'day after') {
              const id = act(world, what, pick, nowMs);
              if (id !== undefined) owed.add(id);
              continue;
            }
            const isClosed = (id: number) => prs.get(id)?.state !== 'OPEN';
            // Reopened and closed again since the last scan: where the list is by creation, the next day's first scan shows it.
            const mayWait = (id: number) =>
              what === 'scan' && order === 'created' && closedBefore.has(id) && isClosed(id);
            const { sent, received } = await world.scan(what === 'scan' ? {} : { toMs: dayMs }, how, pick % 4);
            const known = [...owed].filter((id) => prs.has(id)).sort((a, b) => a - b);
            const wanted = known.filter((id) => !mayWait(id) || sent.includes(id));
            // A sweep also sends what is open and has not changed.
            expect(isFirst ? sent.filter((id) => wanted.includes(id)) : sent).toEqual(wanted);
            isFirst &&= how !== 'done';
            for (const id of received) owed.delete(id);
            closedBefore = new Set([...prs.keys()].filter(isClosed));
          }
          expect([...owed].filter((id) => prs.has(id))).toEqual([]);
        },
      ),
      { numRuns: 150 },
    );
  });
});
