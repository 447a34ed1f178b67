import type { Clock } from '../clock.ts';
import { errorFields, toSatelliteError } from '../errors.ts';
import type { Logger } from '../ops/logger.ts';
import type { Monitor } from '../ops/monitor.ts';

/** Short enough that work goes on soon after there is room again. */
const retryMs = 1_000;

export interface DurablyOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly signal: AbortSignal;
  readonly monitor?: Monitor | undefined;
}

/**
 * Does a write to the store and, where the disk does not take it, waits until it does: the work that led to it would be
 * lost otherwise. A damaged store is not waited for.
 */
export async function durably<T>(write: () => T, { clock, logger, signal, monitor }: DurablyOptions): Promise<T> {
  for (let waits = 0; ; waits++) {
    try {
      const value = write();
      monitor?.health.worked('disk');
      if (waits > 0) logger.info('The disk takes it again; work goes on');
      return value;
    } catch (thrown) {
      const error = toSatelliteError(thrown);
      const { kind, code } = error;
      if (kind === 'storage') monitor?.health.failed('disk', error);
      if (kind !== 'storage' || code === 'STORE_DAMAGED') throw thrown;
      if (waits === 0) logger.error('The disk does not take what is to be stored; work waits', errorFields(error));
      await clock.sleep(retryMs, signal);
    }
  }
}
