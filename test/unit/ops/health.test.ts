import { expect, test } from '@jest/globals';
import { Health } from '../../../src/ops/health.ts';
import { FakeClock } from '../crawl/fake-clock.ts';

const error = { code: 'BITBUCKET_UNREACHABLE', message: 'Not reachable', hint: 'Check the url.' };

function setUp() {
  const clock = new FakeClock(1_000_000);
  const health = new Health(clock);
  health.setIntegrations(['7', '8']);
  const stateOf = (part: string, integrationId?: string) =>
    health.report().parts.find((each) => each.part === part && each.integrationId === integrationId);
  return { clock, health, stateOf };
}

test('it is not ready before SEI has answered, and ready from then on: a Bitbucket that nobody needed does not count', () => {
  const { health } = setUp();
  expect(health.report()).toMatchObject({ live: true, ready: false });
  health.worked('sei');
  expect(health.report().ready).toBe(true);
});

test('one lost request of a crawl is no outage; three in a row are, since the first of them', () => {
  const { clock, health, stateOf } = setUp();
  health.failed('bitbucket', error, '7');
  health.failed('bitbucket', error, '7');
  health.worked('bitbucket', '7');
  expect(stateOf('bitbucket', '7')?.state).toBe('ok');
  clock.nowMs += 5_000;
  const firstMs = clock.now();
  for (let times = 0; times < 3; times++) {
    expect(stateOf('bitbucket', '7')?.state).toBe('ok');
    health.failed('bitbucket', error, '7');
    clock.nowMs += 1_000;
  }
  expect(stateOf('bitbucket', '7')).toEqual({
    part: 'bitbucket',
    integrationId: '7',
    state: 'failing',
    sinceMs: firstMs,
    problem: { code: error.code, reason: error.message, hint: error.hint },
  });
  expect(stateOf('bitbucket', '8')?.state).toBe('unknown');
});

test('it has failed since it began to, whatever the reason is now', () => {
  const { clock, health, stateOf } = setUp();
  const sinceMs = clock.now();
  health.failed('sei', error);
  clock.nowMs += 60_000;
  health.failed('sei', { ...error, code: 'SEI_TIMEOUT' });
  expect(stateOf('sei')).toMatchObject({ state: 'failing', sinceMs, problem: { code: 'SEI_TIMEOUT' } });
  health.worked('sei');
  expect(stateOf('sei')).toMatchObject({ state: 'ok', sinceMs: clock.now() });
});

test('a part of an integration that is not configured is nobody’s', () => {
  const { health } = setUp();
  for (let times = 0; times < 3; times++) health.failed('bitbucket', error, '9');
  expect(health.report().parts.some(({ state }) => state === 'failing')).toBe(false);
});

test('what is known of an integration that stays is kept', () => {
  const { health, stateOf } = setUp();
  for (let times = 0; times < 3; times++) health.failed('bitbucket', error, '7');
  health.setIntegrations(['7']);
  expect(stateOf('bitbucket', '7')?.state).toBe('failing');
  expect(stateOf('bitbucket', '8')).toBeUndefined();
});

test('only silence of the loop makes it not live', () => {
  const { clock, health } = setUp();
  health.worked('sei');
  for (const part of ['sei', 'sei_key', 'disk', 'store_cap', 'scheduler'] as const) health.failed(part, error);
  clock.nowMs += 59_000;
  expect(health.report().live).toBe(true);
  clock.nowMs += 1_000;
  expect(health.report().live).toBe(false);
  health.beat();
  expect(health.report().live).toBe(true);
});

test('a failure that nothing good follows for long is tolerated no more', () => {
  const { clock, health, stateOf } = setUp();
  health.failed('bitbucket_requests', error, '7');
  clock.nowMs += 19_000;
  health.insist('bitbucket_requests', 20_000);
  expect(stateOf('bitbucket_requests', '7')?.state).toBe('unknown');
  clock.nowMs += 1_000;
  health.insist('bitbucket_requests', 20_000);
  expect(stateOf('bitbucket_requests', '7')).toMatchObject({ state: 'failing', sinceMs: 1_000_000 });
  health.worked('bitbucket_requests', '7');
  clock.nowMs += 60_000;
  health.insist('bitbucket_requests', 20_000);
  expect(stateOf('bitbucket_requests', '7')?.state).toBe('ok');
});
