import { expect, test } from '@jest/globals';
import type { Monitor } from '../../../src/ops/monitor.ts';
import { monitorOf } from './world.ts';

function stateOf(monitor: Monitor, part: string) {
  return monitor.health.report().parts.find((each) => each.part === part)?.state;
}

test('requests under way without an answer are silence, and one answer among them is not', () => {
  const { clock, monitor } = monitorOf();
  const observer = monitor.ofBitbucket('4711');
  const [one, other] = [observer.begun?.(), observer.begun?.()];
  clock.nowMs += 15_000;
  one?.over();
  observer.ended(15);
  clock.nowMs += 15_000;
  monitor.noteSilence();
  expect(stateOf(monitor, 'bitbucket_requests')).toBe('ok');
  other?.heard();
  clock.nowMs += 19_999;
  monitor.noteSilence();
  expect(stateOf(monitor, 'bitbucket_requests')).toBe('ok');
  clock.nowMs += 1;
  monitor.noteSilence();
  expect(stateOf(monitor, 'bitbucket_requests')).toBe('failing');
  other?.over();
  other?.over();
  observer.ended(50);
  clock.nowMs += 60_000;
  monitor.noteSilence();
  expect(stateOf(monitor, 'bitbucket_requests')).toBe('ok');
});

test('a page that waits for long after one failure is a failure, however long SEI asked for', () => {
  const { clock, monitor } = monitorOf();
  monitor.health.failed('sei_push', { code: 'SEI_THROTTLED', message: 'SEI limits the rate', hint: undefined }, '4711');
  clock.nowMs += 19_999;
  monitor.noteSilence();
  expect(stateOf(monitor, 'sei_push')).toBe('unknown');
  clock.nowMs += 1;
  monitor.noteSilence();
  expect(stateOf(monitor, 'sei_push')).toBe('failing');
});

test('that a server is there says nothing about requests, nor they about it', () => {
  const { monitor } = monitorOf();
  const observer = monitor.ofBitbucket('4711');
  const unavailable = { code: 'BITBUCKET_SERVER_ERROR', kind: 'retryable', statusCode: 503 } as const;
  for (let times = 0; times < 3; times++) {
    observer.ended(1, Object.assign(new Error('fails'), { name: 'SatelliteError', ...unavailable }) as never);
    monitor.health.worked('bitbucket', '4711');
  }
  expect([stateOf(monitor, 'bitbucket'), stateOf(monitor, 'bitbucket_requests')]).toEqual(['ok', 'failing']);
});
