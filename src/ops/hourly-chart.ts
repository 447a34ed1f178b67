import { type Html, html } from './html.ts';
import { humanCount, humanTime } from './human.ts';
import type { StatusReport } from './status-report.ts';

type Hours = StatusReport['deliveredPerHour'];

const slotWidth = 10;
const barWidth = 8;
const height = 60;

/** Bars for each of the last hours. Its text stands beside it in HTML, so that it keeps its size on a phone. */
export function hourlyChart(hours: Hours): Html {
  return html`
${bars(hours, 'commits', 'Commits', 'commits')}
${bars(hours, 'pullRequests', 'Pull requests', 'pulls')}
<p class="axis"><span>${hours.length} hours ago</span><span>now</span></p>`;
}

function bars(hours: Hours, of: 'commits' | 'pullRequests', title: string, ink: string): Html {
  const counts = hours.map((hour) => hour[of]);
  const total = counts.reduce((sum, count) => sum + count, 0);
  const most = Math.max(...counts);
  const at = hours[counts.indexOf(most)]?.hour ?? '';
  const summary =
    total === 0 ? 'none yet' : `${humanCount(total)}, at most ${humanCount(most)} in an hour (${humanTime(at)})`;
  const label = `${title} per hour in the last ${hours.length} hours: ${summary}`;
  return html`<div class="chart ${ink}">
<p class="head"><strong>${title}</strong><span class="small">${summary}</span></p>
<svg viewBox="0 0 ${hours.length * slotWidth} ${height}" preserveAspectRatio="none" role="img" aria-label="${label}">${hours.map(
    (hour, index) => {
      if (hour[of] === 0) return html``;
      // The smallest hour that had any is still to be seen.
      const barHeight = Math.max(2, Math.round((hour[of] / most) * (height - 2)));
      return html`<rect x="${index * slotWidth + 1}" y="${height - barHeight}" width="${barWidth}" height="${barHeight}" fill="currentColor"><title>${humanTime(hour.hour)}: ${humanCount(hour[of])}</title></rect>`;
    },
  )}</svg>
</div>`;
}
