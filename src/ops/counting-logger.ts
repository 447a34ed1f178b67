import type { ProcessLogger } from './logger.ts';
import type { Metrics } from './metrics.ts';

/** Counts what passes, by code: every warning and error has one. */
export function countingLogger(logger: ProcessLogger, metrics: Metrics): ProcessLogger {
  return {
    error: (message, fields) => {
      metrics.errorLogged(fields.code);
      logger.error(message, fields);
    },
    warn: (message, fields) => {
      metrics.errorLogged(fields.code);
      logger.warn(message, fields);
    },
    info: (message, fields) => logger.info(message, fields),
    debug: (message, fields) => logger.debug(message, fields),
    close: () => logger.close(),
  };
}
