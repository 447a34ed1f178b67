import { Writable } from 'node:stream';
import winston from 'winston';
import type { LogFormat, LogLevel } from '../config/config.ts';
import { wantsColour } from './colour.ts';
import { Folding } from './folding.ts';
import { jsonLine, type LogEntry, textLine } from './log-line.ts';
import type { Redactor } from './redact.ts';

/** The README's troubleshooting table has every code. */
export interface CodedFields {
  readonly code: string;
  readonly [field: string]: unknown;
}

/** Static text plus fields: the text can be searched for, the fields can be counted. */
export interface Logger {
  error(message: string, fields: CodedFields): void;
  warn(message: string, fields: CodedFields): void;
  info(message: string, fields?: object): void;
  debug(message: string, fields?: object): void;
}

export interface ProcessLogger extends Logger {
  /** Says what was held back. Nothing is lost without it but the number of the latest repeats. */
  close(): void;
}

export interface LoggerSurroundings {
  readonly redactor: Redactor;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Standard output belongs to what a command prints. */
  readonly stderr: Pick<NodeJS.WriteStream, 'write' | 'isTTY'>;
  /** Gets every line as JSON, too; undefined: nobody does. */
  readonly keep?: (line: string) => void;
  readonly foldMs?: number;
}

/** Repeats are counted for so long before they are told. */
const defaultFoldMs = 60_000;

/**
 * Logs to standard error, as JSON lines or as text for people. What others said is in the fields: there each secret is masked,
 * and time, level, message and code stay what they are; the whole line goes through the net. At level `debug` nothing is folded: whoever asks for it wants to see each time.
 */
export function createLogger(
  { level, format }: { level: LogLevel; format: LogFormat },
  { redactor, env, stderr, keep, foldMs = defaultFoldMs }: LoggerSurroundings,
): ProcessLogger {
  const isTerminal = stderr.isTTY === true;
  const isText = format === 'text' || (format === 'auto' && isTerminal);
  const style = { colour: wantsColour(stderr, env), isTerminal };
  const redacted = winston.format((info) => {
    const { timestamp: _time, level: _level, message: _message, code: _code, ...fields } = info;
    return Object.assign(info, redactor.value(fields));
  });
  const line = (render: (entry: LogEntry) => string) =>
    winston.format.printf((info) => redactor.finished(render(info as unknown as LogEntry)));
  const to = (write: (text: string) => unknown, render: (entry: LogEntry) => string) =>
    new winston.transports.Stream({
      stream: new Writable({
        decodeStrings: false,
        write: (chunk, _encoding, done) => {
          write(String(chunk));
          done();
        },
      }),
      format: line(render),
      eol: '',
    });
  const winstonLogger = winston.createLogger({
    level,
    format: winston.format.combine(winston.format.timestamp(), redacted()),
    transports: [
      to((text) => stderr.write(`${text}\n`), isText ? (entry) => textLine(entry, style) : jsonLine),
      ...(keep === undefined ? [] : [to(keep, jsonLine)]),
    ],
  });
  const folding = new Folding(foldMs);
  const coded = (severity: 'error' | 'warn') => (message: string, fields: CodedFields) => {
    const emit = (shown: CodedFields) => winstonLogger[severity](message, shown);
    if (level === 'debug') emit(fields);
    else folding.add(`${severity} ${message}`, fields, emit);
  };
  return {
    error: coded('error'),
    warn: coded('warn'),
    info: (message, fields) => winstonLogger.info(message, fields),
    debug: (message, fields) => winstonLogger.debug(message, fields),
    close: () => folding.flush(),
  };
}
