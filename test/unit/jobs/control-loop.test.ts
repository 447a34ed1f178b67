import { describe, expect, test } from '@jest/globals';
import { Accounts } from '../../../src/bitbucket/accounts.ts';
import { SatelliteError } from '../../../src/errors.ts';
import { Clones } from '../../../src/git/clones.ts';
import { ControlLoop } from '../../../src/jobs/control-loop.ts';
import { JobRunner } from '../../../src/jobs/job-runner.ts';
import { Monitor } from '../../../src/ops/monitor.ts';
import type { CreateJobRequest } from '../../../src/sei/types.ts';
import { Store } from '../../../src/store/store.ts';
import { FakeClock } from '../crawl/fake-clock.ts';
import { integration } from '../crawl/integration.ts';
import { config, satellite } from '../sei/config.ts';
import { newJob } from '../store/fixtures.ts';
import { FakeSei } from './fake-sei.ts';
import { RecordingLogger } from './recording-logger.ts';

/** A runner that starts nothing: what it would start is in the store. */
class IdleRunner extends JobRunner {
  starts = 0;

  override startWaiting(): void {
    this.starts++;
  }
}

function setUp({ store = new Store(':memory:'), sei = new FakeSei(), configuration = config() } = {}) {
  const clock = new FakeClock(50_000);
  const logger = new RecordingLogger();
  const signal = new AbortController().signal;
  const push = () => Promise.reject(new Error('nothing is pushed here'));
  const accounts = new Accounts();
  const clones = new Clones(
    { root: '/nonexistent', maxBytes: 0, storeBytes: () => 0, shrinkStore: () => false, nowMs: () => 0 },
    [],
  );
  const monitor = new Monitor({ clock, version: '1.2.3' });
  const surroundings = { satellite: satellite(), store, accounts, clones, clock, logger, push, signal, monitor };
  const runner = new IdleRunner(configuration, surroundings, () => undefined);
  const loop = new ControlLoop({ config: configuration, store, sei, runner, clock, logger, version: '1.2.3' });
  return { store, sei, clock, logger, runner, loop };
}

function ids(store: Store): string[] {
  return store.jobs.list().map(({ id }) => id);
}

describe('announcing', () => {
  test('registers once, and sends heartbeats from then on', async () => {
    const { loop, sei } = setUp();
    await loop.cycle();
    await loop.cycle();
    await loop.cycle();
    expect(sei.calls).toEqual(['register', 'list', 'heartbeat', 'list', 'heartbeat', 'list']);
  });

  test('telemetry goes with both, and with nothing else', async () => {
    const { loop, sei, store } = setUp();
    store.jobs.add(newJob('a'));
    store.jobs.setDone('a', 1, { result: {} });
    await loop.cycle();
    const [register, list] = sei.handles;
    expect(register).toMatchObject({
      agent_id: store.agentId(),
      tenant_id: 'acme',
      integration_ids: ['7'],
      telemetry: { version: '1.2.3', jobs: { total: 1, done: 1, running: 0 } },
    });
    expect(list).not.toHaveProperty('telemetry');
  });

  test('an id that SEI still knows from the process before (400) is as good as registered', async () => {
    const { loop, sei } = setUp();
    sei.fail('register', 400);
    await loop.cycle();
    await loop.cycle();
    expect(sei.calls).toEqual(['register', 'heartbeat', 'list', 'heartbeat', 'list']);
  });

  test.each([404, 409])(
    'a heartbeat that SEI has forgotten (%i) registers at once, and the cycle goes on',
    async (status) => {
      const { loop, sei } = setUp();
      await loop.cycle();
      sei.calls.length = 0;
      sei.fail('heartbeat', status);
      await loop.cycle();
      expect(sei.calls).toEqual(['heartbeat', 'register', 'list']);
    },
  );

  test.each([401, 403, 404, 409, 500, 503])(
    'a registration that fails (%i) ends the cycle, and the next one registers',
    async (status) => {
      const { loop, sei, store, runner } = setUp();
      store.jobs.add(newJob('a'));
      sei.fail('register', status);
      await expect(loop.cycle()).rejects.toMatchObject({ statusCode: status });
      expect(sei.calls).toEqual(['register']);
      expect(runner.starts).toBe(0);
      await loop.cycle();
      expect(sei.calls).toEqual(['register', 'register', 'list', 'report']);
    },
  );

  test.each([400, 401, 500, 503])(
    'a heartbeat that fails otherwise (%i) ends the cycle: no list, no report',
    async (status) => {
      const { loop, sei, store } = setUp();
      store.jobs.add(newJob('a'));
      await loop.cycle();
      sei.calls.length = 0;
      sei.fail('heartbeat', status);
      await expect(loop.cycle()).rejects.toMatchObject({ statusCode: status });
      expect(sei.calls).toEqual(['heartbeat']);
      await loop.cycle();
      expect(sei.calls.slice(1)).toEqual(['heartbeat', 'list', 'report']);
    },
  );

  test('a registration that fails after a forgotten heartbeat is tried again', async () => {
    const { loop, sei } = setUp();
    await loop.cycle();
    sei.calls.length = 0;
    sei.fail('heartbeat', 404, 404);
    sei.fail('register', 503);
    await expect(loop.cycle()).rejects.toMatchObject({ statusCode: 503 });
    await loop.cycle();
    expect(sei.calls).toEqual(['heartbeat', 'register', 'heartbeat', 'register', 'list']);
  });

  test('heartbeats that fail again and again register anew: a gateway may hide that SEI has forgotten us', async () => {
    const { loop, sei } = setUp();
    await loop.cycle();
    sei.calls.length = 0;
    sei.fail('heartbeat', 500, 500, 500);
    for (let n = 0; n < 3; n++) await expect(loop.cycle()).rejects.toMatchObject({ statusCode: 500 });
    await loop.cycle();
    expect(sei.calls).toEqual(['heartbeat', 'heartbeat', 'heartbeat', 'register', 'list']);
    sei.calls.length = 0;
    await loop.cycle();
    expect(sei.calls).toEqual(['heartbeat', 'list']);
  });

  test('heartbeats that fail now and then do not', async () => {
    const { loop, sei } = setUp();
    await loop.cycle();
    sei.calls.length = 0;
    for (let n = 0; n < 4; n++) {
      sei.fail('heartbeat', 500);
      await expect(loop.cycle()).rejects.toMatchObject({ statusCode: 500 });
      await loop.cycle();
    }
    expect(sei.calls).not.toContain('register');
  });
});

describe('taking jobs on', () => {
  test('stores what is accepted and lets the runner start it', async () => {
    const { loop, sei, store, runner } = setUp();
    sei.offer('a', { from: 1_000, to: 2_000 });
    sei.offer('b', { from: undefined });
    expect(await loop.cycle()).toBe(2);
    expect(store.jobs.list()).toMatchObject([
      { id: 'a', isFull: false, fromMs: 1_000, toMs: 2_000, createdAtMs: 50_000, origin: 'sei' },
      { id: 'b', isFull: true },
    ]);
    expect(runner.starts).toBe(1);
    expect(sei.calls).toEqual(['register', 'list', 'accept a', 'accept b', 'report', 'report']);
  });

  test('one that another satellite was faster to take (404) is left, and the others are taken', async () => {
    const { loop, sei, store, logger } = setUp();
    sei.offer('a');
    sei.offer('b');
    const { acceptJob } = sei;
    sei.acceptJob = async function (jobId) {
      const request = await acceptJob.call(this, jobId);
      return jobId === 'a' ? undefined : request;
    };
    expect(await loop.cycle()).toBe(1);
    expect(ids(store)).toEqual(['b']);
    expect(logger.entries.filter(({ level }) => level !== 'info')).toEqual([]);
    await loop.cycle();
    expect(sei.calls.filter((call) => call.startsWith('reject'))).toEqual([]);
  });

  test('one that is known already is not accepted again', async () => {
    const { loop, sei, store } = setUp();
    store.jobs.add(newJob('a'));
    sei.offer('a');
    expect(await loop.cycle()).toBe(0);
    expect(sei.calls).toEqual(['register', 'list', 'report']);
  });

  test.each([
    ['invalid', 'a controller that nobody here runs', {}, { controller_name: 'GithubController' }],
    ['invalid', 'no query', {}, { query: null }],
    ['scheduled', 'an integration of another satellite', { integration_key: { integration_id: '99' } }, {}],
  ])('one that cannot be run is given back as %s: %s', async (status, _name, query, others) => {
    const { loop, sei, store, logger } = setUp();
    sei.offer('a', query, others);
    expect(await loop.cycle()).toBe(0);
    expect(ids(store)).toEqual([]);
    expect(sei.calls).toEqual(['register', 'list', 'accept a', `reject a ${status}`]);
    expect(logger.entries).toContainEqual(
      expect.objectContaining({ level: 'warn', fields: expect.objectContaining({ code: 'JOB_REJECTED', status }) }),
    );
    await loop.cycle();
    expect(sei.calls.filter((call) => call.startsWith('reject'))).toHaveLength(1);
  });

  test.each([
    ['null', null],
    ['a job without an id', { controller_name: 'X' }],
    ['text', 'sorry'],
  ])('one of which SEI sends %s is given back, and the others are taken', async (_name, request) => {
    const { loop, sei, store } = setUp();
    sei.offer('a');
    sei.offer('b');
    const { acceptJob } = sei;
    sei.acceptJob = async (jobId) => {
      const accepted = await acceptJob.call(sei, jobId);
      return jobId === 'a' ? (request as unknown as CreateJobRequest) : accepted;
    };
    expect(await loop.cycle()).toBe(1);
    expect(ids(store)).toEqual(['b']);
    expect(sei.calls).toContain('reject a invalid');
  });

  test('those that wait for one integration do not keep others from theirs', async () => {
    const configuration = config([integration(), integration({ id: '8' })]);
    const { loop, sei, store } = setUp({ configuration });
    for (let n = 0; n < 5; n++) sei.offer(`a${n}`);
    sei.offer('b', { integration_key: { tenant_id: 'acme', integration_id: '8' } });
    expect(await loop.cycle()).toBe(6);
    expect(ids(store)).toContain('b');
  });

  test('nor are they taken without an end', async () => {
    const { loop, sei, store } = setUp();
    for (let n = 0; n < 20; n++) sei.offer(`a${n}`);
    expect(await loop.cycle()).toBe(16);
    expect(store.jobs.list()).toHaveLength(16);
  });

  test('none is taken beyond what is run at once, and none is even listed then', async () => {
    const integrations = ['a', 'b', 'c', 'd', 'e', 'f'].map((id) => integration({ id }));
    const { loop, sei, store } = setUp({ configuration: config(integrations) });
    for (const { id } of integrations) sei.offer(id, { integration_key: { tenant_id: 'acme', integration_id: id } });
    expect(await loop.cycle()).toBe(4);
    expect(ids(store)).toEqual(['a', 'b', 'c', 'd']);
    sei.calls.length = 0;
    expect(await loop.cycle()).toBe(0);
    expect(sei.calls).toEqual(['heartbeat', ...Array(4).fill('report')]);
    store.jobs.setDone('a', 1, { result: {} });
    sei.calls.length = 0;
    expect(await loop.cycle()).toBe(1);
    // What is done is reported first: the next job builds on it.
    expect(sei.calls).toEqual(['heartbeat', 'report', 'list', 'accept e', ...Array(4).fill('report')]);
  });

  test('before one is taken, what is done is acknowledged: the new job finds its coverage', async () => {
    const { loop, sei, store } = setUp();
    await loop.cycle();
    store.jobs.add(newJob('done', { toMs: 7_000 }));
    store.jobs.setDone('done', 1, { result: {} });
    sei.offer('next');
    const { acceptJob } = sei;
    let lastToMs: number | undefined;
    sei.acceptJob = async (jobId) => {
      lastToMs = store.coverage.lastScan('7').toMs;
      return acceptJob.call(sei, jobId);
    };
    await loop.cycle();
    expect(lastToMs).toBe(7_000);
    expect(ids(store)).toEqual(['next']);
  });

  test('one whose acceptance may or may not have arrived is given back first of all', async () => {
    const { loop, sei, store } = setUp();
    sei.offer('a');
    sei.fail('accept', 503);
    await expect(loop.cycle()).rejects.toMatchObject({ statusCode: 503 });
    expect(ids(store)).toEqual([]);
    sei.calls.length = 0;
    await loop.cycle();
    expect(sei.calls).toEqual(['heartbeat', 'reject a scheduled', 'list', 'accept a', 'report']);
    sei.calls.length = 0;
    await loop.cycle();
    expect(sei.calls).toEqual(['heartbeat', 'list', 'report']);
  });

  test('so it is after a crash', async () => {
    const store = new Store(':memory:');
    store.jobs.beginAccepting('lost');
    const { loop, sei } = setUp({ store });
    sei.fail('reject', 404);
    await loop.cycle();
    await loop.cycle();
    expect(sei.calls).toEqual(['register', 'reject lost scheduled', 'list', 'heartbeat', 'list']);
  });

  test('what cannot be given back now does not keep the rest from going on', async () => {
    const store = new Store(':memory:');
    store.jobs.beginAccepting('lost');
    store.jobs.add(newJob('a'));
    const { loop, sei, logger } = setUp({ store });
    sei.fail('reject', 500, 500);
    sei.offer('b');
    await loop.cycle();
    await loop.cycle();
    await loop.cycle();
    await loop.cycle();
    expect(sei.calls.filter((call) => call.startsWith('reject'))).toHaveLength(3);
    const warnings = logger.entries.filter(({ message }) => message.startsWith('A job cannot be given back'));
    expect(warnings).toMatchObject(Array(2).fill({ level: 'warn', fields: { jobId: 'lost' } }));
    expect(sei.reports).toHaveLength(4 * 2);
    expect(ids(store)).toEqual(['a', 'b']);
  });

  test('with nothing acknowledged, what a failed list leaves is reported in the next cycle', async () => {
    const { loop, sei, store } = setUp();
    store.jobs.add(newJob('a'));
    sei.fail('list', 503);
    await expect(loop.cycle()).rejects.toMatchObject({ statusCode: 503 });
    expect(sei.calls).toEqual(['register', 'list']);
    await loop.cycle();
    expect(sei.calls.slice(2)).toEqual(['heartbeat', 'list', 'report']);
  });
});

describe('reporting', () => {
  test('says how each job stands, running and done', async () => {
    const { loop, sei, store } = setUp();
    for (const id of ['running', 'good', 'bad']) store.jobs.add(newJob(id, { query: { from: 1 } }));
    store.jobs.addFailure('good', { message: 'one part', url: 'https://bitbucket.example.org/x' });
    store.jobs.setDone('good', 60_000, { result: { empty: true } });
    store.jobs.setDone('bad', 61_000, { result: { count: 0 }, exception: { message: 'no', stacktrace: [] } });
    sei.acknowledges = () => false;
    await loop.report();
    const common = {
      agent_id: store.agentId(),
      controller_name: 'BitbucketServerIterativeScanController',
      query: { from: 1 },
      cancelled: false,
      created_at: 5_000,
      failures: [],
    };
    expect(sei.reports.flat()).toEqual([
      { ...common, id: 'running', done: false },
      {
        ...common,
        id: 'good',
        done: true,
        done_at: 60_000,
        result: { empty: true },
        failures: [{ message: 'one part', severity: 'ERROR', url: 'https://bitbucket.example.org/x' }],
      },
      {
        ...common,
        id: 'bad',
        done: true,
        done_at: 61_000,
        result: { count: 0 },
        exception: { message: 'no', stacktrace: [] },
      },
    ]);
  });

  test('without jobs, nothing is reported', async () => {
    const { loop, sei } = setUp();
    await loop.report();
    expect(sei.calls).toEqual([]);
  });

  test('a job is forgotten once it was done and is acknowledged, and not before', async () => {
    const { loop, sei, store } = setUp();
    for (const id of ['running', 'good', 'unknown']) store.jobs.add(newJob(id));
    for (const id of ['good', 'unknown']) store.jobs.setDone(id, 1, { result: {} });
    sei.acknowledges = ({ id }) => id !== 'unknown';
    await loop.report();
    expect(ids(store)).toEqual(['running', 'unknown']);
    sei.acknowledges = () => true;
    await loop.report();
    expect(ids(store)).toEqual(['running']);
  });

  test('one that SEI takes no note of is named in the log, and fails the round after ten minutes', async () => {
    const { loop, sei, store, clock, logger } = setUp();
    store.jobs.add(newJob('a'));
    store.jobs.setDone('a', clock.now(), { result: {} });
    sei.acknowledges = () => false;
    await loop.cycle();
    expect(logger.entries).toContainEqual(
      expect.objectContaining({
        level: 'warn',
        fields: expect.objectContaining({ code: 'SEI_NO_ACKNOWLEDGEMENT', jobId: 'a' }),
      }),
    );
    clock.nowMs += 11 * 60_000;
    sei.offer('b');
    await expect(loop.cycle()).rejects.toMatchObject({ code: 'SEI_NO_ACKNOWLEDGEMENT' });
    expect(ids(store)).toEqual(['a', 'b']);
    sei.acknowledges = ({ id }) => id === 'a';
    await loop.cycle();
    expect(ids(store)).toEqual(['b']);
  });

  test('one that is done while the report is on its way is not forgotten: SEI was told that it still runs', async () => {
    const { loop, sei, store } = setUp();
    store.jobs.add(newJob('a'));
    sei.whileReporting = () => store.jobs.setDone('a', 1, { result: { count: 1 } });
    await loop.report();
    expect(ids(store)).toEqual(['a']);
    sei.whileReporting = () => undefined;
    await loop.report();
    expect(sei.reports[1]).toMatchObject([{ id: 'a', done: true, result: { count: 1 } }]);
    expect(ids(store)).toEqual([]);
  });

  test('one that fails forgets nothing', async () => {
    const { loop, sei, store } = setUp();
    store.jobs.add(newJob('a'));
    store.jobs.setDone('a', 1, { result: {} });
    sei.fail('report', 503);
    await expect(loop.report()).rejects.toMatchObject({ statusCode: 503 });
    expect(ids(store)).toEqual(['a']);
  });

  test('one that SEI does not take keeps no other from being acknowledged, and none from being taken', async () => {
    const { loop, sei, store } = setUp();
    for (const id of ['large', 'good']) {
      store.jobs.add(newJob(id));
      store.jobs.setDone(id, 1, { result: {} });
    }
    sei.offer('next');
    const { report } = sei;
    sei.report = async (jobs) => {
      if (jobs.some(({ id }) => id === 'large')) sei.fail('report', 400);
      return report.call(sei, jobs);
    };
    await expect(loop.cycle()).rejects.toMatchObject({ statusCode: 400 });
    expect(ids(store)).toEqual(['large', 'next']);
    // Each once in a round.
    expect(sei.calls.filter((call) => call === 'report')).toHaveLength(3);
  });

  test('one in whose place a gateway answers with a page of its own keeps no other from being acknowledged', async () => {
    const { loop, sei, store } = setUp();
    for (const id of ['blocked', 'good']) {
      store.jobs.add(newJob(id));
      store.jobs.setDone(id, 1, { result: {} });
    }
    const { report } = sei;
    sei.report = async (jobs) => {
      if (jobs.every(({ id }) => id !== 'blocked')) return report.call(sei, jobs);
      throw new SatelliteError('HTML', { code: 'SEI_ANSWER_UNREADABLE', kind: 'retryable' });
    };
    await expect(loop.cycle()).rejects.toMatchObject({ code: 'SEI_ANSWER_UNREADABLE' });
    expect(ids(store)).toEqual(['blocked']);
  });

  test.each([401, 429, 503, undefined])(
    'after one that is answered with %s the others are not tried',
    async (status) => {
      const { loop, sei, store } = setUp();
      for (const id of ['a', 'b']) store.jobs.add(newJob(id));
      if (status === undefined) {
        sei.report = () => {
          sei.calls.push('report');
          return Promise.reject(new SatelliteError('no answer', { code: 'SEI_TIMEOUT', kind: 'retryable' }));
        };
      } else sei.fail('report', status);
      await expect(loop.report()).rejects.toBeInstanceOf(SatelliteError);
      expect(sei.calls).toEqual(['report']);
    },
  );

  test('the next process reports what this one left, with the same id', async () => {
    const store = new Store(':memory:');
    const first = setUp({ store });
    first.sei.offer('a');
    await first.loop.cycle();
    const next = setUp({ store, configuration: config([integration(), integration({ id: '8' })]) });
    next.sei.fail('register', 400);
    await next.loop.cycle();
    expect(next.sei.calls).toEqual(['register', 'heartbeat', 'list', 'report']);
    expect(next.sei.reports[0]).toMatchObject([{ id: 'a', agent_id: first.sei.handles[0]?.agent_id, done: false }]);
  });
});
