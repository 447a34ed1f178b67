import { createHash } from 'node:crypto';
import { hourlyChart } from './hourly-chart.ts';
import { Html, html } from './html.ts';
import { humanBetween, humanBytes, humanCount, humanSeconds, humanTime, plural } from './human.ts';
import { style } from './status-page-style.ts';
import type { ReportedIntegration, ReportedPart, StatusReport } from './status-report.ts';

const styleHash = createHash('sha256').update(style).digest('base64');

/** Nothing runs, nothing is loaded, nothing frames the page: its one style sheet and its icon are all there is. */
export const statusPagePolicy = `default-src 'none'; style-src 'sha256-${styleHash}'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`;

const refreshSeconds = 10;

type Mood = 'good' | 'warn' | 'bad';

interface Verdict {
  readonly mood: Mood;
  readonly title: string;
  readonly text: string;
}

/** A whole page, made from the report alone. Names and messages come from other servers: all are escaped (`html.ts`). */
export function statusPage(report: StatusReport, { refreshes }: { readonly refreshes: boolean }): string {
  const verdict = verdictOf(report);
  const failing = report.parts.filter(({ state }) => state === 'failing');
  const refresh = refreshes ? html`<meta http-equiv="refresh" content="${refreshSeconds}">` : undefined;
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
${refresh}
<title>${verdict.title} · Ingestion satellite</title>
<link rel="icon" href="${icon(verdict.mood)}">
<style>${new Html(style)}</style>
</head>
<body>
<div class="page">
<header class="top">
<p><strong>Ingestion satellite</strong> · Bitbucket to Harness SEI</p>
<nav aria-label="Sections"><a href="#integrations">Integrations</a><a href="#repositories">Repositories</a><a href="#spool">Spool</a><a href="#deliveries">Deliveries</a><a href="#parts">Parts</a></nav>
</header>
<main>
<section class="hero ${verdict.mood}" aria-labelledby="verdict">
<h1 id="verdict">${sign(verdict.mood)}${verdict.title}</h1>
<p>${verdict.text}</p>
${failing.length === 0 ? undefined : html`<ul class="problems">${failing.map((part) => problem(part, report.at))}</ul>`}
</section>
<section aria-labelledby="integrations">
<h2 id="integrations">Integrations</h2>
${report.integrations.length === 0 ? html`<p class="card soft">None is known yet.</p>` : report.integrations.map((integration) => integrationCard(integration, report))}
</section>
<section aria-labelledby="repositories">
<h2 id="repositories">Repositories</h2>
${repositories(report)}
</section>
<section aria-labelledby="spool">
<h2 id="spool">Spool</h2>
${spool(report)}
</section>
<section aria-labelledby="deliveries">
<h2 id="deliveries">Delivered to SEI per hour</h2>
<div class="card">${hourlyChart(report.deliveredPerHour)}
<p class="small">Counted since the start, ${humanBetween(report.startedAt, report.at)} ago.</p></div>
</section>
<section aria-labelledby="parts">
<h2 id="parts">Parts</h2>
<ul class="card parts">${report.parts.map(partItem)}</ul>
</section>
</main>
<footer>
<span>Version ${report.version}</span>
<span>Up for ${humanBetween(report.startedAt, report.at)}</span>
<span>As of <time datetime="${report.at}">${humanTime(report.at)}</time></span>
${refreshes ? html`<span>Refreshes every ${refreshSeconds} s · <a href="/?refresh=off">stop</a></span>` : html`<span>Stands still · <a href="/">refresh by itself</a></span>`}
<span><a href="/status.json">status.json</a></span>
<span><a href="/metrics">metrics</a></span>
</footer>
</div>
</body>
</html>
`.text;
}

function verdictOf({ live, ready, parts, integrations, failing }: StatusReport): Verdict {
  const broken = parts.filter(({ state }) => state === 'failing');
  if (!live) {
    return { mood: 'bad', title: 'The loop stands still', text: 'The satellite does nothing any more: start it anew.' };
  }
  if (broken.length > 0) {
    const what = broken.length === 1 ? 'One part fails' : `${broken.length} parts fail`;
    return {
      mood: 'bad',
      title: 'Work cannot go on',
      text: `${what}. Nothing is lost: once it is mended, the satellite goes on where it was.`,
    };
  }
  if (!ready) return { mood: 'warn', title: 'Starting', text: 'SEI has not answered yet.' };
  const failedJob = integrations.find(({ lastJob }) => lastJob?.outcome === 'failure');
  if (failing.repositories > 0 || failedJob !== undefined) {
    const text =
      failing.repositories > 0
        ? `${plural(failing.repositories, 'repository', 'repositories')} could not be read in full; the reasons stand below. The next scan tries again and fills the gap.`
        : `The last scan of integration ${failedJob?.id} failed; the reason stands below. The next one fills the gap.`;
    return { mood: 'warn', title: 'Working, with gaps', text };
  }
  const running = integrations.filter((integration) => integration.running !== undefined).length;
  const text =
    running > 0 ? `${plural(running, 'scan')} under way.` : 'No scan is under way; the satellite waits for work.';
  return { mood: 'good', title: 'All is well', text };
}

function problem({ title, integration, since, code, reason, hint }: ReportedPart, at: string): Html {
  const of = integration === undefined ? '' : ` · integration ${integration}`;
  return html`<li>
<div class="head"><h3>${title}${of}</h3><span class="small">for ${humanBetween(since, at)}, since <time datetime="${since}">${humanTime(since)}</time></span></div>
<p>${reason} <code>${code}</code></p>
${hint === undefined ? undefined : html`<p class="do"><b>What to do:</b> ${hint}</p>`}
</li>`;
}

function integrationCard(integration: ReportedIntegration, report: StatusReport): Html {
  const { id, url, running, requests } = integration;
  return html`<article class="card" aria-label="Integration ${id}">
<div class="head"><h3>${id} <span class="soft">${url}</span></h3>${stateTag(integration, report)}</div>
${running === undefined ? undefined : runningScan(running)}
<dl class="facts">
<div><dt>Last scan</dt><dd>${lastScan(integration, report.at)}</dd></div>
<div><dt>Requests to Bitbucket</dt><dd>${requests.perSecond} a second<span>${requestLimits(requests)}</span></dd></div>
<div><dt>Throttling</dt><dd>${throttling(integration)}</dd></div>
<div><dt>Jobs that wait</dt><dd>${integration.waitingJobs}${integration.unacknowledgedJobs === 0 ? undefined : html`<span>${integration.unacknowledgedJobs} done, SEI has not taken note yet</span>`}</dd></div>
</dl>
</article>`;
}

function stateTag({ id, running, lastJob }: ReportedIntegration, { parts }: StatusReport): Html {
  const fails = parts.some(({ integration, state }) => integration === id && state === 'failing');
  if (fails) return html`<span class="tag bad">fails</span>`;
  if (running !== undefined) return html`<span class="tag good">scanning</span>`;
  if (lastJob?.outcome === 'failure') return html`<span class="tag warn">last scan failed</span>`;
  return html`<span class="tag idle">idle</span>`;
}

function runningScan(running: NonNullable<ReportedIntegration['running']>): Html {
  const { partsDone, parts, repositoriesDone, repositories, commits, pullRequests, pages, secondsLeft } = running;
  const kind = running.full ? 'Full scan' : 'Scan';
  const known = secondsLeft === undefined ? 'time left not known yet' : `about ${humanSeconds(secondsLeft)} left`;
  const left = partsDone === parts ? 'all is read; SEI has yet to take pages' : known;
  if (parts === 0) {
    return html`<div class="run"><p class="head"><span>${kind}: the repositories are being listed</span></p>
<progress aria-label="Progress of the scan"></progress></div>`;
  }
  return html`<div class="run">
<p class="head"><span>${kind}: ${humanCount(repositoriesDone)} of ${plural(repositories, 'repository', 'repositories')}</span><span class="soft">${left}</span></p>
<progress max="${parts}" value="${partsDone}" aria-label="Progress of the scan">${partsDone} of ${parts}</progress>
<p class="small">${plural(commits, 'commit')} · ${plural(pullRequests, 'pull request')} · ${plural(pages, 'page')}</p>
</div>`;
}

function lastScan({ lastScanTo, lastJob }: ReportedIntegration, at: string): Html {
  const covered =
    lastScanTo === undefined
      ? html`none that SEI has acknowledged`
      : html`${humanBetween(lastScanTo, at)} ago<span><time datetime="${lastScanTo}">${humanTime(lastScanTo)}</time></span>`;
  if (lastJob === undefined) return covered;
  const { outcome, seconds, failures, code, reason } = lastJob;
  const took = humanSeconds(seconds);
  const said = {
    success: `took ${took}`,
    partial: `took ${took}, ${plural(failures, 'part')} left out`,
    failure: `the last one failed: ${reason ?? ''} (${code ?? ''})`,
  }[outcome];
  return html`${covered}<span>${said}</span>`;
}

function requestLimits({ limitPerSecond, inFlight, maxInFlight, waiting }: ReportedIntegration['requests']): string {
  const limit = limitPerSecond === undefined ? 'no known limit' : `at most ${limitPerSecond} a second`;
  return `${limit} · ${inFlight} of ${maxInFlight} at a time · ${waiting} waiting`;
}

function throttling({ requests, running }: ReportedIntegration): string {
  if (requests.paused) return 'paused: Bitbucket asked for patience';
  const times = running?.throttled ?? 0;
  return times === 0 ? 'none' : `${plural(times, 'time')} in this scan`;
}

function repositories({ coverage, failing, at }: StatusReport): Html {
  const { repositories: count, listed } = failing;
  const covered = html`<p class="small">${plural(coverage.repositories, 'repository', 'repositories')} with SEI. The last scan that SEI has acknowledged ended ${humanSeconds(coverage.lagSeconds)} ago, where it is longest.</p>`;
  if (count === 0) return html`<div class="card"><h3>None fails</h3>${covered}</div>`;
  const listedRepositories = new Set(listed.map(({ integration, repository }) => `${integration} ${repository}`)).size;
  const more = count - listedRepositories;
  return html`<div class="card">
<table>
<caption class="hidden">Repositories that could not be read in full</caption>
<thead><tr><th scope="col">Repository</th><th scope="col">Reason</th><th scope="col">Since</th></tr></thead>
<tbody>${listed.map(
    ({ repository, type, code, reason, since }) => html`<tr>
<td><b>${repository}</b><br><span class="small">${type.replace('_', ' ')}</span></td>
<td>${reason} <code>${code}</code></td>
<td class="nowrap small"><time datetime="${since}">${humanBetween(since, at)}</time></td>
</tr>`,
  )}</tbody>
</table>
${more <= 0 ? undefined : html`<p class="soft">and ${humanCount(more)} more</p>`}
${covered}
</div>`;
}

function spool({ spool: { pages, bytes, bytesMax, oldestPageAgeSeconds } }: StatusReport): Html {
  const title =
    pages === 0 ? 'Empty: SEI has everything' : `${plural(pages, 'page')} ${pages === 1 ? 'waits' : 'wait'} for SEI`;
  const age =
    pages === 0
      ? undefined
      : html`<p class="small">The oldest has waited for ${humanSeconds(oldestPageAgeSeconds)}.</p>`;
  const isFull = bytesMax > 0 && bytes / bytesMax > 0.8;
  return html`<div class="card">
<div class="head"><h3>${title}</h3><span class="soft">${humanBytes(bytes)} of ${humanBytes(bytesMax)}</span></div>
<div class="run"><progress class="${isFull ? 'full' : 'room'}" max="${Math.max(1, bytesMax)}" value="${Math.min(bytes, bytesMax)}" aria-label="Spool in use">${humanBytes(bytes)}</progress></div>
${age}
</div>`;
}

const stateWords = { ok: 'works', failing: 'fails', unknown: 'not tried yet' } as const;
const stateInks = { ok: 'good', failing: 'bad', unknown: 'idle' } as const;

function partItem({ title, integration, state }: ReportedPart): Html {
  const of = integration === undefined ? '' : ` · ${integration}`;
  return html`<li><span class="ink-${stateInks[state]}">${dot(state)}</span><span>${title}${of} <span class="soft">${stateWords[state]}</span></span></li>`;
}

/** Shapes differ, too: colour alone would not be seen by everybody. */
function dot(state: ReportedPart['state']): Html {
  const shape = {
    ok: html`<circle cx="5" cy="5" r="5" fill="currentColor"/>`,
    failing: html`<path d="M0 0h10v10H0z" fill="currentColor"/>`,
    unknown: html`<circle cx="5" cy="5" r="4" fill="none" stroke="currentColor" stroke-width="2"/>`,
  }[state];
  return html`<svg viewBox="0 0 10 10" aria-hidden="true">${shape}</svg>`;
}

function sign(mood: Mood): Html {
  const paths = {
    good: html`<path d="M3.5 10.5l4.5 4.5 9-10" fill="none" stroke="currentColor" stroke-width="2.6" stroke-linecap="round" stroke-linejoin="round"/>`,
    warn: html`<path d="M10 3v8.5M10 16.5v.1" fill="none" stroke="currentColor" stroke-width="2.8" stroke-linecap="round"/>`,
    bad: html`<path d="M4 4l12 12M16 4L4 16" fill="none" stroke="currentColor" stroke-width="2.6" stroke-linecap="round"/>`,
  }[mood];
  return html`<svg viewBox="0 0 20 20" aria-hidden="true">${paths}</svg>`;
}

function icon(mood: Mood): string {
  const colour = { good: '2f8f62', warn: 'c98a1b', bad: 'c8443b' }[mood];
  return `data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 10 10'%3E%3Ccircle cx='5' cy='5' r='5' fill='%23${colour}'/%3E%3C/svg%3E`;
}
