import { join } from 'node:path';
import { Bitbucket } from './bitbucket.ts';
import { whyNoGitSource } from './git-availability.ts';
import { type Row, shown } from './report.ts';
import { writeRepositories } from './repositories.ts';
import type { Surroundings } from './surroundings.ts';

/** Bitbucket's own defaults. */
const rateLimit = { capacity: 60, refillPerSecond: 5 };
const commitsOnly = { fetch_prs: false, fetch_tags: false };
const longHistory = 10_000;
const commitsOnAPage = 100;

/** A first scan under a rate limit that the satellite can read, by REST and by git. */
export async function rateLimited({ dir, isQuick, report, satellites }: Surroundings): Promise<void> {
  const repositories = await writeRepositories(join(dir, 'limited'), [
    { projectKey: 'LIMITED', repositories: 1, commitsEach: isQuick ? 120 : 300, mergeEvery: 6 },
  ]);
  const [repository] = repositories;
  if (repository === undefined) throw new Error('there is no repository');
  const { commits, projectKey, slug } = repository;
  report.say(
    `\nRate limit: ${rateLimit.capacity} requests at once, then ${rateLimit.refillPerSecond} a second; one repository of ${commits} commits`,
  );
  const rows: Row[] = [];
  for (const source of ['rest', 'git'] as const) {
    await using bitbucket = await Bitbucket.start({ repositories, fromMemory: false, rateLimit });
    const reason = source === 'git' ? await whyNoGitSource(bitbucket, projectKey, slug) : undefined;
    if (reason !== undefined) {
      rows.push({ 'under a rate limit': 'git', requests: reason, seconds: '', 'answers 429': '' });
      continue;
    }
    const metadata = source === 'git' ? { ...commitsOnly, commit_source: 'git' } : commitsOnly;
    const scan = await satellites.scan({ bitbucket, toMs: Date.now(), metadata });
    if (scan.commits !== commits) throw new Error(`${source}: ${scan.commits} commits instead of ${commits}`);
    rows.push({
      'under a rate limit': `${source}, ${shown(commits)} commits, measured`,
      requests: shown(scan.requests.length),
      seconds: shown(scan.processSeconds, 1),
      'answers 429': scan.throttled,
    });
    report.atMost(`${source} under a known rate limit, answers 429`, scan.throttled, 0, 'exact');
    if (source === 'git') continue;
    const share = (scan.requests.length - 1) / scan.seconds / rateLimit.refillPerSecond;
    report.atLeast('REST under a rate limit, % of what the bucket is filled with', 100 * share, 95, 'timed');
    // A diff for each commit, and two listings: one finds where the window begins, one is the window.
    const requests = longHistory + 2 * (longHistory / commitsOnAPage);
    rows.push({
      'under a rate limit': `rest, ${shown(longHistory)} commits, extrapolated`,
      requests: shown(requests),
      seconds: shown(requests / rateLimit.refillPerSecond),
      'answers 429': '',
    });
  }
  report.table('Under a rate limit', rows);
  report.say(
    `\nExtrapolated: a diff for each commit and two listings of them, at ${rateLimit.refillPerSecond} requests a second.`,
  );
}
