import type { PartName } from '../../../src/ops/health.ts';
import { HealthServer } from '../../../src/ops/health-server.ts';
import { Monitor } from '../../../src/ops/monitor.ts';
import { Redactor } from '../../../src/ops/redact.ts';
import type { StatusFacts } from '../../../src/ops/status-report.ts';
import { FakeClock } from '../crawl/fake-clock.ts';

export const integrationFacts: StatusFacts['integrations'][number] = {
  id: '4711',
  url: 'https://bitbucket.example.com',
  lastScanToMs: undefined,
  lastJob: undefined,
  running: undefined,
  waitingJobs: 0,
  unacknowledgedJobs: 0,
  requests: { perSecond: 0, limitPerSecond: undefined, inFlight: 0, maxInFlight: 4, waiting: 0, paused: false },
};

export const idleFacts: StatusFacts = {
  integrations: [integrationFacts],
  spool: { pages: 0, bytes: 0, bytesMax: 2 ** 31, oldestAddedAtMs: undefined },
  coveredRepositories: 0,
  failing: { repositories: 0, listed: [] },
};

export function monitorOf(
  facts: StatusFacts = idleFacts,
  startMs = Date.UTC(2026, 10, 23, 10),
  redactor = new Redactor(),
) {
  const clock = new FakeClock(startMs);
  const monitor = new Monitor({ clock, version: '1.2.3', redactor });
  monitor.watch(
    facts.integrations.map(({ id }) => id),
    () => facts,
  );
  return { clock, monitor };
}

/** With a server on a free port of loopback, and everything well. */
export async function servedMonitor(facts?: StatusFacts, redactor = new Redactor()) {
  const { clock, monitor } = monitorOf(facts, undefined, redactor);
  monitor.health.worked('sei');
  const server = await HealthServer.listen({ host: '127.0.0.1', port: 0 }, monitor, redactor);
  return { clock, monitor, server, port: server.port ?? 0 };
}

/** As often as makes it fail for good. */
export function fail(monitor: Monitor, part: PartName, integrationId?: string): void {
  for (let times = 0; times < 3; times++) {
    monitor.health.failed(part, { code: 'SOME_CODE', message: `${part} is broken`, hint: 'Mend it.' }, integrationId);
  }
}
