import { errorFields, SatelliteError } from '../errors.ts';
import { type RetryPolicy, withRetry } from '../http/retry.ts';
import { killPoint } from '../ops/kill-point.ts';
import { splitPage } from '../records/split-page.ts';
import type { PagePush } from '../sei/sei-client.ts';
import type { StorageResult } from '../sei/types.ts';
import type { Job } from '../store/jobs.ts';
import type { PageKey } from '../store/pages.ts';
import type { Store } from '../store/store.ts';
import { type DurablyOptions, durably } from './durably.ts';

/** An outage of SEI is waited out: the pages are on disk, and nothing else knows what is in them. */
const pushPolicy: RetryPolicy = {
  maxAttempts: Number.POSITIVE_INFINITY,
  baseDelayMs: 1_000,
  maxDelayMs: 60_000,
  retries500: true,
};

/** A refused key is the operator's to mend; the pages wait for it. */
const refusedKeyPauseMs = 60_000;

/**
 * No gateway in its senses refuses so little: one that does says 413 to everything, and what was left out in that time SEI
 * would never get.
 */
const leastRefusedBytes = 64 * 1024;

export interface PusherOptions extends DurablyOptions {
  readonly store: Store;
  /** Stores a page for good and names where: SEI, or a folder. */
  readonly push: (page: PagePush) => Promise<StorageResult>;
  readonly job: Job;
  /** SEI has refused a page of so many bytes. */
  readonly onTooLarge: (bytes: number) => void;
}

/**
 * Pushes the pages of one job, oldest first, while the crawl goes on.
 *
 * idle → `wake` (a page became durable) → pushing → idle … → `finish` (the crawl has ended) → drained. A pointer is
 * stored before the next page is taken; a crash before that pushes the same page again to the same path.
 */
export class Pusher {
  readonly #options: PusherOptions;
  #awake = Promise.withResolvers<void>();
  #isFinishing = false;

  constructor(options: PusherOptions) {
    this.#options = options;
  }

  wake(): void {
    this.#awake.resolve();
  }

  /** The crawl has ended: `run` returns once the last page is pushed. */
  finish(): void {
    this.#isFinishing = true;
    this.wake();
  }

  /** @throws SatelliteError for a page that SEI will never take, or the signal's reason */
  async run(): Promise<void> {
    const { store, job, signal } = this.#options;
    signal.addEventListener('abort', () => this.wake(), { once: true });
    for (;;) {
      signal.throwIfAborted();
      const [page] = store.pages.waiting(job.id, 1);
      if (page !== undefined) {
        await this.#push(page);
        continue;
      }
      if (this.#isFinishing) return;
      await this.#awake.promise;
      this.#awake = Promise.withResolvers();
    }
  }

  async #push(page: PageKey): Promise<void> {
    const { store, push, job, clock, logger, signal, monitor } = this.#options;
    const relativePath = relativePathOf(page);
    const content = store.pages.body(page);
    try {
      const stored = await withRetry(
        async () => {
          try {
            killPoint('push:before');
            const stored = await push({ integrationId: job.integrationId, jobId: job.id, relativePath, content });
            monitor?.health.worked('sei_push', job.integrationId);
            return stored;
          } catch (thrown) {
            if (!(thrown instanceof SatelliteError)) throw thrown;
            const error = isTooLarge(thrown) && content.length < leastRefusedBytes ? senseless(thrown) : thrown;
            if (!isTooLarge(error)) monitor?.health.failed('sei_push', error, job.integrationId);
            throw waitForOperator(error);
          }
        },
        {
          policy: pushPolicy,
          clock,
          signal,
          onRetry: (error, delayMs) => {
            const facts = { jobId: job.id, page: relativePath, delayMs: Math.round(delayMs) };
            logger.warn('A page could not be pushed; trying again', { ...errorFields(error), ...facts });
          },
        },
      );
      killPoint('push:answered');
      await durably(() => store.pages.setPushed(page, stored), this.#options);
      monitor?.pagePushed(page.dataType, store.pages.items(page));
      killPoint('push:pointer-stored');
    } catch (error) {
      if (!isTooLarge(error)) throw error;
      await this.#split(page, content);
    }
  }

  /** SEI, or a gateway before it, takes no page of this size: it goes in two halves, and the next are cut smaller. */
  async #split(page: PageKey, content: Uint8Array): Promise<void> {
    const { store, job, logger, onTooLarge } = this.#options;
    const facts = { code: 'SEI_PAGE_TOO_LARGE', ...page, bytes: content.length };
    if (splitPage(content, 0) === undefined) {
      logger.error('A single record is too large for SEI; it is left out', facts);
      await durably(
        () =>
          store.transaction(() => {
            store.pages.remove(page);
            store.jobs.addFailure(job.id, {
              message: `A single record of ${content.length} bytes is too large for SEI and was left out`,
              url: relativePathOf(page),
            });
          }),
        this.#options,
      );
      return;
    }
    logger.warn('SEI refuses a page for its size; it is cut smaller and sent again', facts);
    onTooLarge(content.length);
    const cut = () => {
      // Not before now: while the disk was waited for, the crawl may have taken the next number.
      const secondNumber = store.pages.nextNumber(job.id, page.dataType);
      const split = splitPage(content, secondNumber);
      if (split === undefined) return;
      store.pages.remove(page);
      store.pages.add(page, split.firstItems, split.first);
      if (split.second === undefined) {
        store.jobs.addFailure(job.id, {
          message: `A single record of ${content.length} bytes is too large for SEI: its list of files was left out`,
          url: relativePathOf(page),
        });
        return;
      }
      store.pages.add({ ...page, number: secondNumber }, split.secondItems ?? 0, split.second);
      killPoint('push:in-split');
    };
    await durably(() => store.transaction(cut), this.#options);
    killPoint('push:split');
  }
}

function isTooLarge(error: unknown): error is SatelliteError {
  return error instanceof SatelliteError && error.code === 'SEI_PAGE_TOO_LARGE' && error.kind === 'bug';
}

function senseless({ message, statusCode, url }: SatelliteError): SatelliteError {
  return new SatelliteError(`${message}, though it is small`, {
    code: 'SEI_PAGE_TOO_LARGE',
    kind: 'retryable',
    hint: 'Something before SEI answers 413 to everything: see which gateway or proxy that is. The page waits.',
    ...(statusCode === undefined ? {} : { statusCode }),
    ...(url === undefined ? {} : { url }),
  });
}

/** Where SEI stores it (sei-protocol §3.3). */
function relativePathOf({ dataType, number }: PageKey): string {
  return `${dataType}/${dataType}.${number}.json`;
}

/** Nothing is lost by waiting for a new key, a missing route or a certificate; failing the job would lose its pages. */
function waitForOperator(error: SatelliteError): SatelliteError {
  if (error.kind === 'bug' || error.kind === 'retryable' || error.kind === 'throttled') return error;
  // The disk of a folder that somebody waits for: SEI's answers are never of this kind.
  if (error.kind === 'storage') return error;
  return new SatelliteError(error.message, {
    code: error.code,
    kind: 'throttled',
    retryAfterMs: refusedKeyPauseMs,
    cause: error,
    ...(error.hint === undefined ? {} : { hint: error.hint }),
  });
}
