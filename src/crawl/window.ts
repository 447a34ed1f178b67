import type { BitbucketRepository } from '../bitbucket/types.ts';
import type { DataType } from '../data-type.ts';
import type { Scan } from './scan.ts';

const dayMs = 24 * 60 * 60 * 1000;

/** Where a full scan that ends at `toMs` begins. */
export function fullScanFromMs(toMs: number, backfillDays: number): number {
  return Math.max(0, toMs - backfillDays * dayMs);
}

/**
 * Where the window of a slice begins: with the job's, or earlier where something before it is missing at SEI, or where
 * the repository is met for the first time, because it was closed to us or did not exist. Then it gets what a full scan
 * would give it now, and what the scans before would have given it.
 */
export function windowFromMs(
  { job, store, integration }: Scan,
  { id }: BitbucketRepository,
  dataType: DataType,
): number {
  const firstFromMs = fullScanFromMs(job.toMs, integration.metadata.backfillDays);
  return store.coverage.windowFromMs(job, id, dataType, firstFromMs);
}
