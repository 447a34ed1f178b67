import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from '@jest/globals';
import { load } from 'js-yaml';
import { temporaryFolder } from '../support/main-job.ts';
import { run } from './program.ts';

const pathOf = (name: string) => fileURLToPath(new URL(`../../../${name}`, import.meta.url));
const read = (name: string) => readFileSync(pathOf(name), 'utf8');

interface Rule {
  readonly alert: string;
  readonly expr: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
}

interface Panel {
  readonly id: number;
  readonly title: string;
  readonly description: string;
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number };
  readonly targets: readonly { readonly expr: string; readonly legendFormat: string }[];
}

const rulesPath = 'config/prometheus/satellite.rules.yml';
const { groups } = load(read(rulesPath)) as { groups: { rules: Rule[] }[] };
const rules = groups.flatMap((group) => group.rules);
const dashboard = JSON.parse(read('config/grafana/satellite.json')) as { panels: Panel[]; templating: unknown };

/** Name → labels, as the golden file of the metrics has them. */
const exported = new Map(
  [...read('test/golden/metrics.txt').matchAll(/^([a-z]\w+)(?:\{(.*)\})? (counter|gauge|histogram)$/gm)].flatMap(
    ([, name = '', labels = '', type]) => {
      const own = labels.split(',').filter((label) => label !== '');
      const series = type === 'histogram' ? ['_bucket', '_sum', '_count'] : [''];
      return series.map((suffix) => [`${name}${suffix}`, type === 'histogram' ? [...own, 'le'] : own] as const);
    },
  ),
);

/** What Prometheus itself adds. */
const targetLabels = ['instance', 'job'];

/** Names and labels in an expression that no satellite exports. */
function unknownIn(expression: string): string[] {
  const unknown: string[] = [];
  const known = new Set<string>(targetLabels);
  for (const [, name = '', selector = ''] of expression.matchAll(/\b((?:satellite|process|nodejs)_\w+)(\{[^}]*\})?/g)) {
    const labels = exported.get(name);
    if (labels === undefined) unknown.push(name);
    for (const label of labels ?? []) known.add(label);
    for (const [, label = ''] of selector.matchAll(/(\w+)\s*(?:=~|!~|!=|=)/g)) {
      if (!labels?.includes(label) && !targetLabels.includes(label)) unknown.push(`${name}{${label}}`);
    }
  }
  for (const [, list = ''] of expression.matchAll(/\b(?:by|on|group_left)\s*\(([^)]*)\)/g)) {
    for (const label of list.split(',').map((each) => each.trim())) if (!known.has(label)) unknown.push(label);
  }
  return unknown;
}

test('what no satellite exports is found', () => {
  expect(exported.size).toBeGreaterThan(40);
  expect(unknownIn('rate(satellite_request_total[5m])')).toEqual(['satellite_request_total']);
  expect(unknownIn('sum by (status) (satellite_requests_total{code="5xx"})')).toEqual([
    'satellite_requests_total{code}',
    'status',
  ]);
});

test.each(rules.map((rule) => [rule.alert, rule] as const))('%s uses what is exported', (_name, { expr }) => {
  expect(expr).toMatch(/\bsatellite_/);
  expect(unknownIn(expr)).toEqual([]);
});

test.each(rules.map((rule) => [rule.alert, rule] as const))(
  '%s says what it means and where to read on',
  (name, rule) => {
    expect(rule.labels.severity).toMatch(/^(critical|warning|info)$/);
    expect(rule.annotations).toEqual({
      summary: expect.any(String),
      description: expect.stringMatching(/[.?]$/),
      runbook: 'README.md#alerts',
    });
    expect(read('README.md')).toContain(`| \`${name}\` |`);
  },
);

test('the place that they point to is there', () => {
  expect(read('README.md')).toMatch(/^#+ Alerts$/m);
});

test('parts that alerts name are parts that there are', () => {
  const { properties } = JSON.parse(read('schemas/status.schema.json'));
  const parts: string[] = properties.parts.items.properties.part.enum;
  for (const { expr } of rules) {
    for (const [, list = ''] of expr.matchAll(/part[=!]~"(.*?)"/g)) {
      for (const part of list.split('|')) expect(parts).toContain(part);
    }
  }
});

test.each(dashboard.panels.map((panel) => [panel.title, panel] as const))(
  'the panel "%s" shows what is exported',
  (_title, { targets, description }) => {
    expect(targets.length).toBeGreaterThan(0);
    for (const { expr } of targets) {
      expect(expr).toMatch(/\bsatellite_/);
      expect(unknownIn(expr)).toEqual([]);
    }
    expect(description).toMatch(/\.$/);
  },
);

test('every metric of our own is on the dashboard', () => {
  const shown = dashboard.panels.flatMap(({ targets }) => targets.map(({ expr }) => expr)).join('\n');
  const own = [...exported.keys()].filter((name) => name.startsWith('satellite_') && !/_(sum|count)$/.test(name));
  expect(own.filter((name) => !new RegExp(`\\b${name}\\b`).test(shown))).toEqual([]);
});

test('no panel lies over another', () => {
  const cells = dashboard.panels.flatMap(({ gridPos: { x, y, w, h } }) =>
    Array.from({ length: w * h }, (_, index) => `${x + (index % w)},${y + Math.floor(index / w)}`),
  );
  expect(new Set(cells).size).toBe(cells.length);
  expect(new Set(dashboard.panels.map(({ id }) => id)).size).toBe(dashboard.panels.length);
});

const hasPromtool = spawnSync('promtool', ['--version']).status === 0;
if (!hasPromtool) process.stdout.write('skipped: the alert rules by promtool, which is not there\n');
const withPromtool = hasPromtool ? test : test.skip;

withPromtool('Prometheus takes the rules', async () => {
  expect(await run('promtool', ['check', 'rules', pathOf(rulesPath)])).toMatchObject({
    exitCode: 0,
    stdout: expect.stringContaining(`SUCCESS: ${rules.length} rules found`),
  });
});

withPromtool('and alerts when it should, and not when it should not', async () => {
  const tested = await run('promtool', ['test', 'rules', pathOf('test/integration/deployment/alerts.promtool.yml')]);
  expect(tested).toMatchObject({ exitCode: 0, stdout: expect.stringContaining('SUCCESS') });
});

withPromtool('and the expressions of the dashboard', async () => {
  const folder = await temporaryFolder();
  const all = dashboard.panels.flatMap(({ targets }) => targets.map(({ expr }) => expr.replaceAll('$instance', '.*')));
  const file = join(folder.path, 'rules.json');
  writeFileSync(
    file,
    JSON.stringify({ groups: [{ name: 'g', rules: all.map((expr, at) => ({ record: `r${at}`, expr })) }] }),
  );
  expect(await run('promtool', ['check', 'rules', file])).toMatchObject({ exitCode: 0, stderr: '' });
  await folder.remove();
});
