import type { Account, Accounts } from '../bitbucket/accounts.ts';
import { obeyAllowedRates } from '../bitbucket/allowed-rate.ts';
import { Bitbucket } from '../bitbucket/bitbucket.ts';
import { BitbucketClient } from '../bitbucket/client.ts';
import type { BitbucketRepository } from '../bitbucket/types.ts';
import type { Clock } from '../clock.ts';
import type { IntegrationConfig, SatelliteConfig } from '../config/config.ts';
import { newBranchSelector } from '../crawl/branch-filter.ts';
import type { BranchesCursor } from '../crawl/branches.ts';
import { CommitFilesReader } from '../crawl/commit-files.ts';
import { crawlCommits } from '../crawl/commits.ts';
import { GitSource } from '../crawl/git-source.ts';
import { PullRequestRoom } from '../crawl/pull-request-room.ts';
import { crawlPullRequests } from '../crawl/pull-requests.ts';
import type { CommitsCursor } from '../crawl/range-commits.ts';
import { crawlRepository } from '../crawl/repository.ts';
import { repositoryLabel } from '../crawl/repository-path.ts';
import type { Scan, SliceCrawl } from '../crawl/scan.ts';
import { crawlTags } from '../crawl/tags.ts';
import { type DataType, dataTypes } from '../data-type.ts';
import { errorFields, type SatelliteError, toSatelliteError } from '../errors.ts';
import type { Clones } from '../git/clones.ts';
import { bitbucketProxy, type Env } from '../http/proxy-server.ts';
import { killPoint } from '../ops/kill-point.ts';
import type { Logger } from '../ops/logger.ts';
import type { Monitor } from '../ops/monitor.ts';
import type { PagePush } from '../sei/sei-client.ts';
import type { StorageResult } from '../sei/types.ts';
import type { Job } from '../store/jobs.ts';
import type { Slice } from '../store/slices.ts';
import type { Store } from '../store/store.ts';
import { dataTypesOf, discover } from './discovery.ts';
import { type DurablyOptions, durably } from './durably.ts';
import { JobProgress } from './job-progress.ts';
import { jobException, jobResult, nothingReadable } from './job-result.ts';
import { Pusher } from './pusher.ts';
import { Spool } from './spool.ts';
import { inTurns } from './turns.ts';

export interface JobSurroundings {
  readonly satellite: SatelliteConfig;
  /** For the proxy variables; undefined: none of them is set. */
  readonly env?: Env;
  readonly store: Store;
  readonly accounts: Accounts;
  readonly clones: Clones;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly push: (page: PagePush) => Promise<StorageResult>;
  readonly signal: AbortSignal;
  readonly monitor: Monitor;
}

/**
 * Runs a job from wherever the store says it stands to its end, which is stored too:
 *
 * accepted → `discover` → slices crawled, pages pushed beside → drained → done (result or exception). A part that cannot
 * be read is reported and the rest goes on; what ends the whole job is refused credentials, a wrong configuration and the
 * disk. When the signal is aborted, the job stays open where it is.
 *
 * @returns the error that ended the job, undefined when it succeeded
 */
export async function runJob(
  job: Job,
  integration: IntegrationConfig,
  surroundings: JobSurroundings,
  progress = new JobProgress(surroundings.clock.elapsedMs()),
): Promise<SatelliteError | undefined> {
  const { satellite, store, clock, logger, push, clones, monitor } = surroundings;
  const stop = new AbortController();
  const signal = AbortSignal.any([surroundings.signal, stop.signal]);
  const accounts = surroundings.accounts.of(integration);
  const proxy = bitbucketProxy(integration, satellite, surroundings.env ?? {});
  const connect = (as: readonly Account[]) =>
    new Bitbucket(
      new BitbucketClient(integration, {
        accounts: as,
        clock,
        signal,
        proxy,
        observer: monitor.ofBitbucket(integration.id),
        onRefused: (refusal) => noteRefusal(refusal, accounts.length),
        onPaused: (error, pauseMs, path) =>
          logger.warn('The crawl pauses', { ...errorFields(error), ...request(path), delayMs: Math.round(pauseMs) }),
        onRetry: (error, delayMs, path) =>
          logger.debug('A request is made again', {
            ...errorFields(error),
            ...request(path),
            delayMs: Math.round(delayMs),
          }),
      }),
    );
  const request = (path: string) => ({ integrationId: integration.id, path });
  const noteRefusal = (error: SatelliteError, of: number) => {
    if (of < 2) return;
    const { code, message } = error;
    logger.error('One of several credentials is refused; the others go on', errorFields(error));
    spool.addFailure({ message: `One of ${of} credentials is refused: ${code}: ${message}`, url: integration.url });
  };
  const bitbucket = connect(accounts);
  progress.requests = bitbucket.client.counts;
  const commitFiles = new CommitFilesReader(bitbucket, store, job.id);
  const git =
    integration.metadata.commitSource === 'git'
      ? new GitSource({ integration, client: bitbucket.client, clones, logger, signal })
      : undefined;
  if (git !== undefined) progress.git = git.counts;
  const scan: Scan = {
    job,
    integration,
    bitbucket,
    store,
    clock,
    commitFiles,
    pullRequestRoom: new PullRequestRoom(integration.rateLimit.maxInFlight),
    branchSelector: newBranchSelector(integration.metadata.branches),
    git,
    addFailure: (failure, code) => spool.addFailure(failure, { code }),
  };
  const pusher = new Pusher({
    store,
    push,
    job,
    clock,
    logger,
    signal,
    monitor,
    onTooLarge: (bytes) => spool.refused(bytes),
  });
  const spool = new Spool({
    store,
    job,
    clock,
    logger,
    signal,
    monitor,
    tenantId: satellite.tenant,
    maxPageBytes: satellite.push.maxPageBytes,
    maxStoreBytes: satellite.store.maxBytes,
    commitFiles,
    clones,
    onPage: () => {
      progress.pages++;
      pusher.wake();
    },
  });
  const types = dataTypesOf(scan);
  // Tags may have run where they were missing only.
  const ran = () => dataTypes.filter((type) => types.includes(type) || store.pages.nextNumber(job.id, type) > 0);
  const result = () => jobResult(store, job, satellite.tenant, new Set(ran()));

  const crawl = async () => {
    await obeyAllowedRates(accounts, (account) => connect([account]));
    await crawlSlices(scan, types, spool, progress, { clock, logger, signal, monitor });
    await spool.flush();
    killPoint('job:crawled');
    const { failed, done } = store.slices.counts(job.id);
    if (failed > 0 && done === 0) throw nothingReadable(failed);
    if (types.includes('repositories') && store.pages.nextNumber(job.id, 'repositories') === 0) {
      await spool.addEmptyPage('repositories');
    }
    pusher.finish();
  };
  const crawling = crawl();
  try {
    await Promise.all([crawling, pusher.run()]);
    killPoint('job:drained');
    const outcome = { result: result() };
    killPoint('job:before-done');
    await durably(() => store.jobs.setDone(job.id, clock.now(), outcome), { clock, logger, signal, monitor });
    killPoint('job:done');
    return undefined;
  } catch (thrown) {
    stop.abort();
    await Promise.allSettled([crawling]);
    if (surroundings.signal.aborted) {
      // What is in memory saves reading it again; where the disk does not take it now, the next start reads it again.
      await spool.flush().catch(() => undefined);
      throw surroundings.signal.reason;
    }
    const error = toSatelliteError(thrown);
    // Neither SEI nor Bitbucket is to blame, and both will be asked again: the job stays open.
    if (error.kind === 'storage') throw error;
    const outcome = { result: result(), exception: jobException(error) };
    killPoint('job:before-failed');
    const end = () => {
      spool.persistFailures();
      store.jobs.setDone(job.id, clock.now(), outcome);
    };
    await durably(() => store.transaction(end), { ...surroundings });
    killPoint('job:failed');
    return error;
  } finally {
    // Nobody asks any more: a server need not keep connections for whoever comes next.
    stop.abort();
    git?.close();
  }
}

async function crawlSlices(
  scan: Scan,
  types: readonly DataType[],
  spool: Spool,
  progress: JobProgress,
  options: DurablyOptions & { readonly monitor: Monitor },
): Promise<void> {
  const { job, store, integration } = scan;
  const { logger, signal, monitor } = options;
  // One that goes on has branches pinned, or read, that are not listed again.
  const showsAllBranches = job.discoveredAtMs === null;
  if (job.discoveredAtMs === null) await discover(scan, types, options);
  monitor.health.worked('bitbucket_credentials', integration.id);
  killPoint('scan:laid-out');
  const ids = store.slices.repositoryIds(job.id);
  const before = store.slices.counts(job.id);
  progress.repositories = ids.length;
  progress.slices = before.open + before.done + before.failed;
  progress.slicesDone = progress.slicesDoneBefore = before.done + before.failed;
  for (const { dataType, pages, items } of store.pages.totals(job.id)) {
    progress.pages += pages;
    progress.items[dataType] += items;
  }
  logger.info('Scan begins', {
    jobId: job.id,
    integrationId: job.integrationId,
    from: new Date(job.fromMs).toISOString(),
    to: new Date(job.toMs).toISOString(),
    full: job.isFull,
    repositories: ids.length,
    slicesOpen: before.open,
  });

  const runRepository = async (id: number, othersWait: () => boolean) => {
    const repository = store.slices.repository<BitbucketRepository>(job.id, id);
    for (const dataType of dataTypes) {
      const slice = store.slices.get({ jobId: job.id, repositoryId: id, dataType });
      if (slice?.state !== 'open') continue;
      const place = { ...slice, cursor: spool.cursorOf(slice) ?? slice.cursor };
      if (!(await runSlice(scan, repository, place, spool, progress, options, othersWait))) return false;
      progress.slicesDone++;
    }
    scan.git?.release(id);
    progress.repositoriesDone++;
    return true;
  };
  const concurrency = Math.max(minRepositoriesAtOnce, integration.rateLimit.maxInFlight);
  await inTurns(ids, runRepository, { concurrency, signal });
  if (showsAllBranches) warnOfBranches(scan, logger);
}

/** Commits that are not asked for would be missing in silence. It is no failure: the branch may not be there yet. */
function warnOfBranches({ job, branchSelector }: Scan, logger: Logger): void {
  const { unmatched, repositories } = branchSelector.seen();
  for (const entry of unmatched) {
    logger.warn('The selection of branches is not as it may be meant', {
      code: 'NAME_NOT_FOUND',
      warning: `metadata.branches: '${entry}' matches no branch in any repository that the scan has read`,
      repositories,
      jobId: job.id,
      integrationId: job.integrationId,
    });
  }
}

/**
 * More than there are requests at a time: the gate serves requests in the order in which they come, so a small repository
 * is done in between those of large ones. What each holds in memory is little (a page of a list, and what waits for its
 * turn in order), but not nothing.
 */
const minRepositoriesAtOnce = 16;

/** Even so many may all be large: then each lets others go first after so many commits. To come back costs a request. */
const commitsPerTurn = 500;

/** What several branches share is sent once only by a crawl that goes on; one of git's has read everything at once. */
function takesTurns({ git, integration }: Scan, { dataType }: Slice): boolean {
  return dataType === 'commits' && git === undefined && integration.metadata.branches.length === 0;
}

/** @returns false: it is to go on where the spool says, after others */
async function runSlice(
  scan: Scan,
  repository: BitbucketRepository,
  slice: Slice,
  spool: Spool,
  progress: JobProgress,
  { logger, monitor, signal }: DurablyOptions & { readonly monitor: Monitor },
  othersWait: () => boolean,
): Promise<boolean> {
  const flaws = new Flaws(scan, spool, `${repositoryLabel(repository)} ${slice.dataType}`);
  const crawl = crawlOf(flaws.scan, repository, slice);
  const turn = takesTurns(scan, slice) ? commitsPerTurn : Number.POSITIVE_INFINITY;
  let records = 0;
  try {
    for (;;) {
      if (records >= turn && othersWait()) return false;
      const step = await crawl.next();
      if (step.done) {
        killPoint('slice:before-finish');
        await spool.finish(slice, step.value);
        killPoint('slice:finished');
        return true;
      }
      killPoint('record:before-append');
      await spool.append(slice, repository, step.value);
      killPoint('record:appended');
      if (step.value.record === undefined) continue;
      records++;
      progress.items[slice.dataType]++;
      monitor.metrics.recordCrawled(slice.dataType);
    }
  } catch (thrown) {
    const error = toSatelliteError(thrown);
    // Whatever fails while all is being given up is not the fault of this part.
    if (endsJob(error) || isAbort(thrown) || signal.aborted) throw thrown;
    const label = repositoryLabel(repository);
    logger.warn('A part of a repository could not be read; the next scan tries it again', {
      ...errorFields(error),
      jobId: slice.jobId,
      repository: label,
      dataType: slice.dataType,
      ...(error.kind === 'bug' ? { stack: (error.cause as Error | undefined)?.stack ?? error.stack } : {}),
    });
    const { code, message: reason } = error;
    await spool.fail(
      slice,
      { message: `${label} ${slice.dataType}: ${code}: ${reason}`, url: error.url ?? scan.integration.url },
      { repository: label, code, reason, atMs: scan.clock.now() },
    );
    killPoint('slice:failed');
    return true;
  } finally {
    flaws.log(logger, repository, slice);
    // A crawl that is given up has a process of git to end.
    await crawl.return([]).catch(() => undefined);
  }
}

/** What of a slice could not be read in full, by code: a thousand commits without their diff are one line. */
class Flaws {
  /** The scan as the slice's crawl sees it. */
  readonly scan: Scan;
  readonly #byCode = new Map<string, { count: number; readonly first: string }>();

  constructor(scan: Scan, spool: Spool, part: string) {
    const addFailure: Scan['addFailure'] = (failure, code) => {
      const known = this.#byCode.get(code);
      if (known === undefined) this.#byCode.set(code, { count: 1, first: failure.message });
      else known.count++;
      spool.addFailure(failure, { code, part });
    };
    this.scan = { ...scan, addFailure };
  }

  log(logger: Logger, repository: BitbucketRepository, { jobId, dataType }: Slice): void {
    for (const [code, { count, first }] of this.#byCode) {
      const facts = { code, count, first, jobId, repository: repositoryLabel(repository), dataType };
      logger.warn('Some items could not be read in full; the failures of the job name them', facts);
    }
  }
}

function crawlOf(scan: Scan, repository: BitbucketRepository, { dataType, cursor }: Slice): SliceCrawl {
  switch (dataType) {
    case 'commits':
      return crawlCommits(scan, repository, cursor as CommitsCursor | BranchesCursor | undefined);
    case 'tags':
      return crawlTags(scan, repository);
    case 'pull_requests':
      return crawlPullRequests(scan, repository);
    case 'repositories':
      return crawlRepository(scan, repository);
  }
}

/** What the next repository would meet just the same. */
function endsJob({ kind }: SatelliteError): boolean {
  return kind === 'auth' || kind === 'config' || kind === 'storage';
}

function isAbort(thrown: unknown): boolean {
  return thrown instanceof Error && (thrown.name === 'AbortError' || thrown.name === 'TimeoutError');
}
