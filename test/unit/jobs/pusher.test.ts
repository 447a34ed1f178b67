import { describe, expect, test } from '@jest/globals';
import { type ErrorKind, SatelliteError } from '../../../src/errors.ts';
import { Pusher } from '../../../src/jobs/pusher.ts';
import { Monitor } from '../../../src/ops/monitor.ts';
import type { PagePush } from '../../../src/sei/sei-client.ts';
import type { StorageResult } from '../../../src/sei/types.ts';
import { Store } from '../../../src/store/store.ts';
import { FakeClock } from '../crawl/fake-clock.ts';
import { newJob } from '../store/fixtures.ts';
import { RecordingLogger } from './recording-logger.ts';

type Push = (page: PagePush) => Promise<StorageResult>;

function setUp(push: Push, store = new Store(':memory:'), onTooLarge: (bytes: number) => void = () => undefined) {
  store.jobs.add(newJob('a'));
  const job = store.jobs.get('a');
  if (job === undefined) throw new Error('no job');
  const clock = new FakeClock();
  const logger = new RecordingLogger();
  const abort = new AbortController();
  const monitor = new Monitor({ clock, version: '1' });
  monitor.health.setIntegrations([job.integrationId]);
  const pusher = new Pusher({ store, push, job, clock, logger, monitor, signal: abort.signal, onTooLarge });
  const addPage = (dataType: 'commits' | 'tags', number: number) =>
    store.pages.add({ jobId: 'a', dataType, number }, 1, Buffer.from(`${dataType} ${number}`));
  return { store, clock, logger, abort, monitor, pusher, addPage };
}

function storedAt(relativePath: string): StorageResult {
  return { destination: 'gcs', records: [{ uri: `gs://bucket/${relativePath}` }] };
}

function failure(kind: ErrorKind, statusCode?: number): SatelliteError {
  return new SatelliteError('refused', {
    code: `SEI_${kind.toUpperCase()}`,
    kind,
    hint: 'mend it',
    ...(statusCode === undefined ? {} : { statusCode }),
  });
}

/** Lets everything that can go on go on. */
async function settled(): Promise<void> {
  for (let n = 0; n < 10; n++) await new Promise((resolve) => setImmediate(resolve));
}

describe('pushing', () => {
  test('takes the pages oldest first, each once, with its path and its bytes', async () => {
    const pushed: [string, string][] = [];
    const { store, pusher, addPage } = setUp(async ({ relativePath, content, ...ids }) => {
      expect(ids).toEqual({ integrationId: '7', jobId: 'a' });
      pushed.push([relativePath, Buffer.from(content).toString()]);
      return storedAt(relativePath);
    });
    addPage('tags', 0);
    addPage('commits', 0);
    addPage('commits', 1);
    pusher.finish();
    await pusher.run();
    expect(pushed).toEqual([
      ['tags/tags.0.json', 'tags 0'],
      ['commits/commits.0.json', 'commits 0'],
      ['commits/commits.1.json', 'commits 1'],
    ]);
    expect(store.pages.waiting('a', 9)).toEqual([]);
    expect(store.pages.stored('a', 'commits')).toEqual([
      storedAt('commits/commits.0.json'),
      storedAt('commits/commits.1.json'),
    ]);
  });

  test('has stored the answer before the next page is taken: a crash repeats one page at most', async () => {
    const waiting: number[] = [];
    const { store, pusher, addPage } = setUp(async ({ relativePath }) => {
      waiting.push(store.pages.waiting('a', 9).length);
      return storedAt(relativePath);
    });
    for (const number of [0, 1, 2]) addPage('commits', number);
    pusher.finish();
    await pusher.run();
    expect(waiting).toEqual([3, 2, 1]);
  });

  test('goes on while the crawl adds pages, and ends only after it', async () => {
    const pushed: string[] = [];
    const { pusher, addPage } = setUp(async ({ relativePath }) => {
      pushed.push(relativePath);
      return storedAt(relativePath);
    });
    let ended = false;
    const run = pusher.run().then(() => {
      ended = true;
    });
    await settled();
    addPage('commits', 0);
    pusher.wake();
    await settled();
    expect(pushed).toHaveLength(1);
    addPage('commits', 1);
    addPage('commits', 2);
    pusher.wake();
    await settled();
    expect(pushed).toHaveLength(3);
    expect(ended).toBe(false);
    addPage('commits', 3);
    pusher.finish();
    await run;
    expect(pushed).toHaveLength(4);
  });

  test('after a crash that came before the answer was stored, pushes the same page to the same path again', async () => {
    const pushed: string[] = [];
    const push: Push = async ({ relativePath }) => {
      pushed.push(relativePath);
      return storedAt(relativePath);
    };
    const { store, pusher, addPage } = setUp(push);
    addPage('commits', 0);
    addPage('commits', 1);
    const { setPushed } = store.pages;
    store.pages.setPushed = () => {
      throw new Error('crash');
    };
    await expect(pusher.run()).rejects.toThrow('crash');
    store.pages.setPushed = setPushed;
    const next = setUp(push, store);
    next.pusher.finish();
    await next.pusher.run();
    expect(pushed).toEqual(['commits/commits.0.json', 'commits/commits.0.json', 'commits/commits.1.json']);
  });
});

describe('a push that fails', () => {
  /** Fails with each of the errors in turn, then works. */
  async function run(errors: readonly SatelliteError[]) {
    let attempts = 0;
    const set = setUp(async ({ relativePath }) => {
      const error = errors[attempts++];
      if (error !== undefined) throw error;
      return storedAt(relativePath);
    });
    set.addPage('commits', 0);
    set.pusher.finish();
    const outcome = await set.pusher.run().catch((error: unknown) => error);
    return { ...set, outcome, attempts };
  }

  test.each([
    ['SEI is busy', failure('retryable', 503)],
    ['SEI fails', failure('retryable', 500)],
    ['nobody answers', failure('retryable')],
    ['SEI limits the rate', failure('throttled', 429)],
  ])('because %s is repeated until it works, however long that takes', async (_name, error) => {
    const { outcome, attempts, store, clock } = await run(Array.from({ length: 50 }, () => error));
    expect(outcome).toBeUndefined();
    expect(attempts).toBe(51);
    expect(store.pages.waiting('a', 9)).toEqual([]);
    expect(Math.max(...clock.sleeps)).toBeLessThanOrEqual(60_000);
  });

  test.each<ErrorKind>(['auth', 'gone', 'config', 'permission'])(
    'for what an operator has to mend (%s) waits for it a minute at a time, and says so',
    async (kind) => {
      const { outcome, clock, logger, store } = await run([failure(kind), failure(kind)]);
      expect(outcome).toBeUndefined();
      expect(clock.sleeps).toEqual([60_000, 60_000]);
      expect(logger.entries).toHaveLength(2);
      expect(logger.entries[0]).toMatchObject({
        level: 'warn',
        fields: { code: `SEI_${kind.toUpperCase()}`, hint: 'mend it', page: 'commits/commits.0.json', delayMs: 60_000 },
      });
      expect(store.pages.waiting('a', 9)).toEqual([]);
    },
  );

  test('because the disk of a folder does not take the page ends it: whoever scans into it waits for that', async () => {
    const error = failure('storage');
    const { outcome, clock } = await run([error]);
    expect([outcome, clock.sleeps]).toEqual([error, []]);
  });

  test('because SEI will never take the page ends it; the page stays', async () => {
    const error = failure('bug', 413);
    const { outcome, attempts, store } = await run([error]);
    expect(outcome).toBe(error);
    expect(attempts).toBe(1);
    expect(store.pages.waiting('a', 9)).toHaveLength(1);
  });
});

describe('a page that is too large for SEI', () => {
  const tooLarge = new SatelliteError('too large', { code: 'SEI_PAGE_TOO_LARGE', kind: 'bug', statusCode: 413 });

  function body(items: readonly object[]): Buffer {
    const records = [{ repository: { id: 1 }, commits: items }];
    return Buffer.from(JSON.stringify({ _metadata: { page_number: 0 }, records, count: 1 }));
  }

  /** SEI takes pages of so many bytes; what it took, and what was told. */
  async function run(items: readonly object[], maxBytes: number) {
    const taken: [string, number[]][] = [];
    const told: number[] = [];
    const push: Push = async ({ relativePath, content }) => {
      if (content.length > maxBytes) throw tooLarge;
      const page = JSON.parse(Buffer.from(content).toString()) as {
        _metadata: { page_number: number };
        records: { commits: { n: number }[] }[];
      };
      expect(relativePath).toBe(`commits/commits.${page._metadata.page_number}.json`);
      taken.push([relativePath, page.records.flatMap(({ commits }) => commits.map(({ n }) => n))]);
      return storedAt(relativePath);
    };
    const set = setUp(push, undefined, (bytes) => told.push(bytes));
    set.store.pages.add({ jobId: 'a', dataType: 'commits', number: 0 }, items.length, body(items));
    set.pusher.finish();
    await set.pusher.run();
    return { ...set, taken, told };
  }

  test('goes in pieces, of which none is lost and each has a number of its own', async () => {
    const items = [1, 2, 3, 4, 5].map((n) => ({ n, text: 'x'.repeat(30_000) }));
    const { taken, told, store } = await run(items, 80_000);
    expect(taken.flatMap(([, ns]) => ns).sort()).toEqual([1, 2, 3, 4, 5]);
    expect(new Set(taken.map(([path]) => path)).size).toBe(taken.length);
    expect(told[0]).toBe(body(items).length);
    expect(store.jobs.failures('a')).toEqual([]);
    expect(store.pages.totals('a')).toMatchObject([{ items: 5 }]);
  });

  test('for a single record with a long list of files goes without that list, and that is reported', async () => {
    const { taken, store } = await run([{ n: 1, files: [{ fileName: 'x'.repeat(100_000) }] }], 80_000);
    expect(taken).toEqual([['commits/commits.0.json', [1]]]);
    expect(store.jobs.failures('a')).toHaveLength(1);
  });

  test('whatever is left out of it, is left out, and that is reported; the others go', async () => {
    const { taken, store, logger } = await run([{ n: 1, text: 'x'.repeat(100_000) }, { n: 2 }], 80_000);
    expect(taken.flatMap(([, ns]) => ns)).toEqual([2]);
    expect(store.jobs.failures('a')).toHaveLength(1);
    expect(logger.entries.at(-1)).toMatchObject({ level: 'error', fields: { code: 'SEI_PAGE_TOO_LARGE' } });
  });
});

test('a number that the crawl has taken while the disk was full is not given to the second half of a page', async () => {
  const { store, clock, pusher } = setUp(async ({ relativePath, content }) => {
    if (content.length > 80_000) throw new SatelliteError('no', { code: 'SEI_PAGE_TOO_LARGE', kind: 'bug' });
    return storedAt(relativePath);
  });
  const page = { jobId: 'a', dataType: 'commits', number: 0 } as const;
  const commits = [1, 2].map((n) => ({ n, text: 'x'.repeat(50_000) }));
  const records = [{ repository: { id: 1 }, commits }];
  store.pages.add(page, 2, Buffer.from(JSON.stringify({ _metadata: {}, records, count: 1 })));
  const transaction = store.transaction.bind(store);
  let isFull = true;
  store.transaction = (work) => {
    if (!isFull) return transaction(work);
    isFull = false;
    store.pages.add({ ...page, number: 1 }, 1, Buffer.from('{}'));
    throw new SatelliteError('full', { code: 'STORE_FULL', kind: 'storage' });
  };
  pusher.finish();
  await pusher.run();
  expect(clock.sleeps).toEqual([1_000]);
  expect(store.pages.totals('a')).toMatchObject([{ pages: 3 }]);
  expect(store.pages.waiting('a', 9)).toEqual([]);
});

describe('a gateway that refuses even small pages for their size', () => {
  test.each([
    ['a single record', [{ n: 1 }]],
    ['a single record with files', [{ n: 1, files: [{ fileName: 'a' }] }]],
    ['several', [{ n: 1 }, { n: 2 }]],
  ])('is waited for, and nothing of %s is left out', async (_name, commits) => {
    const body = Buffer.from(JSON.stringify({ _metadata: {}, records: [{ commits }], count: 1 }));
    const refusal = new SatelliteError('no', { code: 'SEI_PAGE_TOO_LARGE', kind: 'bug', statusCode: 413 });
    let refusals = 5;
    const pushed: string[] = [];
    const { store, clock, pusher, monitor } = setUp(async ({ relativePath, content }) => {
      const parts = monitor.health.report().parts.filter(({ part }) => part === 'sei_push');
      if (refusals <= 3) expect(parts).toMatchObject([{ state: 'failing', problem: { code: 'SEI_PAGE_TOO_LARGE' } }]);
      if (refusals-- > 0) throw refusal;
      pushed.push(Buffer.from(content).toString());
      return storedAt(relativePath);
    });
    store.pages.add({ jobId: 'a', dataType: 'commits', number: 0 }, 1, body);
    pusher.finish();
    await pusher.run();
    expect(pushed).toEqual([body.toString()]);
    expect(clock.sleeps).toHaveLength(5);
    expect(store.jobs.failures('a')).toEqual([]);
  });
});

describe('stopping', () => {
  test('ends the wait for pages', async () => {
    const { pusher, abort } = setUp(async () => storedAt('never'));
    const run = pusher.run();
    await settled();
    abort.abort(new Error('stopping'));
    await expect(run).rejects.toThrow('stopping');
  });

  test('ends the wait for SEI', async () => {
    const { pusher, abort, addPage, store } = setUp(async () => {
      abort.abort(new Error('stopping'));
      throw failure('retryable', 503);
    });
    addPage('commits', 0);
    await expect(pusher.run()).rejects.toThrow('stopping');
    expect(store.pages.waiting('a', 9)).toHaveLength(1);
  });

  test('takes no further page', async () => {
    let pushes = 0;
    const { pusher, abort, addPage } = setUp(async ({ relativePath }) => {
      pushes++;
      abort.abort(new Error('stopping'));
      return storedAt(relativePath);
    });
    addPage('commits', 0);
    addPage('commits', 1);
    await expect(pusher.run()).rejects.toThrow('stopping');
    expect(pushes).toBe(1);
  });
});
