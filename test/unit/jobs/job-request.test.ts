import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { jobFromRequest } from '../../../src/jobs/job-request.ts';
import type { NewJob } from '../../../src/store/jobs.ts';
import { Store } from '../../../src/store/store.ts';
import { integration } from '../crawl/integration.ts';

const nowMs = Date.UTC(2026, 5, 15, 12);
const dayMs = 24 * 60 * 60 * 1000;
const controller = 'BitbucketServerIterativeScanController';
const integrations = [integration({ id: '7' }), integration({ id: '12', metadata: { backfillDays: 90 } })];

function outcome(query: unknown, others: object = {}) {
  const request = { job_id: 'a', controller_name: controller, query, ...others };
  return jobFromRequest(request, integrations, nowMs);
}

function jobOf(query: object, others: object = {}): NewJob {
  const job = outcome({ integration_key: { tenant_id: 'acme', integration_id: '7' }, ...query }, others);
  if ('reason' in job) throw new Error(`rejected: ${job.reason}`);
  return job;
}

describe('a job of SEI', () => {
  test('with a window is an incremental scan of it', () => {
    const query = { integration_key: { integration_id: '7' }, from: 1_700_000_000_000, to: 1_700_003_600_000 };
    expect(outcome(query)).toEqual({
      id: 'a',
      integrationId: '7',
      origin: 'sei',
      controllerName: controller,
      query,
      isFull: false,
      fromMs: 1_700_000_000_000,
      toMs: 1_700_003_600_000,
      fetchRepositories: false,
      createdAtMs: nowMs,
    });
  });

  test.each([
    ['absent', {}],
    ['null', { from: null }],
    ['no date', { from: 'yesterday' }],
  ])('whose from is %s is a full scan that reaches back as far as configured', (_name, from) => {
    expect(jobOf({ ...from, to: nowMs })).toMatchObject({ isFull: true, fromMs: nowMs - 7 * dayMs, toMs: nowMs });
    const other = { integration_key: { integration_id: '12' }, ...from, to: nowMs };
    expect(outcome(other)).toMatchObject({ isFull: true, fromMs: nowMs - 90 * dayMs });
  });

  test('of the first days there were does not reach back beyond them', () => {
    expect(jobOf({ to: dayMs }).fromMs).toBe(0);
  });

  test('from the very beginning on is not a full one', () => {
    expect(jobOf({ from: 0, to: dayMs })).toMatchObject({ isFull: false, fromMs: 0 });
  });

  test.each([
    ['absent', {}],
    ['null', { to: null }],
  ])('whose to is %s ends now', (_name, to) => {
    expect(jobOf({ from: 1, ...to }).toMs).toBe(nowMs);
  });

  test.each([
    [1_700_000_000_000, 1_700_000_000_000],
    [1_700_000_000_000.7, 1_700_000_000_000],
    ['1700000000000', 1_700_000_000_000],
    ['2023-11-14T22:13:20Z', 1_700_000_000_000],
    ['2023-11-14T22:13:20.000+00:00', 1_700_000_000_000],
    ['2023-11-15T00:13:20+0200', 1_700_000_000_000],
  ])('may say its dates as %p', (date, ms) => {
    expect(jobOf({ from: date, to: date })).toMatchObject({ isFull: false, fromMs: ms, toMs: ms });
  });

  test.each([
    [{ should_fetch_repos: true }, true],
    [{ fetch_repos: true }, true],
    [{ shouldFetchRepos: true }, true],
    [{ should_fetch_repos: false, fetch_repos: true }, true],
    [{ should_fetch_repos: false }, false],
    [{ should_fetch_repos: 'false' }, false],
    [{ should_fetch_repos: null }, false],
    [{}, false],
  ])('that says %j about repositories: %p', (query, expected) => {
    expect(jobOf(query).fetchRepositories).toBe(expected);
  });

  test.each([
    ['as a number', { integration_key: { integration_id: 7 } }, {}],
    ['outside the query', {}, { integration_id: '7' }],
    ['in the query, whatever is outside', { integration_key: { integration_id: '7' } }, { integration_id: '12' }],
  ])('names its integration %s', (_name, query, others) => {
    expect(outcome(query, others)).toMatchObject({ integrationId: '7' });
  });
});

describe('a job that is given back', () => {
  test.each([
    ['another controller', 'invalid', {}, { controller_name: 'BitbucketServerTagController' }],
    ['no controller', 'invalid', {}, { controller_name: undefined }],
    ['no query', 'invalid', undefined, {}],
    ['a query that is null', 'invalid', null, {}],
    ['a query that is text', 'invalid', 'all', {}],
    ['an integration that is not configured here', 'scheduled', { integration_key: { integration_id: '99' } }, {}],
    ['no integration', 'scheduled', {}, {}],
    ['an integration key that is null', 'scheduled', { integration_key: null }, {}],
  ])('%s: %s', (_name, status, query, others) => {
    expect(outcome(query, others)).toMatchObject({ status, reason: expect.any(String) });
  });
});

describe('whatever SEI sends', () => {
  test.each([
    ['beyond all time', { from: 1e300 }],
    ['beyond what a date can be', { to: 8.64e15 + 1 }],
    ['infinitely long ago', { from: -1e300, to: 5 }],
  ])('a window %s cannot be run by anybody', (_name, query) => {
    expect(outcome({ integration_key: { integration_id: '7' }, ...query })).toMatchObject({ status: 'invalid' });
  });

  test('it is a job that the store takes, or is given back', () => {
    const store = new Store(':memory:');
    const date = fc.oneof(fc.anything({ maxDepth: 1 }), fc.double(), fc.integer(), fc.date().map(String));
    const query = fc.oneof(
      fc.anything({ maxDepth: 1 }),
      fc.record({ integration_key: fc.constant({ integration_id: '7' }), from: date, to: date }, { requiredKeys: [] }),
    );
    let count = 0;
    fc.assert(
      fc.property(query, (sent) => {
        const id = `job ${++count}`;
        const job = outcome(sent, { job_id: id, integration_id: '7' });
        if ('reason' in job) return;
        // Over the wire there is nothing but JSON.
        store.jobs.add({ ...job, query: {} });
        const stored = store.jobs.get(id);
        expect([stored?.fromMs === job.fromMs, stored?.toMs === job.toMs]).toEqual([true, true]);
        expect(() => new Date(job.fromMs).toISOString() + new Date(job.toMs).toISOString()).not.toThrow();
      }),
      { numRuns: 300 },
    );
  });
});
