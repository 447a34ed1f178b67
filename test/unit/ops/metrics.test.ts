import { readFile, writeFile } from 'node:fs/promises';
import { expect, test } from '@jest/globals';
import { SatelliteError } from '../../../src/errors.ts';
import { countingLogger } from '../../../src/ops/counting-logger.ts';
import { Monitor } from '../../../src/ops/monitor.ts';
import { FakeClock } from '../crawl/fake-clock.ts';
import { RecordingLogger } from '../jobs/recording-logger.ts';
import { idleFacts, monitorOf } from './world.ts';

const golden = new URL('../../golden/metrics.txt', import.meta.url);

/** Names, types, what they mean, and their labels: what dashboards and alerts are built on. */
function described(text: string): string {
  const lines: string[] = [];
  for (const [, name = '', help] of text.matchAll(/^# HELP (\S+) (.*)$/gm)) {
    const type = new RegExp(`^# TYPE ${name} (\\S+)$`, 'm').exec(text)?.[1];
    const labels = new RegExp(`^${name}(?:_bucket)?\\{(.*)\\}`, 'm').exec(text)?.[1] ?? '';
    const labelNames = [...labels.matchAll(/(\w+)="/g)].map(([, label]) => label).filter((label) => label !== 'le');
    const of = labelNames.length === 0 ? '' : `{${labelNames.join(',')}}`;
    lines.push(name.startsWith('satellite_') ? `${name}${of} ${type}\n  ${help}` : `${name} ${type}`);
  }
  return `${lines.join('\n')}\n`;
}

async function textOf(monitor: Monitor): Promise<string> {
  return monitor.metrics.text(monitor.report());
}

function sampleOf(text: string, series: string): number {
  const line = text.split('\n').find((each) => each.startsWith(`${series} `));
  return Number(line?.split(' ').at(-1));
}

test('the metrics are those that are written down', async () => {
  const monitor = new Monitor({ clock: new FakeClock(), version: '1.2.3', ofProcess: true });
  monitor.watch(['4711'], () => idleFacts);
  monitor.metrics.errorLogged('SOME_CODE');
  monitor.metrics.succeeded('sei', 1_000);
  const text = described(await textOf(monitor));
  if (process.env.UPDATE_GOLDEN === '1') await writeFile(golden, text);
  expect(text).toBe(await readFile(golden, 'utf8'));
});

test('every counter is there before its first event, so that no rate misses it', async () => {
  const text = await textOf(monitorOf().monitor);
  for (const series of [
    'satellite_requests_total{leg="bitbucket",code_class="5xx"}',
    'satellite_requests_total{leg="sei",code_class="none"}',
    'satellite_throttled_total{leg="sei"}',
    'satellite_rate_wait_seconds_total{leg="bitbucket"}',
    'satellite_records_crawled_total{type="commits"}',
    'satellite_records_pushed_total{type="pull_requests"}',
    'satellite_pages_spooled_total',
    'satellite_pages_pushed_total',
    'satellite_jobs_total{outcome="failure"}',
    'satellite_part_failing{part="bitbucket",integration="4711"}',
  ]) {
    expect([series, sampleOf(text, series)]).toEqual([series, 0]);
  }
  expect(sampleOf(text, `satellite_build_info{version="1.2.3",node="${process.version}"}`)).toBe(1);
});

test('answers are counted by their class, and what is no answer apart', async () => {
  const { monitor, clock } = monitorOf();
  const observer = monitor.ofBitbucket('4711');
  const error = (statusCode?: number) =>
    new SatelliteError('no', { code: 'X', kind: 'retryable', ...(statusCode === undefined ? {} : { statusCode }) });
  observer.ended(0.2);
  observer.ended(0.2, error(404));
  observer.ended(0.2, error(503));
  observer.ended(7, error());
  observer.throttled();
  observer.waited(1.5);
  const text = await textOf(monitor);
  const of = (code: string) => sampleOf(text, `satellite_requests_total{leg="bitbucket",code_class="${code}"}`);
  expect(['2xx', '3xx', '4xx', '5xx', 'none'].map(of)).toEqual([1, 0, 1, 1, 1]);
  expect(sampleOf(text, 'satellite_request_duration_seconds_count{leg="bitbucket"}')).toBe(4);
  expect(sampleOf(text, 'satellite_request_duration_seconds_bucket{le="0.25",leg="bitbucket"}')).toBe(3);
  expect(sampleOf(text, 'satellite_throttled_total{leg="bitbucket"}')).toBe(1);
  expect(sampleOf(text, 'satellite_rate_wait_seconds_total{leg="bitbucket"}')).toBe(1.5);
  expect(sampleOf(text, 'satellite_last_success_timestamp_seconds{leg="bitbucket"}')).toBe(clock.now() / 1000);
});

test('warnings and errors are counted by their code; a code that varies cannot make series without end', async () => {
  const { monitor } = monitorOf();
  const logger = countingLogger(Object.assign(new RecordingLogger(), { close: () => undefined }), monitor.metrics);
  logger.warn('one', { code: 'A_CODE' });
  logger.error('two', { code: 'A_CODE' });
  logger.info('three', { code: 'A_CODE' });
  for (let each = 0; each < 1_000; each++) logger.warn('many', { code: `CODE_${each}` });
  const text = await textOf(monitor);
  expect(sampleOf(text, 'satellite_errors_total{code="A_CODE"}')).toBe(2);
  expect(text.match(/^satellite_errors_total/gm)?.length).toBeLessThan(310);
  expect(sampleOf(text, 'satellite_errors_total{code="OTHER"}')).toBe(702);
  expect(sampleOf(text, 'satellite_errors_total{code="INTERNAL"}')).toBe(0);
});

test('an integration that was never scanned is behind since the start', async () => {
  const nowMs = Date.UTC(2026, 10, 23, 10);
  const [integration] = idleFacts.integrations;
  if (integration === undefined) throw new Error('no integration');
  const scanned = { ...integration, id: '1', lastScanToMs: nowMs - 600_000 };
  const { monitor, clock } = monitorOf({ ...idleFacts, integrations: [scanned, { ...integration, id: '2' }] }, nowMs);
  expect(sampleOf(await textOf(monitor), 'satellite_coverage_lag_seconds')).toBe(600);
  clock.nowMs += 3_600_000;
  expect(sampleOf(await textOf(monitor), 'satellite_coverage_lag_seconds')).toBe(4_200);
});

test('the spool’s gauges are those of the report', async () => {
  const { monitor, clock } = monitorOf({
    ...idleFacts,
    spool: { pages: 3, bytes: 4096, bytesMax: 8192, oldestAddedAtMs: Date.UTC(2026, 10, 23, 9) },
    coveredRepositories: 12,
    failing: { repositories: 2, listed: [] },
  });
  clock.nowMs += 1_000;
  const text = await textOf(monitor);
  const names = ['spool_pages', 'spool_bytes', 'spool_bytes_max', 'spool_oldest_page_age_seconds'];
  const values = [...names, 'repositories_covered', 'repositories_failing'].map((it) =>
    sampleOf(text, `satellite_${it}`),
  );
  expect(values).toEqual([3, 4096, 8192, 3601, 12, 2]);
});
