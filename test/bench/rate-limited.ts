import { join } from 'node:path';
import type { RateLimit } from '../simulators/bitbucket/options.ts';
import { Bitbucket } from './bitbucket.ts';
import { whyNoGitSource } from './git-availability.ts';
import { type Row, shown } from './report.ts';
import { type BenchRepository, writeRepositories } from './repositories.ts';
import type { Surroundings } from './surroundings.ts';

/** Bitbucket's own defaults, and a faster one: at five a second, ten thousand requests would take half an hour. */
const usual = { capacity: 60, refillPerSecond: 5 };
const faster = { capacity: 60, refillPerSecond: 50 };
const commitsOnly = { fetch_prs: false, fetch_tags: false };
const longHistory = 10_000;
const commitsOnAPage = 100;

/** First scans under rate limits, told and untold, by REST and by git. */
export async function rateLimited(surroundings: Surroundings): Promise<void> {
  const { dir, isQuick, report } = surroundings;
  const repositories = await writeRepositories(join(dir, 'limited'), [
    { projectKey: 'LIMITED', repositories: 1, commitsEach: isQuick ? 120 : 300, mergeEvery: 6 },
    { projectKey: 'MANY', repositories: 1, commitsEach: isQuick ? 1_000 : 4_000, mergeEvery: 6 },
  ]);
  const [short, long] = repositories;
  if (short === undefined || long === undefined) throw new Error('there is no repository');
  report.say(
    `\nRate limits: ${usual.capacity} requests at once, then ${usual.refillPerSecond} a second, and one repository of ${short.commits} commits; then ` +
      `${faster.refillPerSecond} a second, and one of ${long.commits}`,
  );
  const rows: Row[] = [
    await measured(surroundings, short, usual, 'rest'),
    extrapolated(),
    await measured(surroundings, short, usual, 'git'),
    await measured(surroundings, long, faster, 'rest'),
    await measured(surroundings, long, { ...faster, isUntold: true }, 'rest'),
  ];
  report.table('Under a rate limit', rows);
  report.say(
    `\nExtrapolated: a diff for each commit and two listings of them, at ${usual.refillPerSecond} requests a second. Attainable is what the bucket\n` +
      'holds at the beginning and what it is filled with meanwhile.',
  );
}

async function measured(
  { report, satellites }: Surroundings,
  repository: BenchRepository,
  rateLimit: RateLimit,
  source: 'rest' | 'git',
): Promise<Row> {
  await using bitbucket = await Bitbucket.start({ repositories: [repository], fromMemory: false, rateLimit });
  const { commits, projectKey, slug } = repository;
  const name = `${source}, ${rateLimit.refillPerSecond}/s${rateLimit.isUntold ? ' untold' : ''}, ${shown(commits)} commits`;
  const reason = source === 'git' ? await whyNoGitSource(bitbucket, projectKey, slug) : undefined;
  if (reason !== undefined) return row(name, { requests: reason });
  const metadata = source === 'git' ? { ...commitsOnly, commit_source: 'git' } : commitsOnly;
  const scan = await satellites.scan({ bitbucket, toMs: Date.now(), metadata });
  if (scan.commits !== commits) throw new Error(`${source}: ${scan.commits} commits instead of ${commits}`);
  const { requests, seconds, throttled } = scan;
  const share = (100 * (requests.length - throttled)) / (rateLimit.capacity + rateLimit.refillPerSecond * seconds);
  if (!rateLimit.isUntold) report.atMost(`${name}: answers 429`, throttled, 0, 'exact');
  if (rateLimit === usual) return row(name, { requests: shown(requests.length), seconds, throttled });
  report.atLeast(`${name}: % of the attainable requests`, share, 95, 'timed');
  return row(name, { requests: shown(requests.length), seconds, throttled, share });
}

function extrapolated(): Row {
  // A diff for each commit, and two listings: one finds where the window begins, one is the window.
  const requests = longHistory + 2 * (longHistory / commitsOnAPage);
  const seconds = requests / usual.refillPerSecond;
  return row(`rest, ${usual.refillPerSecond}/s, ${shown(longHistory)} commits, extrapolated`, {
    requests: shown(requests),
    seconds,
  });
}

function row(name: string, figures: { requests: string; seconds?: number; throttled?: number; share?: number }): Row {
  const { requests, seconds, throttled, share } = figures;
  return {
    'under a rate limit': name,
    requests,
    seconds: seconds === undefined ? '' : shown(seconds, 1),
    'answers 429': throttled ?? '',
    '% of attainable': share === undefined ? '' : shown(share),
  };
}
