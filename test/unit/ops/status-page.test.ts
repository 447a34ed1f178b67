import { createHash } from 'node:crypto';
import { expect, test } from '@jest/globals';
import { formatStatus } from '../../../src/commands/status-display.ts';
import { HourlyDeliveries } from '../../../src/ops/hourly-deliveries.ts';
import { RequestRate } from '../../../src/ops/request-rate.ts';
import { statusPage, statusPagePolicy } from '../../../src/ops/status-page.ts';
import { fail, idleFacts, integrationFacts, monitorOf } from './world.ts';

const hostile = `<script>alert(1)</script>"'><img src=x onerror=alert(2)>&amp;\u202egnp.exe\u001b[31m`;

function hostileMonitor() {
  const { monitor, clock } = monitorOf({
    ...idleFacts,
    integrations: [
      {
        ...integrationFacts,
        id: hostile,
        url: `https://x/${hostile}`,
        lastJob: { outcome: 'failure', endedAtMs: 0, seconds: 1, failures: 0, code: hostile, reason: hostile },
      },
    ],
    failing: {
      repositories: 250,
      listed: [
        {
          integrationId: '4711',
          repository: hostile,
          dataType: hostile,
          code: hostile,
          reason: hostile,
          sinceMs: clock0,
        },
      ],
    },
  });
  monitor.health.failed('sei', { code: hostile, message: hostile, hint: hostile });
  fail(monitor, 'bitbucket', hostile);
  return { monitor, clock };
}
const clock0 = Date.UTC(2026, 10, 23, 9);

test('names and messages of other servers are text on the page, wherever they stand', () => {
  const page = statusPage(hostileMonitor().monitor.report(), { refreshes: true });
  expect(page).not.toMatch(/<script|<img/i);
  // Outside of quotation marks no attribute of theirs stands in any tag.
  expect(page.replace(/"[^"]*"/g, '""')).not.toMatch(/<[a-z][^>]*\son\w+=/i);
  expect(page).not.toContain('\u202e');
  expect(page).not.toContain('\u001b');
  expect(page).toContain(
    '&lt;script&gt;alert(1)&lt;/script&gt;&quot;&#39;&gt;&lt;img src=x onerror=alert(2)&gt;&amp;amp;',
  );
  expect(page).toContain('and 249 more');
});

test('on a terminal they steer nothing either', () => {
  const text = formatStatus(hostileMonitor().monitor.report(), { unicode: true, colour: false });
  expect(text).not.toContain('\u001b');
  expect(text).not.toContain('\u202e');
  expect(text).toContain('<script>alert(1)</script>');
});

test('a scan that has read all and waits for SEI does not look as if it were about to end', () => {
  const running = {
    id: 'job-1',
    origin: 'sei' as const,
    full: true,
    startedAtMs: clock0,
    partsDone: 24,
    parts: 24,
    repositoriesDone: 6,
    repositories: 6,
    commits: 1,
    pullRequests: 1,
    pages: 90,
    throttled: 0,
    secondsLeft: undefined,
  };
  const { monitor } = monitorOf({ ...idleFacts, integrations: [{ ...integrationFacts, running }] });
  const text = 'all is read; SEI has yet to take pages';
  expect(statusPage(monitor.report(), { refreshes: true })).toContain(text);
  expect(formatStatus(monitor.report(), { unicode: true, colour: false })).toContain(text);
});

test('the policy names the one style sheet by what it is, and allows nothing else', () => {
  const page = statusPage(monitorOf().monitor.report(), { refreshes: true });
  const style = /<style>([\s\S]*?)<\/style>/.exec(page)?.[1] ?? '';
  expect(statusPagePolicy).toContain(`'sha256-${createHash('sha256').update(style).digest('base64')}'`);
  expect(page).not.toMatch(/ style="|<script|https?:\/\/(?!bitbucket\.example\.com|www\.w3\.org)/);
});

test('it refreshes by itself, unless somebody wants to read in peace', () => {
  const report = monitorOf().monitor.report();
  expect(statusPage(report, { refreshes: true })).toContain('http-equiv="refresh"');
  expect(statusPage(report, { refreshes: false })).not.toContain('http-equiv="refresh"');
});

test('the hours that are kept are those that are shown, and an old one is forgotten', () => {
  const deliveries = new HourlyDeliveries();
  const hourMs = 3_600_000;
  for (let hour = 0; hour < 500; hour++) deliveries.add('commits', hour, hour * hourMs);
  deliveries.add('pull_requests', 7, 499 * hourMs);
  deliveries.add('tags', 99, 499 * hourMs);
  const listed = deliveries.list(499 * hourMs + 5);
  expect(listed).toHaveLength(48);
  expect(listed.at(-1)).toEqual({ hourMs: 499 * hourMs, commits: 499, pullRequests: 7 });
  expect(listed[0]).toMatchObject({ hourMs: 452 * hourMs, commits: 452 });
  // A day without any.
  expect(deliveries.list(523 * hourMs).at(-1)).toMatchObject({ commits: 0 });
});

test('the rate is that of the last minute, and falls to nothing', () => {
  const rate = new RequestRate();
  expect(rate.perSecond(0)).toBe(0);
  for (let at = 0; at <= 300_000; at += 100) rate.note(at);
  expect(rate.perSecond(300_000)).toBeCloseTo(10, 0);
  expect(rate.perSecond(400_000)).toBe(0);
});
