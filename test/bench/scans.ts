import { join } from 'node:path';
import type { Latency } from './answer-memory.ts';
import { Bitbucket } from './bitbucket.ts';
import { runBareLoop, runVendorPlan } from './other-clients.ts';
import type { Report } from './report.ts';
import { median, shown } from './report.ts';
import { changeSize, pushChange, writeRepositories } from './repositories.ts';
import { backfillDays, type Satellites, type ScanFigures, type ScanOrder } from './satellite-scan.ts';
import type { Surroundings } from './surroundings.ts';

const latencyMs = 10;
/** Of one request in twenty, where a server has some commits that take long. */
const slowMs = 400;
/** `rate_limit.max_in_flight` where the file says nothing, and where a server may be asked more. */
const inFlight = 4;
const moreInFlight = 8;
const dayMs = 24 * 60 * 60 * 1000;
/** `application-properties` and the user's rate-limit settings: once for each process, however many scans it makes. */
const requestsPerProcess = 2;
const pullRequestsOnAPage = 100;

interface Kind {
  readonly name: string;
  readonly order: Omit<ScanOrder, 'latency' | 'maxInFlight'>;
  readonly inFlight: number;
  readonly latency: Latency;
  /** Of satellite and bare loop, one after the other. */
  readonly pairs: number;
  /** Measured already, as it asks for the same with the same latency; `none`: not of interest. */
  readonly baseline?: Baseline | 'none';
}

interface Baseline {
  readonly requests: number;
  readonly seconds: number;
  readonly cpuSeconds: number;
}

/** A first scan, a quiet one, and one after 1 % of the repositories have changed, beside the vendor's plan and a bare loop. */
export async function scans({ dir, isQuick, report, satellites }: Surroundings): Promise<void> {
  const repositories = await writeRepositories(join(dir, 'scans'), [
    { projectKey: 'SMALL', repositories: isQuick ? 48 : 196, commitsEach: 6, mergeEvery: 2 },
    { projectKey: 'LARGE', repositories: isQuick ? 2 : 4, commitsEach: isQuick ? 120 : 450, mergeEvery: 2 },
  ]);
  const sum = (of: 'commits' | 'pullRequests') => repositories.reduce((total, each) => total + each[of], 0);
  const changed = repositories.slice(0, Math.max(1, Math.round(repositories.length / 100)));
  await using bitbucket = await Bitbucket.start({ repositories, fromMemory: true });
  report.say(
    `Scans: ${repositories.length} repositories, ${sum('commits')} commits, ${sum('pullRequests')} pull requests; ` +
      `${latencyMs} ms latency, ${inFlight} requests at a time`,
  );

  const firstToMs = Date.now();
  const contest = new Contest(bitbucket, satellites, report);
  const usual = { inFlight, latency: { everyMs: latencyMs } };
  const ofFirst = { order: { bitbucket, toMs: firstToMs }, pairs: isQuick ? 1 : 3 };
  const first = await contest.hold({ ...usual, ...ofFirst, name: 'first' });
  const wider = await contest.hold({
    ...usual,
    ...ofFirst,
    name: `first, ${moreInFlight} at a time`,
    inFlight: moreInFlight,
    baseline: first.baseline ?? 'none',
  });
  const uneven = await contest.hold({
    ...ofFirst,
    pairs: 1,
    baseline: 'none',
    name: `first, 5 % take ${slowMs} ms`,
    inFlight,
    latency: { everyMs: latencyMs, slowMs },
  });
  assertEqual('commits', first.satellite.commits, sum('commits'));
  assertEqual('pull requests', first.satellite.pullRequests, sum('pullRequests'));

  const later = () => ({ bitbucket, after: first.folder, fromMs: firstToMs, toMs: Date.now() });
  const quiet = await contest.hold({ ...usual, name: 'quiet', order: later(), pairs: 5 });
  for (const repository of changed) await pushChange(repository);
  await bitbucket.forgetLists();
  const after = await contest.hold({ ...usual, name: '1 % changed', order: later(), pairs: 5 });
  assertEqual('commits', after.satellite.commits, changed.length * changeSize.commits);
  assertEqual('pull requests', after.satellite.pullRequests, changed.length * changeSize.pullRequests);

  report.table('Scans', contest.rows);
  const larger = repositories.filter(({ pullRequests }) => pullRequests > pullRequestsOnAPage).length;
  const budget = Math.ceil(repositories.length / 1000) + 2 * repositories.length + larger;
  report.say(
    `\nSeconds are from the first request's arrival to the last answer's end, medians; the server answers from memory and is\n` +
      `busy for ${shown(100 * first.satellite.serverLoad)} % of one core in the first scan. Requests include ${requestsPerProcess} for each process, which ask for\n` +
      `the user and the rate limit. Of ${repositories.length} repositories ${larger} have more than ${pullRequestsOnAPage} pull requests.`,
  );
  const quietRequests = quiet.satellite.requests.length - requestsPerProcess;
  report.atMost(`quiet scan's requests ⌈R/1000⌉ + 2R + ${larger} for larger ones`, quietRequests, budget, 'exact');
  const times = (inFlight: number) => `first scan, ${inFlight} requests at a time, times as fast as the baseline`;
  report.atLeast(times(inFlight), first.timesBaseline, 6, 'timed', 1);
  report.atLeast(times(moreInFlight), wider.timesBaseline, 6, 'timed', 1);
  report.atLeast("first scan, % of the bare loop's speed", 100 * first.shareOfBare, 85, 'timed');
  report.atLeast("first scan, 5 % slow, % of the bare loop's speed", 100 * uneven.shareOfBare, 85, 'timed');
  report.atMost('first scan, MiB of memory', first.satellite.peakRssMib, 256, 'exact');
}

interface Outcome {
  readonly satellite: ScanFigures;
  readonly folder: Awaited<ReturnType<Satellites['scan']>>['folder'];
  readonly shareOfBare: number;
  readonly baseline: Baseline | undefined;
  readonly timesBaseline: number;
}

class Contest {
  readonly rows: Record<string, string>[] = [];
  readonly #bitbucket: Bitbucket;
  readonly #satellites: Satellites;
  readonly #report: Report;

  constructor(bitbucket: Bitbucket, satellites: Satellites, report: Report) {
    this.#bitbucket = bitbucket;
    this.#satellites = satellites;
    this.#report = report;
  }

  /** Each client once without latency, so that the server knows every answer, then measured: in turns, medians. */
  async hold({ name, order, inFlight, latency, pairs, baseline: known }: Kind): Promise<Outcome> {
    const { folder, ...warm } = await this.#satellites.scan(order);
    this.#report.say(`  ${name} scan: ${warm.requests.length} requests; the server learns its answers`);

    const measured: { satellite: ScanFigures; bareSeconds: number }[] = [];
    for (let pair = 0; pair < pairs; pair++) {
      const satellite = await this.#satellites.scan({ ...order, latency, maxInFlight: inFlight });
      const bareSeconds = await this.#bare(warm, inFlight, latency);
      this.#report.say(`  ${name} scan: ${satellite.seconds.toFixed(2)} s, bare loop ${bareSeconds.toFixed(2)} s`);
      measured.push({ satellite, bareSeconds });
    }
    const baseline = known === 'none' ? undefined : (known ?? (await this.#baseline(name, order, latency, warm)));
    const seconds = median(measured.map((each) => each.satellite.seconds));
    const [satellite = warm] = measured.map((each) => each.satellite).filter((each) => each.seconds >= seconds);
    const shareOfBare = median(measured.map((each) => each.bareSeconds / each.satellite.seconds));
    const timesBaseline = (baseline?.seconds ?? Number.NaN) / seconds;
    this.#row(name, 'satellite', warm.requests.length, seconds, 1, satellite.cpuSeconds);
    if (baseline !== undefined) {
      this.#row(name, 'baseline', baseline.requests, baseline.seconds, 1 / timesBaseline, baseline.cpuSeconds);
    }
    this.#row(name, 'bare loop', warm.requests.length, seconds * shareOfBare, 1 / shareOfBare);
    return { satellite, folder, shareOfBare, baseline, timesBaseline };
  }

  #row(scan: string, client: string, requests: number, seconds: number, speed: number, cpuSeconds?: number): void {
    this.rows.push({
      scan,
      client,
      requests: shown(requests),
      seconds: shown(seconds, 2),
      'speed (satellite = 1)': shown(speed, 2),
      'CPU s': cpuSeconds === undefined ? '' : shown(cpuSeconds, 2),
    });
  }

  async #bare({ requests }: ScanFigures, inFlight: number, latency: Latency): Promise<number> {
    await this.#bitbucket.reset(latency);
    await runBareLoop({ url: this.#bitbucket.url, inFlight, requests });
    return (await this.#bitbucket.traffic()).seconds;
  }

  async #baseline(name: string, order: Kind['order'], latency: Latency, warm: ScanFigures): Promise<Baseline> {
    await this.#learnVendorDiffs(warm);
    await this.#vendor(order);
    const baseline = await this.#vendor(order, latency);
    assertEqual(`${name} scan: commits of the baseline`, baseline.commits, warm.commits);
    assertEqual(`${name} scan: pull requests of the baseline`, baseline.pullRequests, warm.pullRequests);
    return baseline;
  }

  async #vendor({ fromMs, toMs }: Kind['order'], latency?: Latency) {
    await this.#bitbucket.reset(latency);
    const result = await runVendorPlan({
      url: this.#bitbucket.url,
      fromMs: fromMs ?? toMs - backfillDays * dayMs,
      toMs,
      isFull: fromMs === undefined,
      fetchRepositories: fromMs === undefined,
    });
    const { requests, seconds } = await this.#bitbucket.traffic();
    return { ...result, requests: requests.length, seconds };
  }

  /** The diffs of the same commits in the form that the vendor asks for, several at a time. */
  async #learnVendorDiffs({ requests }: ScanFigures): Promise<void> {
    const ofVendor = requests.flatMap(({ path }) => {
      const [, repository, id] = /^\/rest\/api\/latest\/(.*)\/diff\?until=([0-9a-f]+)/.exec(path) ?? [];
      if (repository === undefined) return [];
      return [{ path: `/rest/api/1.0/${repository}/commits/${id}/diff`, accept: 'application/json' }];
    });
    await this.#bitbucket.reset();
    await runBareLoop({ url: this.#bitbucket.url, inFlight: 6, requests: ofVendor });
  }
}

/** A scan that is fast because it misses something is no scan. */
function assertEqual(what: string, value: number, expected: number): void {
  if (value !== expected) throw new Error(`${what}: ${value} instead of ${expected}`);
}
