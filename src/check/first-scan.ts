import type { Bitbucket } from '../bitbucket/bitbucket.ts';
import type { BitbucketRepository } from '../bitbucket/types.ts';
import type { IntegrationConfig } from '../config/config.ts';
import { repositoryLabel, repositoryPath } from '../crawl/repository-path.ts';
import { SatelliteError, toSatelliteError } from '../errors.ts';
import { checkBranches, namesBranches } from './branches.ts';
import type { Checkup, Leg } from './checkup.ts';
import { assumedOwnCommits, estimateFirstScan } from './estimate.ts';
import { count, counted, duration, some } from './format.ts';
import { expectedRate } from './rate.ts';
import { type RepositorySample, sampleCommits, samplePullRequests, spread, type Window } from './sample.ts';
import type { Tell } from './step.ts';

const dayMs = 24 * 60 * 60 * 1000;

/** Of one integration: so that a check is nothing that Bitbucket notices. */
const maxRequests = 30;
const maxSamples = 6;
const maxRequestsPerSample = 3;

/** With a low rate of our own the sample is smaller, so that nobody waits for long. */
const samplingSeconds = 10;

export interface FirstScan {
  readonly integration: IntegrationConfig;
  readonly bitbucket: Bitbucket;
  /** What the satellite is going to read; undefined: not known. */
  readonly selected: readonly BitbucketRepository[] | undefined;
  readonly visible: number;
  readonly grantedPerSecond: number | undefined;
}

/**
 * Whether commits and pull requests can be read, tried with the first repository as the vendor's own check does and with
 * some more, and from the same answers what a first scan will cost.
 */
export async function checkFirstScan(checkup: Checkup, leg: Leg, firstScan: FirstScan): Promise<void> {
  const { integration, bitbucket, visible, grantedPerSecond } = firstScan;
  const selected = firstScan.selected ?? [];
  const { metadata, rateLimit } = integration;
  const { clock } = checkup;
  const nowMs = clock.now();
  const window: Window = { fromMs: nowMs - metadata.backfillDays * dayMs, toMs: nowMs };
  const { counts } = bitbucket.client;
  const begin = { requests: counts.requests, ms: clock.elapsedMs() };
  // The other credentials have logged in with clients of their own.
  const soFar = counts.requests + integration.allCredentials.length - 1;
  const perSample = maxRequestsPerSample + (namesBranches(metadata) ? 1 : 0);
  const chosen = spread(selected, sampleSize(rateLimit.requestsPerSecond, soFar, perSample));
  const [first, ...others] = chosen;
  const nothing = first === undefined ? '“Selection” failed' : undefined;
  const span = metadata.backfillDays === 1 ? 'the last day' : `the last ${count(metadata.backfillDays)} days`;

  const commits = await leg.step(
    'get-commits',
    'Get commits',
    async (tell) => {
      const repository = first as BitbucketRepository;
      const sample = await sampleCommits(bitbucket, repositoryPath(repository), window);
      const what = sample.isEmpty ? 'is empty' : `${count(sample.inWindow)} in ${span}`;
      tell({ detail: `${repositoryLabel(repository)}: ${what}` });
      return sample;
    },
    { unless: nothing ?? (metadata.fetchCommits ? undefined : 'fetch_commits is off') },
  );
  const pullRequests = await leg.step(
    'get-pull-requests',
    'Get pull requests',
    async (tell) => {
      const repository = first as BitbucketRepository;
      const sample = await samplePullRequests(bitbucket, repositoryPath(repository), window);
      tell({
        detail: `${repositoryLabel(repository)}: ${count(sample.total)}, of them ${count(sample.wanted)} open or changed in ${span}`,
      });
      return sample;
    },
    { unless: nothing ?? (metadata.fetchPrs ? undefined : 'fetch_prs is off') },
  );
  const samples: RepositorySample[] = [];
  if ((commits ?? pullRequests) !== undefined) {
    samples.push({ ...(commits && { commits }), ...(pullRequests && { pullRequests }) });
  }
  if (others.length > 0) {
    await leg.step('more-repositories', 'More repositories', (tell) =>
      readMore(others, (repository) => sampleBoth(bitbucket, repository, window, metadata), samples, tell),
    );
  }
  if (namesBranches(metadata)) {
    await leg.step(
      'branches',
      'branches',
      (tell) => checkBranches(bitbucket, metadata.branches, { chosen, selected: selected.length }, tell),
      { unless: nothing },
    );
  }
  await leg.step(
    'first-scan',
    'First scan',
    (tell) => {
      const requests = Math.max(1, counts.requests - begin.requests);
      const rate = expectedRate(rateLimit, { grantedPerSecond, latencyMs: (clock.elapsedMs() - begin.ms) / requests });
      const estimate = estimateFirstScan(samples, { selected: selected.length, visible }, metadata);
      const about = `about ${counted(estimate.requests, 'request', 'requests')} in ${duration(estimate.requests / rate.perSecond)}`;
      tell({
        detail: [
          `${about}, at ${perSecond(rate.perSecond)} a second (${rate.because})`,
          `for ${counted(estimate.commits, 'commit', 'commits')} and ${counted(estimate.pullRequests, 'pull request', 'pull requests')} of ${span}, by what ${samples.length} of ${counted(selected.length, 'repository', 'repositories')} showed`,
          ...(metadata.fetchPrs &&
          metadata.fetchPrCommits &&
          metadata.fetchCommitFiles &&
          metadata.commitSource === 'rest'
            ? [`assumed: ${assumedOwnCommits} commits of its own in each pull request`]
            : []),
        ].join('\n'),
      });
    },
    { unless: nothing ?? (samples.length === 0 ? 'nothing could be measured' : undefined) },
  );
}

function perSecond(value: number): string {
  return value < 10 ? String(Number(value.toPrecision(2))) : count(value);
}

function sampleSize(requestsPerSecond: number | undefined, requestsSoFar: number, perSample: number): number {
  const inBudget = Math.floor((maxRequests - requestsSoFar) / perSample);
  const inTime = Math.floor(((requestsPerSecond ?? Number.POSITIVE_INFINITY) * samplingSeconds) / perSample);
  return Math.max(1, Math.min(maxSamples, inBudget, inTime));
}

async function sampleBoth(
  bitbucket: Bitbucket,
  repository: BitbucketRepository,
  window: Window,
  { fetchCommits, fetchPrs }: IntegrationConfig['metadata'],
): Promise<RepositorySample> {
  const path = repositoryPath(repository);
  return {
    ...(fetchCommits && { commits: await sampleCommits(bitbucket, path, window) }),
    ...(fetchPrs && { pullRequests: await samplePullRequests(bitbucket, path, window) }),
  };
}

/** All of them, also after one that cannot be read; refused credentials end it. */
async function readMore(
  repositories: readonly BitbucketRepository[],
  read: (repository: BitbucketRepository) => Promise<RepositorySample>,
  samples: RepositorySample[],
  tell: Tell,
): Promise<void> {
  const failed: { readonly label: string; readonly error: SatelliteError }[] = [];
  for (const repository of repositories) {
    try {
      samples.push(await read(repository));
    } catch (thrown) {
      const error = toSatelliteError(thrown);
      if (error.kind === 'auth') throw error;
      failed.push({ label: repositoryLabel(repository), error });
    }
  }
  const [worst] = failed;
  if (worst === undefined) {
    tell({ detail: `${repositories.length} read: ${some(repositories.map(repositoryLabel))}` });
    return;
  }
  const { message, code, kind, hint } = worst.error;
  const names = some(failed.map(({ label }) => label));
  throw new SatelliteError(`${failed.length} of ${repositories.length} cannot be read (${names}): ${message}`, {
    code,
    kind,
    ...(hint === undefined ? {} : { hint }),
    cause: worst.error,
  });
}
