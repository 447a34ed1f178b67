import type { SatelliteError } from '../errors.ts';

/** As in sysexits(3), so that a service manager can tell what a restart may mend. */
export const exitCodes = {
  ok: 0,
  /** A job failed. */
  failed: 1,
  usage: 64,
  unavailable: 69,
  internal: 70,
  ioError: 74,
  inUse: 75,
  refused: 77,
  config: 78,
} as const;

export function exitCodeOf({ code, kind }: SatelliteError): number {
  switch (kind) {
    case 'config':
      return exitCodes.config;
    case 'auth':
    case 'permission':
      return exitCodes.refused;
    case 'retryable':
    case 'throttled':
    case 'gone':
    case 'unsupported':
      return exitCodes.unavailable;
    case 'storage':
      return code === 'STORE_IN_USE' ? exitCodes.inUse : exitCodes.ioError;
    case 'bug':
      return exitCodes.internal;
  }
}
