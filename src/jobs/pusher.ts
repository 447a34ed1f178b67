import type { Clock } from '../clock.ts';
import { SatelliteError } from '../errors.ts';
import { type RetryPolicy, withRetry } from '../http/retry.ts';
import { killPoint } from '../ops/kill-point.ts';
import type { Logger } from '../ops/logger.ts';
import type { PagePush } from '../sei/sei-client.ts';
import type { StorageResult } from '../sei/types.ts';
import type { Job } from '../store/jobs.ts';
import type { PageKey } from '../store/pages.ts';
import type { Store } from '../store/store.ts';

/** An outage of SEI is waited out: the pages are on disk, and nothing else knows what is in them. */
const pushPolicy: RetryPolicy = {
  maxAttempts: Number.POSITIVE_INFINITY,
  baseDelayMs: 1_000,
  maxDelayMs: 60_000,
  retries500: false,
};

/** A refused key is the operator's to mend; the pages wait for it. */
const refusedKeyPauseMs = 60_000;

export interface PusherOptions {
  readonly store: Store;
  /** Stores a page for good and names where: SEI, or a folder. */
  readonly push: (page: PagePush) => Promise<StorageResult>;
  readonly job: Job;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly signal: AbortSignal;
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
    const { store, push, job, clock, logger, signal } = this.#options;
    const relativePath = `${page.dataType}/${page.dataType}.${page.number}.json`;
    const stored = await withRetry(
      async () => {
        try {
          const content = store.pages.body(page);
          killPoint('push:before');
          return await push({ integrationId: job.integrationId, jobId: job.id, relativePath, content });
        } catch (error) {
          throw error instanceof SatelliteError ? waitForOperator(error) : error;
        }
      },
      {
        policy: pushPolicy,
        clock,
        signal,
        onRetry: (error, delayMs) => {
          logger.warn('A page could not be pushed; trying again', {
            code: error.code,
            jobId: job.id,
            page: relativePath,
            delayMs: Math.round(delayMs),
            error: error.message,
            hint: error.hint,
          });
        },
      },
    );
    killPoint('push:answered');
    store.pages.setPushed(page, stored);
    killPoint('push:pointer-stored');
  }
}

/** Nothing is lost by waiting for a new key, a missing route or a certificate; failing the job would lose its pages. */
function waitForOperator(error: SatelliteError): SatelliteError {
  if (error.kind === 'bug' || error.kind === 'retryable' || error.kind === 'throttled') return error;
  return new SatelliteError(error.message, {
    code: error.code,
    kind: 'throttled',
    retryAfterMs: refusedKeyPauseMs,
    cause: error,
    ...(error.hint === undefined ? {} : { hint: error.hint }),
  });
}
