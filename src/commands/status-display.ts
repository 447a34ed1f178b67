import { humanBetween, humanBytes, humanCount, humanSeconds, humanTime, plural } from '../ops/human.ts';
import { withoutControls } from '../ops/plain-text.ts';
import type { ReportedIntegration, ReportedPart, StatusReport } from '../ops/status-report.ts';
import type { DisplayStyle } from './check-display.ts';

const maxRepositories = 20;
const nameWidth = 14;

/** For a terminal or a pipe; the page says the same. */
export function formatStatus(untrusted: StatusReport, style: DisplayStyle): string {
  const report = withoutControlsIn(untrusted);
  const { parts, integrations, version, startedAt, at } = report;
  const failing = parts.filter(({ state }) => state === 'failing');
  const lines = [
    `satellite ${version}, up ${humanBetween(startedAt, at)}: ${verdict(report, style)}`,
    ...failing.flatMap((part) => problemLines(part, at, style)),
    ...integrations.flatMap((integration) => ['', ...integrationLines(integration, at, style)]),
    '',
    row('repositories', repositoriesText(report)),
    ...repositoryLines(report, style),
    row('spool', spoolText(report)),
    row('delivered', deliveredText(report)),
  ];
  return `${lines.join('\n')}\n`;
}

function verdict({ live, ready, parts }: StatusReport, style: DisplayStyle): string {
  if (!live) return paint('not live, the loop stands still', 31, style);
  if (ready) return paint('ready', 32, style);
  const isFailing = parts.some(({ state }) => state === 'failing');
  return isFailing ? paint('not ready', 31, style) : paint('starting, SEI has not answered yet', 33, style);
}

function problemLines(
  { title, integration, since, code, reason, hint }: ReportedPart,
  at: string,
  style: DisplayStyle,
) {
  const of = integration === undefined ? '' : `, integration ${integration}`;
  const mark = style.unicode ? '✗' : 'FAIL';
  const indent = ' '.repeat(2 + mark.length + 1);
  return [
    `  ${paint(mark, 31, style)} ${title}${of}, for ${humanBetween(since, at)} (since ${humanTime(since)})`,
    `${indent}${reason} [${code}]`,
    ...(hint === undefined ? [] : [`${indent}${style.unicode ? '→' : '->'} ${hint}`]),
  ];
}

function integrationLines(integration: ReportedIntegration, at: string, style: DisplayStyle): string[] {
  const { id, url, running, requests, waitingJobs, unacknowledgedJobs } = integration;
  const { perSecond, limitPerSecond, inFlight, maxInFlight, waiting, paused } = requests;
  const limit = limitPerSecond === undefined ? '' : `, at most ${limitPerSecond}`;
  const pause = paused ? ', paused: Bitbucket asked for patience' : '';
  const waitingText = waiting === 0 ? '' : `, ${waiting} waiting`;
  const acknowledged = unacknowledgedJobs === 0 ? '' : `, ${unacknowledgedJobs} done that SEI has not taken note of`;
  return [
    paint(`Integration ${id}  ${url}`, 1, style),
    row('scan', running === undefined ? 'none under way' : runningText(running)),
    row('last scan', lastScanText(integration, at)),
    row('requests', `${perSecond} a second${limit}; ${inFlight} of ${maxInFlight} at a time${waitingText}${pause}`),
    ...(waitingJobs + unacknowledgedJobs === 0 ? [] : [row('jobs', `${waitingJobs} waiting${acknowledged}`)]),
  ];
}

function runningText(running: NonNullable<ReportedIntegration['running']>): string {
  const { full, repositoriesDone, repositories, commits, pullRequests, pages, throttled, secondsLeft } = running;
  const kind = full ? 'full, ' : '';
  if (running.parts === 0) return `${kind}the repositories are being listed`;
  const known = secondsLeft === undefined ? '' : `, about ${humanSeconds(secondsLeft)} left`;
  const left = running.partsDone === running.parts ? ', all is read; SEI has yet to take pages' : known;
  const times = throttled === 0 ? '' : `, throttled ${plural(throttled, 'time')}`;
  const counts = [plural(commits, 'commit'), plural(pullRequests, 'pull request'), plural(pages, 'page')].join(', ');
  return `${kind}${humanCount(repositoriesDone)} of ${plural(repositories, 'repository', 'repositories')}, ${counts}${times}${left}`;
}

function lastScanText({ lastScanTo, lastJob }: ReportedIntegration, at: string): string {
  const covered =
    lastScanTo === undefined
      ? 'none that SEI has acknowledged'
      : `${humanBetween(lastScanTo, at)} ago (${humanTime(lastScanTo)})`;
  if (lastJob === undefined) return covered;
  const { outcome, seconds, failures, code, reason } = lastJob;
  if (outcome === 'failure') return `${covered}; the last one failed: ${reason ?? ''} [${code ?? ''}]`;
  const left = outcome === 'partial' ? `, ${plural(failures, 'part')} left out` : '';
  return `${covered}, took ${humanSeconds(seconds)}${left}`;
}

function repositoriesText({ coverage, failing }: StatusReport): string {
  const fail = failing.repositories === 0 ? 'none fails' : `${humanCount(failing.repositories)} not read in full`;
  return `${humanCount(coverage.repositories)} with SEI, ${fail}`;
}

function repositoryLines({ failing: { repositories, listed } }: StatusReport, style: DisplayStyle): string[] {
  const shown = listed.slice(0, maxRepositories);
  const more = repositories - new Set(shown.map(({ integration, repository }) => `${integration} ${repository}`)).size;
  return [
    ...shown.map(
      ({ repository, type, code, reason }) =>
        `  ${paint(style.unicode ? '!' : 'WARN', 33, style)} ${repository} ${type.replace('_', ' ')}: ${reason} [${code}]`,
    ),
    ...(more > 0 ? [`    and ${humanCount(more)} more`] : []),
  ];
}

function spoolText({ spool: { pages, bytes, bytesMax, oldestPageAgeSeconds } }: StatusReport): string {
  if (pages === 0) return `empty, of ${humanBytes(bytesMax)}`;
  return `${plural(pages, 'page')}, ${humanBytes(bytes)} of ${humanBytes(bytesMax)}, the oldest for ${humanSeconds(oldestPageAgeSeconds)}`;
}

/** Counted in memory: after a start there is less to be told than of two days. */
function deliveredText({ deliveredPerHour, startedAt }: StatusReport): string {
  const sum = (of: 'commits' | 'pullRequests') => deliveredPerHour.reduce((total, hour) => total + hour[of], 0);
  const counts = `${plural(sum('commits'), 'commit')} and ${plural(sum('pullRequests'), 'pull request')}`;
  const isSinceStart = startedAt > (deliveredPerHour[0]?.hour ?? '');
  return `${counts} ${isSinceStart ? 'since the start' : `in the last ${deliveredPerHour.length} hours`}`;
}

function row(name: string, text: string): string {
  return `  ${name.padEnd(nameWidth)}${text}`;
}

function paint(text: string, colour: number, style: DisplayStyle): string {
  return style.colour ? `\u001b[${colour}m${text}\u001b[0m` : text;
}

/** Each value on one line. */
function withoutControlsIn<T>(value: T): T {
  const clean = (_key: string, each: unknown) =>
    typeof each === 'string' ? withoutControls(each).replace(/\s+/g, ' ') : each;
  return JSON.parse(JSON.stringify(value), clean) as T;
}
