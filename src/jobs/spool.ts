import { setImmediate as nextTurn } from 'node:timers/promises';
import type { BitbucketRepository } from '../bitbucket/types.ts';
import type { CommitFilesReader } from '../crawl/commit-files.ts';
import type { Crawled } from '../crawl/scan.ts';
import type { DataType } from '../data-type.ts';
import type { Clones } from '../git/clones.ts';
import { killPoint } from '../ops/kill-point.ts';
import { PageBuilder, pageItem } from '../records/page-builder.ts';
import type { Failure, FailureKind, Job } from '../store/jobs.ts';
import type { KnownPullRequest } from '../store/pull-requests.ts';
import type { CoveredTip, SliceFailure, SliceKey } from '../store/slices.ts';
import type { Store } from '../store/store.ts';
import { type DurablyOptions, durably } from './durably.ts';

export interface SpoolOptions extends DurablyOptions {
  readonly store: Store;
  readonly job: Job;
  readonly tenantId: string;
  readonly maxPageBytes: number;
  /** Of the store; pages wait for room beyond it. */
  readonly maxStoreBytes: number;
  readonly commitFiles: CommitFilesReader;
  /** They share the disk with the store. */
  readonly clones?: Pick<Clones, 'usedBytes' | 'evict'>;
  /** A page has become durable. */
  readonly onPage: () => void;
}

interface SliceEnd {
  readonly state: 'done' | 'failed';
  readonly covered: readonly CoveredTip[];
  readonly failure?: SliceFailure;
}

/** What becomes durable together with the page that is filling. */
interface Pending {
  page: PageBuilder;
  /** By repository. */
  readonly cursors: Map<number, { readonly slice: SliceKey; readonly cursor: unknown }>;
  readonly ended: Map<SliceKey, SliceEnd>;
  readonly found: { readonly repositoryId: number; readonly pullRequest: KnownPullRequest }[];
}

const evictAtOnce = 1_000;
const maxFound = 1_000;
const roomPollMs = 500;
const waitsPerWarning = 60_000 / roomPollMs;

/** A crawl that is faster than SEI waits now and then; one for which SEI takes nothing at all stands still. */
const idleWaitsAtCap = 10_000 / roomPollMs;

/**
 * Cuts what the slices of a job yield into pages, one filling page per data type, shared by the repositories that are
 * crawled at the same time.
 *
 * filling → `#flush` (the page is full, or the slice that ends holds the last of it) → durable → `#room` (the store is
 * at its cap: wait for SEI to take pages) → filling. A page, the cursors of the slices that put something into it, the
 * slices that ended in it, the pull requests found, the commit files counted and the failures become durable in one
 * transaction. A crash while a page fills loses the page and every trace of what was in it: the slices go on from their
 * last durable cursors and read that part again. While the disk takes nothing, whoever brings more waits.
 */
export class Spool {
  readonly #options: SpoolOptions;
  readonly #pending = new Map<DataType, Pending>();
  readonly #failures: { readonly failure: Failure; readonly kind: FailureKind | undefined }[] = [];
  #maxPageBytes: number;
  /** The flush under way, if any: nothing may be added to what it writes. */
  #flushing: Promise<void> | undefined;

  constructor(options: SpoolOptions) {
    this.#options = options;
    this.#maxPageBytes = options.maxPageBytes;
  }

  async append(slice: SliceKey, repository: BitbucketRepository, { record, cursor, found }: Crawled): Promise<void> {
    const item = record === undefined ? undefined : pageItem(record);
    // From the last look at `#flushing` on nothing here may wait: what is added to a page while it is written is lost.
    for (;;) {
      while (this.#flushing !== undefined) await this.#flushing;
      if (item === undefined || this.#pendingOf(slice.dataType).page.fits(repository, item)) break;
      await this.#flush(slice.dataType);
    }
    const pending = this.#pendingOf(slice.dataType);
    if (item !== undefined) pending.page.add(repository, item);
    if (cursor !== undefined) pending.cursors.set(slice.repositoryId, { slice, cursor });
    if (found === undefined) return;
    pending.found.push({ repositoryId: slice.repositoryId, pullRequest: found });
    // Most of them may be remembered only, and fill no page.
    if (pending.found.length >= maxFound) await this.#flush(slice.dataType);
  }

  /** Where the slice goes on behind all that was appended, durable or not; undefined: where the store says. */
  cursorOf({ dataType, repositoryId }: SliceKey): unknown {
    return this.#pending.get(dataType)?.cursors.get(repositoryId)?.cursor;
  }

  /** The slice has yielded everything; it counts as done together with the last of its items. */
  async finish(slice: SliceKey, covered: readonly CoveredTip[]): Promise<void> {
    await this.#end(slice, { state: 'done', covered });
  }

  /** The slice could not be read to its end. What it has yielded is sent all the same. */
  async fail(slice: SliceKey, reported: Failure, failure: SliceFailure): Promise<void> {
    this.addFailure(reported, { code: failure.code });
    await this.#end(slice, { state: 'failed', covered: [], failure });
  }

  /** Becomes durable with the next page, at the latest with the end of the crawl. */
  addFailure(failure: Failure, kind?: FailureKind): void {
    this.#failures.push({ failure, kind });
  }

  /** To be called inside a transaction: what has been noted of a job that ends here, whatever else of it is given up. */
  persistFailures(): void {
    const { store, job } = this.#options;
    for (const { failure, kind } of this.#failures) store.jobs.addFailure(job.id, failure, kind);
  }

  /** Makes everything durable that is still in memory. */
  async flush(): Promise<void> {
    for (const dataType of this.#pending.keys()) {
      while (this.#flushing !== undefined) await this.#flushing;
      await this.#flush(dataType);
    }
  }

  /** SEI expects a file of repositories even when there is none (sei-protocol §3.3). */
  async addEmptyPage(dataType: DataType): Promise<void> {
    const { store, job } = this.#options;
    const body = this.#pendingOf(dataType).page.build(0);
    await durably(() => store.pages.add({ jobId: job.id, dataType, number: 0 }, 0, body), this.#options);
  }

  /** SEI refused a page of this size: the next ones are cut smaller. */
  refused(bytes: number): void {
    this.#maxPageBytes = Math.max(1, Math.min(this.#maxPageBytes, Math.floor(bytes / 2)));
  }

  async #end(slice: SliceKey, end: SliceEnd): Promise<void> {
    while (this.#flushing !== undefined) await this.#flushing;
    const pending = this.#pendingOf(slice.dataType);
    pending.ended.set(slice, end);
    if (pending.page.itemCount === 0) await this.#flush(slice.dataType);
  }

  /** To be called when none is under way; it takes effect before it first waits, unless the disk makes it wait. */
  async #flush(dataType: DataType): Promise<void> {
    const flushing = Promise.withResolvers<void>();
    this.#flushing = flushing.promise;
    try {
      await this.#write(this.#pendingOf(dataType), dataType);
    } finally {
      this.#flushing = undefined;
      flushing.resolve();
    }
  }

  async #write(pending: Pending, dataType: DataType): Promise<void> {
    const { store, job, commitFiles, onPage } = this.#options;
    const { page, cursors, ended, found } = pending;
    let failures = 0;
    killPoint('page:before-transaction');
    const write = () => {
      if (page.itemCount > 0) {
        // Not before now: SEI may have made the pusher cut a page in two, and number the second half.
        const number = store.pages.nextNumber(job.id, dataType);
        store.pages.add({ jobId: job.id, dataType, number }, page.itemCount, page.build(number));
      }
      for (const { slice, cursor } of cursors.values()) store.slices.setCursor(slice, cursor);
      for (const [slice, { state, covered, failure }] of ended) store.slices.finish(slice, state, covered, failure);
      for (const { repositoryId, pullRequest } of found) store.pullRequests.addFound(job.id, repositoryId, pullRequest);
      this.persistFailures();
      failures = this.#failures.length;
      commitFiles.persist();
      killPoint('page:in-transaction');
    };
    await durably(() => store.transaction(write), this.#options);
    killPoint('page:stored');
    commitFiles.persisted();
    // Those that were met while the page was written come after.
    this.#failures.splice(0, failures);
    cursors.clear();
    ended.clear();
    found.length = 0;
    if (page.itemCount === 0) return;
    pending.page = this.#newPage(dataType);
    this.#options.monitor?.metrics.pageSpooled();
    onPage();
    await this.#room();
  }

  /** Clones give way first, then commit files; then the crawl waits for SEI. Without waiting pages there is nothing to wait for. */
  async #room(): Promise<void> {
    const { store, clones, maxStoreBytes, clock, logger, signal, monitor } = this.#options;
    let fewest = Number.POSITIVE_INFINITY;
    let idleWaits = 0;
    let waits = 0;
    while (store.usedBytes() + (clones?.usedBytes() ?? 0) > maxStoreBytes) {
      if (clones?.evict()) continue;
      if (store.commitFiles.evict(evictAtOnce) > 0) {
        // After the cap was lowered there may be thousands of times as many: heartbeats go on meanwhile.
        await nextTurn();
        signal.throwIfAborted();
        continue;
      }
      const { pages, bytes } = store.pages.spoolSize();
      if (pages === 0) break;
      idleWaits = pages < fewest ? 0 : idleWaits + 1;
      fewest = Math.min(fewest, pages);
      if (idleWaits >= idleWaitsAtCap) monitor?.health.failed('store_cap', atCap(pages));
      if (waits % waitsPerWarning === 0) {
        logger.warn('The store is full; the crawl waits for SEI to take pages', { code: 'STORE_AT_CAP', pages, bytes });
      }
      waits++;
      await clock.sleep(roomPollMs, signal);
    }
    monitor?.health.worked('store_cap');
  }

  #pendingOf(dataType: DataType): Pending {
    let pending = this.#pending.get(dataType);
    if (pending === undefined) {
      pending = { page: this.#newPage(dataType), cursors: new Map(), ended: new Map(), found: [] };
      this.#pending.set(dataType, pending);
    }
    return pending;
  }

  #newPage(dataType: DataType): PageBuilder {
    const { store, job, tenantId } = this.#options;
    return new PageBuilder({
      tenantId,
      integrationId: job.integrationId,
      dataType,
      number: store.pages.nextNumber(job.id, dataType),
      maxBytes: this.#maxPageBytes,
    });
  }
}

function atCap(pages: number) {
  return {
    code: 'STORE_AT_CAP',
    message: `${pages} pages fill satellite.store.max_bytes, and SEI takes none; the crawl waits`,
    hint: 'See why SEI takes no pages, or raise satellite.store.max_bytes.',
  };
}
