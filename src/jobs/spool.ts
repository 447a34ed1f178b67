import type { BitbucketRepository } from '../bitbucket/types.ts';
import type { CommitFilesReader } from '../crawl/commit-files.ts';
import type { Crawled } from '../crawl/scan.ts';
import type { DataType } from '../data-type.ts';
import { killPoint } from '../ops/kill-point.ts';
import { PageBuilder } from '../records/page-builder.ts';
import type { Job } from '../store/jobs.ts';
import type { KnownPullRequest } from '../store/pull-requests.ts';
import type { CoveredTip, SliceKey } from '../store/slices.ts';
import type { Store } from '../store/store.ts';

export interface SpoolOptions {
  readonly store: Store;
  readonly job: Job;
  readonly tenantId: string;
  readonly maxPageBytes: number;
  readonly commitFiles: CommitFilesReader;
  /** A page has become durable. */
  readonly onPage: () => void;
}

/** What becomes durable together with the page that is filling. */
interface Pending {
  page: PageBuilder;
  readonly cursors: Map<SliceKey, unknown>;
  readonly finished: Map<SliceKey, CoveredTip | undefined>;
  readonly found: { readonly repositoryId: number; readonly pullRequest: KnownPullRequest }[];
}

/**
 * Cuts what the slices of a job yield into pages, one filling page per data type, shared by the repositories that are
 * crawled at the same time.
 *
 * filling → `#flush` (the page is full, or the slice that ends holds the last of it) → durable. A page, the cursors of
 * the slices that put something into it, the slices that ended in it, the pull requests found and the commit files
 * counted become durable in one transaction. A crash while a page fills loses the page and every trace of what was
 * in it: the slices go on from their last durable cursors and read that part again.
 */
export class Spool {
  readonly #options: SpoolOptions;
  readonly #pending = new Map<DataType, Pending>();

  constructor(options: SpoolOptions) {
    this.#options = options;
  }

  append(slice: SliceKey, repository: BitbucketRepository, { record, cursor, found }: Crawled): void {
    const pending = this.#pendingOf(slice.dataType);
    if (record !== undefined) {
      const item = Buffer.from(JSON.stringify(record));
      if (!pending.page.fits(repository, item)) this.#flush(slice.dataType);
      pending.page.add(repository, item);
    }
    if (cursor !== undefined) pending.cursors.set(slice, cursor);
    if (found !== undefined) pending.found.push({ repositoryId: slice.repositoryId, pullRequest: found });
  }

  /** The slice has yielded everything; it counts as done together with the last of its items. */
  finish(slice: SliceKey, covered: CoveredTip | undefined): void {
    const pending = this.#pendingOf(slice.dataType);
    pending.finished.set(slice, covered);
    if (pending.page.itemCount === 0) this.#flush(slice.dataType);
  }

  /** Makes everything durable that is still in memory. */
  flush(): void {
    for (const dataType of this.#pending.keys()) this.#flush(dataType);
  }

  /** SEI expects a file of repositories even when there is none (sei-protocol §3.3). */
  addEmptyPage(dataType: DataType): void {
    const { store, job } = this.#options;
    const { page } = this.#pendingOf(dataType);
    store.pages.add({ jobId: job.id, dataType, number: 0 }, 0, page.build());
  }

  #flush(dataType: DataType): void {
    const { store, job, commitFiles, onPage } = this.#options;
    killPoint('page:before-transaction');
    const pending = this.#pendingOf(dataType);
    const { page, cursors, finished, found } = pending;
    store.transaction(() => {
      if (page.itemCount > 0) {
        store.pages.add({ jobId: job.id, dataType, number: page.number }, page.itemCount, page.build());
      }
      for (const [slice, cursor] of cursors) store.slices.setCursor(slice, cursor);
      for (const [slice, covered] of finished) store.slices.finish(slice, 'done', covered);
      for (const { repositoryId, pullRequest } of found) store.pullRequests.addFound(job.id, repositoryId, pullRequest);
      commitFiles.persist();
      killPoint('page:in-transaction');
    });
    killPoint('page:stored');
    cursors.clear();
    finished.clear();
    found.length = 0;
    if (page.itemCount > 0) {
      pending.page = this.#newPage(dataType);
      onPage();
    }
  }

  #pendingOf(dataType: DataType): Pending {
    let pending = this.#pending.get(dataType);
    if (pending === undefined) {
      pending = { page: this.#newPage(dataType), cursors: new Map(), finished: new Map(), found: [] };
      this.#pending.set(dataType, pending);
    }
    return pending;
  }

  #newPage(dataType: DataType): PageBuilder {
    const { store, job, tenantId, maxPageBytes } = this.#options;
    return new PageBuilder({
      tenantId,
      integrationId: job.integrationId,
      dataType,
      number: store.pages.nextNumber(job.id, dataType),
      maxBytes: maxPageBytes,
    });
  }
}
