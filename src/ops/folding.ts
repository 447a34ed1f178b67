import type { CodedFields } from './logger.ts';

/** What a line is about. Lines that differ in anything else (times, delays, what a server said) are repeats. */
const keyFields = ['integrationId', 'jobId', 'repository', 'dataType', 'page', 'warning'];

interface Window {
  repeated: number;
  last: CodedFields;
  readonly close: () => void;
  readonly timer: NodeJS.Timeout;
}

/** Enough for all that is wrong at a time; beyond it the oldest window ends early. */
const maxWindows = 1_000;

/**
 * Lets the first of several like lines through at once, and at the end of its window one more that says how often it
 * came again: a server that is down for an hour is a few lines and not thousands.
 */
export class Folding {
  readonly #windows = new Map<string, Window>();
  readonly #windowMs: number;

  constructor(windowMs: number) {
    this.#windowMs = windowMs;
  }

  add(kind: string, fields: CodedFields, emit: (fields: CodedFields) => void): void {
    const key = JSON.stringify([kind, fields.code, ...keyFields.map((name) => fields[name])]);
    const window = this.#windows.get(key);
    if (window !== undefined) {
      window.repeated++;
      window.last = fields;
      return;
    }
    emit(fields);
    const close = () => {
      const { repeated, last, timer } = opened;
      clearTimeout(timer);
      this.#windows.delete(key);
      if (repeated > 0) emit({ ...last, repeated, withinSeconds: this.#windowMs / 1000 });
    };
    const opened = { repeated: 0, last: fields, close, timer: setTimeout(close, this.#windowMs).unref() };
    this.#windows.set(key, opened);
    if (this.#windows.size > maxWindows) this.#windows.values().next().value?.close();
  }

  /** Ends all windows. */
  flush(): void {
    for (const { close } of [...this.#windows.values()]) close();
  }
}
