import { setTimeout as delay } from 'node:timers/promises';
import { systemClock } from '../clock.ts';
import { storePath } from '../daemon.ts';
import { errorFields, fileError, isPassing, type SatelliteError, toSatelliteError } from '../errors.ts';
import type { Health } from '../ops/health.ts';
import type { Logger } from '../ops/logger.ts';
import { setAside } from '../store/set-aside.ts';

const retryMs = 1_000;

export interface PatientStart {
  readonly dataDir: string;
  readonly logger: Logger;
  readonly health: Health;
  /** Resolves when the process is to end. */
  readonly stopped: Promise<unknown>;
  /** What has shown that the store which is there cannot be used. */
  readonly damage?: SatelliteError | undefined;
  /** The wait begins: there is nothing to start yet, but somebody may want to know why. */
  readonly onWait?: () => Promise<void>;
}

/**
 * Makes what works on the store, whatever has become of disk and store. All that ends a start by the store comes here, so
 * that it ends in one way: a damaged one is set aside and an empty one begun, and a disk that takes nothing is waited for, as
 * it is in the middle of the work.
 *
 * @returns undefined: the process is to end
 * @throws what neither mends, and a second damage in a row
 */
export async function startPatiently<T>(
  create: () => T,
  { dataDir, logger, health, stopped, damage, onWait }: PatientStart,
): Promise<T | undefined> {
  let damaged = damage;
  let isNew = false;
  const attempt = () => {
    if (damaged !== undefined) {
      setStoreAside(dataDir, damaged, logger);
      damaged = undefined;
      isNew = true;
    }
    return create();
  };
  const stop = new AbortController();
  void stopped.then(() => stop.abort());
  let told: string | undefined;
  for (;;) {
    try {
      const made = attempt();
      if (told !== undefined) {
        health.worked('disk');
        logger.info('The disk takes it again; the satellite goes on');
      }
      return made;
    } catch (thrown) {
      const error = fileError(thrown) ?? toSatelliteError(thrown);
      if (error.code === 'STORE_DAMAGED' && !isNew) {
        damaged = error;
        continue;
      }
      if (!isPassing(error)) throw thrown;
      health.failed('disk', error);
      if (error.code !== told) logger.error('The disk does not take a store; the satellite waits', errorFields(error));
      if (told === undefined) await onWait?.();
      told = error.code;
    }
    health.beat();
    await delay(retryMs, undefined, { signal: stop.signal }).catch(() => undefined);
    if (stop.signal.aborted) return undefined;
  }
}

function setStoreAside(dataDir: string, { message, code }: SatelliteError, logger: Logger): void {
  const aside = setAside(storePath(dataDir), systemClock.now());
  logger.error('The store is damaged; it is set aside and a new one begun. SEI asks again for what is missing', {
    code,
    error: message,
    aside,
    hint: 'Look for the reason on the disk; the old file may be deleted.',
  });
}
