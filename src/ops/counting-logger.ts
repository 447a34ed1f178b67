import type { Logger } from './logger.ts';
import type { Metrics } from './metrics.ts';

/** Counts what passes, by code: every warning and error has one. */
export function countingLogger(logger: Logger, metrics: Metrics): Logger {
  const count = (fields: object | undefined) => {
    const { code } = (fields ?? {}) as { readonly code?: unknown };
    metrics.errorLogged(typeof code === 'string' ? code : 'OTHER');
  };
  return {
    error: (message, fields) => {
      count(fields);
      logger.error(message, fields);
    },
    warn: (message, fields) => {
      count(fields);
      logger.warn(message, fields);
    },
    info: (message, fields) => logger.info(message, fields),
    debug: (message, fields) => logger.debug(message, fields),
  };
}
