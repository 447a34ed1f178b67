import winston from 'winston';
import type { LogFormat, LogLevel } from '../config/config.ts';
import { clearLine } from './progress-display.ts';

/** Static text plus fields: the text can be searched for, the fields can be counted. */
export interface Logger {
  error(message: string, fields?: object): void;
  warn(message: string, fields?: object): void;
  info(message: string, fields?: object): void;
  debug(message: string, fields?: object): void;
}

/** Logs to standard error: standard output belongs to what a command prints. */
export function createLogger({ level, format }: { level: LogLevel; format: LogFormat }): Logger {
  const isText = format === 'text' || (format === 'auto' && process.stderr.isTTY === true);
  return winston.createLogger({
    level,
    format: winston.format.combine(winston.format.timestamp(), isText ? text : winston.format.json()),
    transports: [new winston.transports.Stream({ stream: process.stderr })],
  });
}

const text = winston.format.printf(({ timestamp, level, message, ...fields }) => {
  const rest = Object.entries(fields)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => ` ${name}=${typeof value === 'string' ? value : JSON.stringify(value)}`)
    .join('');
  const start = process.stderr.isTTY ? clearLine : '';
  return `${start}${String(timestamp)} ${level.toUpperCase().padEnd(5)} ${String(message)}${rest}`;
});
