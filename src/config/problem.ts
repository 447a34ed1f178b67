import { SatelliteError } from '../errors.ts';
import type { Path, Span } from './tree.ts';

/** `error` stops the start, `warning` asks for a change, `note` explains what was understood. */
export type Severity = 'error' | 'warning' | 'note';

/** What a pass over the file has to say. Texts are made of our own words: they never carry a value of the file. */
export interface Finding {
  readonly severity: Severity;
  /** Stable name, e.g. `UNKNOWN_KEY`. */
  readonly code: string;
  readonly path: Path;
  readonly message: string;
  /** What would have been right. */
  readonly expected?: string;
  /** What was probably meant. */
  readonly suggestion?: string;
  /** Where to point at; without one it is about the file as a whole. */
  readonly span?: Span;
}

/** A finding with its place in the file, ready to be shown: no secret is in it. */
export interface Problem {
  readonly severity: Severity;
  readonly code: string;
  readonly file: string;
  /** From 1; undefined when it is about the file as a whole. */
  readonly line?: number;
  readonly column?: number;
  /** `integrations[0].metadata.fetch_prz`, or nothing. */
  readonly path: string;
  readonly message: string;
  readonly expected?: string;
  /** The line with its secrets masked, and below it the caret. */
  readonly excerpt?: string;
}

/**
 * Thrown when there is no usable configuration; `message` is the whole report, ready to print, without any secret.
 * Codes: CONFIG_NOT_FOUND, CONFIG_UNREADABLE, CONFIG_INVALID, and those of encrypted files.
 */
export class ConfigError extends SatelliteError {
  readonly problems: readonly Problem[];

  constructor(
    message: string,
    details: { readonly code: string; readonly hint?: string; readonly problems?: readonly Problem[] },
  ) {
    super(message, { code: details.code, kind: 'config', ...(details.hint !== undefined && { hint: details.hint }) });
    this.name = 'ConfigError';
    this.problems = details.problems ?? [];
  }
}

interface Details {
  readonly span?: Span | undefined;
  readonly expected?: string | undefined;
  readonly suggestion?: string | undefined;
}

/** What stops the start. */
export function fault(code: string, path: Path, message: string, details: Details = {}): Finding {
  return finding('error', code, path, message, details);
}

export function finding(severity: Severity, code: string, path: Path, message: string, details: Details = {}): Finding {
  const { span, expected, suggestion } = details;
  return {
    severity,
    code,
    path,
    message,
    ...(expected !== undefined && { expected }),
    ...(suggestion !== undefined && { suggestion }),
    ...(span && { span: { start: span.start, end: span.end } }),
  };
}
