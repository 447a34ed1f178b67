import { clearLine } from './progress-display.ts';

/** Level, message and fields of one line, with its time. */
export interface LogEntry {
  readonly timestamp: string;
  readonly level: string;
  readonly message: string;
  readonly [field: string]: unknown;
}

export function jsonLine({ timestamp, level, message, ...fields }: LogEntry): string {
  return JSON.stringify({ timestamp, level, message, ...fields });
}

const colours: Readonly<Record<string, number>> = { error: 31, warn: 33, info: 32, debug: 2 };

/** For people. What servers say is quoted where it could move the cursor or look like a line of its own. */
export function textLine(
  { timestamp, level, message, repeated, ...fields }: LogEntry,
  style: { readonly colour: boolean; readonly isTerminal: boolean },
): string {
  const name = level.toUpperCase().padEnd(5);
  const shownLevel = style.colour ? `\u001b[${colours[level] ?? 0}m${name}\u001b[0m` : name;
  const rest = Object.entries(fields)
    .filter(([, value]) => value !== undefined)
    .map(([field, value]) => ` ${field}=${isPlain(value) ? value : JSON.stringify(value)}`)
    .join('');
  const times = repeated === undefined ? '' : ` … repeated ${String(repeated)} times`;
  return `${style.isTerminal ? clearLine : ''}${timestamp} ${shownLevel} ${message}${times}${rest}`;
}

function isPlain(value: unknown): value is string {
  return typeof value === 'string' && !/\p{Cc}/u.test(value);
}
