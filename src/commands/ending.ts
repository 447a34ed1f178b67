import { ConfigError } from '../config/problem.ts';
import { type SatelliteError, toSatelliteError } from '../errors.ts';
import type { Logger } from '../ops/logger.ts';
import type { Redactor } from '../ops/redact.ts';
import { exitCodeOf } from './exit-code.ts';

/** What ends a command, for people: what happened with its code, and what to do. */
export function endingText(error: SatelliteError, redactor: Pick<Redactor, 'text'>): string {
  // A report on the configuration is without secrets, and full of our own words.
  const said = error instanceof ConfigError ? error.message : redactor.text(error.message);
  const code = /\n/.test(said.trimEnd()) ? `\n[${error.code}]` : ` [${error.code}]`;
  const stack = error.kind === 'bug' ? `${redactor.text(stackOf(error) ?? '')}\n` : '';
  return `${said.trimEnd()}${code}\n${hintOf(error) === undefined ? '' : `${hintOf(error)}\n`}${stack}`;
}

/**
 * The same as the last line of a log that programs read.
 *
 * @returns the exit code
 */
export function logEnding(thrown: unknown, logger: Pick<Logger, 'error'>): number {
  const error = toSatelliteError(thrown);
  const { code, message } = error;
  const stack = error.kind === 'bug' ? stackOf(error) : undefined;
  logger.error('The satellite ends', { code, error: message.trimEnd(), hint: hintOf(error), stack });
  return exitCodeOf(error);
}

/** A report on the configuration has its hints where they belong. */
function hintOf({ hint, message }: SatelliteError): string | undefined {
  return hint === undefined || message.includes(hint) ? undefined : hint;
}

function stackOf({ cause, stack }: SatelliteError): string | undefined {
  return (cause as Error | undefined)?.stack ?? stack;
}
