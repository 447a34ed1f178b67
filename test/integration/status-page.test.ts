import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { type Browser, chromium, type Page } from 'playwright-core';
import { HealthServer } from '../../src/ops/health-server.ts';
import type { Monitor } from '../../src/ops/monitor.ts';
import { Redactor } from '../../src/ops/redact.ts';
import type { StatusFacts } from '../../src/ops/status-report.ts';
import { idleFacts, integrationFacts, monitorOf } from '../unit/ops/world.ts';

// The page in a real browser. Screenshots stay in test-results/.

const executablePath = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find(existsSync);
if (executablePath === undefined)
  process.stdout.write('skipped: the status page in a browser, as there is no Chromium\n');
const inBrowser = executablePath === undefined ? test.skip : test;
const pictures = fileURLToPath(new URL('../../test-results/', import.meta.url));

let browser: Browser;
beforeAll(async () => {
  if (executablePath === undefined) return;
  mkdirSync(pictures, { recursive: true });
  browser = await chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-gpu'] });
});
afterAll(() => browser?.close());

const hostile = `<script>document.title = 'taken'</script><img src=x onerror="document.title='taken'">`;
const nowMs = Date.UTC(2026, 10, 23, 10, 42);

const busy: StatusFacts = {
  ...idleFacts,
  integrations: [
    {
      ...integrationFacts,
      lastScanToMs: nowMs - 25 * 60_000,
      lastJob: {
        outcome: 'partial',
        endedAtMs: nowMs - 20 * 60_000,
        seconds: 312,
        failures: 3,
        code: undefined,
        reason: undefined,
      },
      running: {
        id: 'job-1',
        origin: 'sei',
        full: true,
        startedAtMs: nowMs - 300_000,
        partsDone: 310,
        parts: 824,
        repositoriesDone: 77,
        repositories: 206,
        commits: 52_103,
        pullRequests: 3_184,
        pages: 96,
        throttled: 2,
        secondsLeft: 1_260,
      },
      waitingJobs: 1,
      requests: { perSecond: 41.3, limitPerSecond: 50, inFlight: 4, maxInFlight: 4, waiting: 12, paused: false },
    },
    {
      ...integrationFacts,
      id: '4712',
      url: 'https://git.intranet.example.com/bitbucket',
      lastScanToMs: nowMs - 3_900_000,
    },
  ],
  spool: { pages: 12, bytes: 23_500_000, bytesMax: 2 ** 31, oldestAddedAtMs: nowMs - 95_000 },
  coveredRepositories: 412,
};

const withGaps: StatusFacts = {
  ...busy,
  failing: {
    repositories: 140,
    listed: [
      {
        integrationId: '4711',
        repository: 'PAY/ledger-of-a-very-long-name-that-nobody-would-ever-want-to-type-by-hand-but-somebody-did',
        dataType: 'commits',
        code: 'BITBUCKET_SERVER_ERROR',
        reason: 'Bitbucket or a proxy before it fails (500 GitException, request *SIM642x1000x0): git died',
        sinceMs: nowMs - 7_200_000,
      },
      {
        integrationId: '4711',
        repository: hostile,
        dataType: 'pull_requests',
        code: 'BITBUCKET_FORBIDDEN',
        reason: hostile,
        sinceMs: nowMs - 86_400_000 * 3,
      },
    ],
  },
};

interface Shown {
  readonly page: Page;
  readonly monitor: Monitor;
  readonly url: string;
  readonly complaints: readonly string[];
}

async function show(
  facts: StatusFacts,
  options: {
    prepare?: (monitor: Monitor) => void;
    width?: number;
    colorScheme?: 'light' | 'dark';
    javaScriptEnabled?: boolean;
  },
  look: (shown: Shown) => Promise<void>,
): Promise<void> {
  const { monitor, clock } = monitorOf(facts, nowMs - 47 * 3_600_000);
  for (let hour = 0; hour < 48; hour++) {
    const atWork = Math.max(0, Math.sin(((hour % 24) - 6) / 4));
    monitor.pagePushed('commits', Math.round(1_800 * atWork * (0.6 + ((hour * 7) % 5) / 10)));
    monitor.pagePushed('pull_requests', Math.round(60 * atWork * (0.5 + ((hour * 3) % 4) / 8)));
    if (hour < 47) clock.nowMs += 3_600_000;
  }
  for (const part of ['sei', 'sei_key', 'disk', 'store_cap', 'scheduler'] as const) monitor.health.worked(part);
  for (const { id } of facts.integrations) monitor.health.worked('bitbucket', id);
  options.prepare?.(monitor);
  monitor.health.beat();
  const server = await HealthServer.listen({ host: '127.0.0.1', port: 0 }, monitor, new Redactor());
  const viewport = { width: options.width ?? 1100, height: 900 };
  const context = await browser.newContext({
    viewport,
    colorScheme: options.colorScheme ?? 'light',
    javaScriptEnabled: options.javaScriptEnabled ?? true,
  });
  const page = await context.newPage();
  const complaints: string[] = [];
  page.on('console', (message) => complaints.push(message.text()));
  page.on('pageerror', (error) => complaints.push(String(error)));
  page.on('requestfailed', (request) => complaints.push(`failed: ${request.url()}`));
  const url = `http://127.0.0.1:${server.port}/`;
  try {
    await page.goto(url);
    await look({ page, monitor, url, complaints });
    expect(complaints).toEqual([]);
  } finally {
    await context.close();
    await server.close();
  }
}

function outage(monitor: Monitor): void {
  const unreachable = { code: 'BITBUCKET_UNREACHABLE', message: 'Not reachable: connect ECONNREFUSED 10.1.2.3:7990' };
  for (let times = 0; times < 3; times++) {
    monitor.health.failed(
      'bitbucket',
      { ...unreachable, hint: 'Check the url, name resolution, firewall and proxy.' },
      '4711',
    );
  }
  monitor.health.failed('sei_key', {
    code: 'SEI_KEY_REFUSED',
    message: 'SEI refuses the key (401)',
    hint: 'Check satellite.api_key, that it belongs to satellite.tenant, and that it may ingest.',
  });
}

/** The lowest contrast of all texts with what is behind them, by the formula of WCAG 2. Runs in the page. */
const lowestContrast = `(() => {
  const parse = (colour) => (colour.match(/[\\d.]+/g) ?? []).map(Number);
  const luminance = (colour) => {
    const [red, green, blue] = colour.map((value) => {
      const share = value / 255;
      return share <= 0.03928 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  };
  const behind = (element) => {
    for (let at = element; at !== null; at = at.parentElement) {
      const colour = parse(getComputedStyle(at).backgroundColor);
      if (colour[3] !== 0) return colour;
    }
    return [255, 255, 255];
  };
  let lowest = { ratio: 99, text: '' };
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node = texts.nextNode(); node !== null; node = texts.nextNode()) {
    const text = node.textContent.trim();
    const element = node.parentElement;
    if (text === '' || element.closest('svg, progress') !== null) continue;
    const [one, other] = [luminance(parse(getComputedStyle(element).color)), luminance(behind(element))];
    const ratio = (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
    if (ratio < lowest.ratio) lowest = { ratio, text };
  }
  return lowest;
})()`;

inBrowser('what people see first is whether all is well', async () => {
  await show(idleFacts, {}, async ({ page }) => {
    expect(await page.getByRole('heading', { level: 1 }).innerText()).toBe('All is well');
    expect(await page.title()).toBe('All is well · Ingestion satellite');
    await page.screenshot({ path: join(pictures, 'well.png'), fullPage: true });
  });
});

inBrowser('and where it is not, what to do', async () => {
  await show(withGaps, { prepare: outage }, async ({ page }) => {
    expect(await page.getByRole('heading', { level: 1 }).innerText()).toBe('Work cannot go on');
    const problems = page.locator('.problems li');
    expect(await problems.count()).toBe(2);
    const text = (await problems.allInnerTexts()).join('\n');
    expect(text).toContain('What to do: Check the url, name resolution, firewall and proxy.');
    expect(text).toContain('SEI_KEY_REFUSED');
    await page.screenshot({ path: join(pictures, 'failing.png'), fullPage: true });
  });
});

inBrowser('a running scan shows how far it is, by name', async () => {
  await show(busy, {}, async ({ page }) => {
    const scan = page.getByRole('article', { name: 'Integration 4711' });
    expect(await scan.innerText()).toMatch(/77 of 206 repositories[\s\S]*about 21 min left[\s\S]*41\.3 a second/);
    const bar = scan.getByRole('progressbar', { name: 'Progress of the scan' });
    expect([await bar.getAttribute('value'), await bar.getAttribute('max')]).toEqual(['310', '824']);
    expect(await page.getByRole('img', { name: /^Commits per hour in the last 48 hours: \d/ }).count()).toBe(1);
    await page.screenshot({ path: join(pictures, 'busy.png'), fullPage: true });
  });
});

inBrowser('throttling, a spool that fills, a scan that failed, and the version', async () => {
  const lastJob = { outcome: 'failure', endedAtMs: nowMs - 60_000, seconds: 4, failures: 0 } as const;
  const troubled: StatusFacts = {
    ...busy,
    integrations: busy.integrations.map((integration, index) =>
      index === 0
        ? { ...integration, requests: { ...integration.requests, paused: true } }
        : { ...integration, lastJob: { ...lastJob, code: 'NOTHING_READABLE', reason: 'No repository could be read' } },
    ),
    spool: { ...busy.spool, bytes: 2 ** 31 * 0.9 },
  };
  await show(troubled, {}, async ({ page }) => {
    const [first, second] = ['4711', '4712'].map((id) => page.getByRole('article', { name: `Integration ${id}` }));
    expect(await first?.innerText()).toContain('paused: Bitbucket asked for patience');
    expect(await second?.innerText()).toContain('the last one failed: No repository could be read (NOTHING_READABLE)');
    expect(await second?.innerText()).toContain('last scan failed');
    const spool = page.getByRole('region', { name: 'Spool' });
    expect(await spool.innerText()).toMatch(/12 pages wait for SEI[\s\S]*1\.8 GiB of 2\.0 GiB[\s\S]*waited for/);
    const bar = spool.getByRole('progressbar', { name: 'Spool in use' });
    expect([await bar.getAttribute('class'), Number(await bar.getAttribute('max'))]).toEqual(['full', 2 ** 31]);
    expect(await page.getByRole('contentinfo').innerText()).toContain('Version 1.2.3');
    await page.screenshot({ path: join(pictures, 'troubled.png'), fullPage: true });
  });
  await show(busy, {}, async ({ page }) => {
    const scan = page.getByRole('article', { name: 'Integration 4711' });
    expect(await scan.innerText()).toContain('2 times in this scan');
    const charts = page.getByRole('img', { name: /^Pull requests per hour in the last 48 hours: \d/ });
    expect(await charts.count()).toBe(1);
    expect(await charts.locator('rect').count()).toBeGreaterThan(10);
  });
});

inBrowser(
  'without JavaScript it shows the same, and refreshes, too',
  async () => {
    await show(withGaps, { prepare: outage, javaScriptEnabled: false }, async ({ page, monitor }) => {
      expect(await page.getByRole('heading', { level: 1 }).innerText()).toBe('Work cannot go on');
      expect(await page.getByRole('article').count()).toBe(2);
      monitor.health.worked('bitbucket', '4711');
      monitor.health.worked('sei_key');
      await page.getByRole('heading', { level: 1, name: 'Working, with gaps' }).waitFor({ timeout: 20_000 });
    });
  },
  40_000,
);

inBrowser('a name that is a script is a name', async () => {
  await show(withGaps, {}, async ({ page }) => {
    expect(await page.title()).toBe('Working, with gaps · Ingestion satellite');
    expect(await page.locator('script, main img').count()).toBe(0);
    expect(await page.getByText("<script>document.title = 'taken'</script>").count()).toBeGreaterThan(0);
    expect(await page.getByText('and 138 more').count()).toBe(1);
    await page.screenshot({ path: join(pictures, 'gaps.png'), fullPage: true });
  });
});

inBrowser('each section is a click away, and so are the other views', async () => {
  await show(withGaps, { width: 900 }, async ({ page, url }) => {
    for (const name of ['Integrations', 'Repositories', 'Spool', 'Deliveries', 'Parts']) {
      await page.getByRole('navigation').getByRole('link', { name }).click();
      const heading = page.locator(new URL(page.url()).hash);
      expect(await heading.evaluate((it) => it.tagName)).toBe('H2');
      expect((await heading.boundingBox())?.y).toBeLessThan(900);
    }
    await page.getByRole('link', { name: 'stop' }).click();
    expect(await page.locator('meta[http-equiv=refresh]').count()).toBe(0);
    await page.getByRole('link', { name: 'refresh by itself' }).click();
    expect(await page.locator('meta[http-equiv=refresh]').count()).toBe(1);
    await page.getByRole('link', { name: 'status.json' }).click();
    expect(JSON.parse(await page.locator('body').innerText())).toMatchObject({ ready: true });
    await page.goto(url);
    await page.getByRole('link', { name: 'metrics' }).click();
    expect(await page.locator('body').innerText()).toContain('satellite_ready 1');
  });
});

inBrowser(
  'it refreshes by itself, without a script',
  async () => {
    await show(idleFacts, {}, async ({ page, monitor }) => {
      outage(monitor);
      await page.getByRole('heading', { level: 1, name: 'Work cannot go on' }).waitFor({ timeout: 20_000 });
    });
  },
  40_000,
);

inBrowser.each([
  ['light', 1100],
  ['dark', 1100],
  ['light', 360],
  ['dark', 320],
] as const)('%s, %d pixels wide: all can be read, and nothing has to be pushed aside', async (colorScheme, width) => {
  for (const [name, prepare] of [
    ['gaps', undefined],
    ['failing', outage],
  ] as const) {
    await show(withGaps, { colorScheme, width, ...(prepare && { prepare }) }, async ({ page }) => {
      expect(
        await page.evaluate<number>('document.documentElement.scrollWidth - window.innerWidth'),
      ).toBeLessThanOrEqual(0);
      const { ratio, text } = await page.evaluate<{ ratio: number; text: string }>(lowestContrast);
      expect([text, ratio >= 4.5]).toEqual([text, true]);
      await page.screenshot({ path: join(pictures, `${name}-${colorScheme}-${width}.png`), fullPage: true });
    });
  }
});
