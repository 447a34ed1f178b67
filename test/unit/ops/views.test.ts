import { expect, test } from '@jest/globals';
import type { PartName } from '../../../src/ops/health.ts';
import { viewsOf } from '../../integration/support/views.ts';
import { fail, servedMonitor } from './world.ts';

// Every part, alone and together with any other: what one view says, all say.

const parts: readonly (readonly [PartName, string | undefined, string])[] = [
  ['sei', undefined, 'SEI'],
  ['sei_key', undefined, 'API key of SEI'],
  ['sei_push', '4711', 'Delivery to SEI 4711'],
  ['bitbucket', '4711', 'Bitbucket 4711'],
  ['bitbucket_requests', '4711', 'Requests to Bitbucket 4711'],
  ['bitbucket_credentials', '4711', 'Credentials for Bitbucket 4711'],
  ['disk', undefined, 'Disk'],
  ['store_cap', undefined, 'Room for pages'],
  ['scheduler', undefined, 'Scheduler'],
];

async function expectAllToSay(port: number, ready: boolean, failing: readonly string[]) {
  const view = { ready, failing: [...failing].sort() };
  const { live, ...views } = await viewsOf(port);
  expect(views).toEqual({ json: view, readyz: view, metrics: view, page: view, status: view });
  expect(live).toBe(true);
}

test('the truth table: each part, each pair of parts, and back again', async () => {
  const { monitor, server, port } = await servedMonitor();
  try {
    await expectAllToSay(port, true, []);
    for (const [first, firstId, firstTitle] of parts) {
      fail(monitor, first, firstId);
      await expectAllToSay(port, false, [firstTitle]);
      for (const [second, secondId, secondTitle] of parts) {
        if (second === first) continue;
        fail(monitor, second, secondId);
        await expectAllToSay(port, false, [firstTitle, secondTitle]);
        monitor.health.worked(second, secondId);
      }
      monitor.health.worked(first, firstId);
      await expectAllToSay(port, true, []);
    }
  } finally {
    await server.close();
  }
});

test('until SEI has answered once, no view says that it is ready, and none that something fails', async () => {
  const { monitor, server, port } = await servedMonitor();
  try {
    monitor.health.forget('sei');
    await expectAllToSay(port, false, []);
  } finally {
    await server.close();
  }
});

test('a loop that stands still is neither live nor ready, in all of them', async () => {
  const { clock, server, port } = await servedMonitor();
  try {
    clock.nowMs += 61_000;
    const { live, ...views } = await viewsOf(port);
    expect(live).toBe(false);
    expect(Object.values(views).map(({ ready }) => ready)).toEqual([false, false, false, false, false]);
  } finally {
    await server.close();
  }
});

test('an integration that is configured no more fails in no view', async () => {
  const { monitor, server, port } = await servedMonitor();
  try {
    fail(monitor, 'bitbucket', '4711');
    await expectAllToSay(port, false, ['Bitbucket 4711']);
    monitor.watch(['4712'], () => ({
      integrations: [],
      spool: { pages: 0, bytes: 0, bytesMax: 1, oldestAddedAtMs: undefined },
      coveredRepositories: 0,
      failing: { repositories: 0, listed: [] },
    }));
    await expectAllToSay(port, true, []);
  } finally {
    await server.close();
  }
});
