import { describe, expect, test } from '@jest/globals';
import { ownJob } from '../../../src/jobs/own-job.ts';
import { Store } from '../../../src/store/store.ts';
import { integration } from '../crawl/integration.ts';
import { newJob } from '../store/fixtures.ts';

const nowMs = Date.UTC(2026, 5, 15, 12);
const dayMs = 24 * 60 * 60 * 1000;

/** A store that knows of a full scan so many days ago, and of an incremental one since. */
function storeWith(fullDaysAgo?: number, lastDaysAgo?: number): Store {
  const store = new Store(':memory:');
  const scans = [
    { id: 'full', isFull: true, daysAgo: fullDaysAgo },
    { id: 'last', isFull: false, daysAgo: lastDaysAgo },
  ];
  for (const { id, isFull, daysAgo } of scans) {
    if (daysAgo === undefined) continue;
    store.jobs.add(newJob(id, { isFull, toMs: nowMs - daysAgo * dayMs }));
    store.jobs.setDone(id, nowMs, { result: { empty: true } });
    store.acknowledge(id);
  }
  return store;
}

function own(store: Store, options: { fromMs?: number; toMs?: number } = {}) {
  return ownJob(store, integration(), { tenantId: 'acme', origin: 'schedule', nowMs, ...options });
}

describe('a scan of our own', () => {
  test('is a full one where there was none', () => {
    expect(own(storeWith())).toMatchObject({
      isFull: true,
      fromMs: nowMs - 7 * dayMs,
      toMs: nowMs,
      fetchRepositories: true,
      origin: 'schedule',
      createdAtMs: nowMs,
    });
  });

  test('goes on where the last one ended', () => {
    const job = own(storeWith(5, 1));
    expect(job).toMatchObject({ isFull: false, fromMs: nowMs - dayMs, toMs: nowMs, fetchRepositories: false });
    expect(job.query).toEqual({
      integration_key: { tenant_id: 'acme', integration_id: '7' },
      from: nowMs - dayMs,
      to: nowMs,
      should_fetch_repos: false,
    });
  });

  test('is a full one again after a week, whatever came between', () => {
    expect(own(storeWith(7, 1)).isFull).toBe(true);
    expect(own(storeWith(6.99, 1)).isFull).toBe(false);
  });

  test('is a full one where the last full one ended in the future of a clock that was set back', () => {
    expect(own(storeWith(-365, -365)).isFull).toBe(true);
    expect(own(storeWith(-0.1, -0.1))).toMatchObject({ isFull: false, fromMs: nowMs, toMs: nowMs });
  });

  test('whose full one leaves from out of the query, as SEI does', () => {
    const { query } = own(storeWith());
    expect(query).not.toHaveProperty('from');
    expect(query).toMatchObject({ to: nowMs, should_fetch_repos: true });
  });

  test('takes the window it is given', () => {
    const job = own(storeWith(), { fromMs: 1_000, toMs: 2_000 });
    expect(job).toMatchObject({ isFull: false, fromMs: 1_000, toMs: 2_000, fetchRepositories: false });
  });

  test('has an id of its own each time', () => {
    const store = storeWith();
    expect(own(store).id).not.toBe(own(store).id);
  });

  test('is one that the store takes', () => {
    const store = storeWith(5, 1);
    const job = own(store);
    store.jobs.add(job);
    expect(store.jobs.get(job.id)).toMatchObject(job);
  });
});
