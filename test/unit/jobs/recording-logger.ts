import type { Logger } from '../../../src/ops/logger.ts';

export interface LogEntry {
  readonly level: keyof Logger;
  readonly message: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

/** Keeps what is logged for the test to look at. */
export class RecordingLogger implements Logger {
  readonly entries: LogEntry[] = [];

  error(message: string, fields: object = {}): void {
    this.entries.push({ level: 'error', message, fields: { ...fields } });
  }

  warn(message: string, fields: object = {}): void {
    this.entries.push({ level: 'warn', message, fields: { ...fields } });
  }

  info(message: string, fields: object = {}): void {
    this.entries.push({ level: 'info', message, fields: { ...fields } });
  }

  debug(message: string, fields: object = {}): void {
    this.entries.push({ level: 'debug', message, fields: { ...fields } });
  }
}
