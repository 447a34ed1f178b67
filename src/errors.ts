/**
 * What a failure means for whoever has to decide, never how it was worded:
 * - `retryable`: the same request may work later (network, 5xx, a cut answer)
 * - `throttled`: the server asks for patience; it is not a failure
 * - `auth`: the credentials are refused; asking again may lock the account
 * - `permission`: the credentials are fine, this one item is closed to them
 * - `gone`: the item does not exist (any more)
 * - `unsupported`: this server version does not know the resource
 * - `config`: the operator's file has to change
 * - `storage`: the disk or the store
 * - `bug`: ours
 */
export type ErrorKind =
  | 'retryable'
  | 'throttled'
  | 'auth'
  | 'permission'
  | 'gone'
  | 'unsupported'
  | 'config'
  | 'storage'
  | 'bug';

export interface ErrorDetails {
  /** Stable name of the error, e.g. `BITBUCKET_CREDENTIALS_REFUSED`; the README's troubleshooting table has each. */
  readonly code: string;
  readonly kind: ErrorKind;
  /** What the reader can do about it. */
  readonly hint?: string;
  /** The resource that was asked for; never carries credentials. */
  readonly url?: string;
  readonly statusCode?: number;
  /** By which the server's own log names the request (`X-AREQUESTID` of Bitbucket). */
  readonly requestId?: string;
  /** How long the server asked to be left alone. */
  readonly retryAfterMs?: number;
  readonly cause?: unknown;
}

/** The one error type of the satellite. Decide by `kind`, report by `code`. */
export class SatelliteError extends Error {
  readonly code: string;
  readonly kind: ErrorKind;
  readonly hint: string | undefined;
  readonly url: string | undefined;
  readonly statusCode: number | undefined;
  readonly requestId: string | undefined;
  readonly retryAfterMs: number | undefined;

  constructor(message: string, details: ErrorDetails) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.name = 'SatelliteError';
    this.code = details.code;
    this.kind = details.kind;
    this.hint = details.hint;
    this.url = details.url;
    this.statusCode = details.statusCode;
    this.requestId = details.requestId;
    this.retryAfterMs = details.retryAfterMs;
  }
}

/** What a log line says of an error; its code comes with it. */
export function errorFields({ code, message, hint, url, requestId }: SatelliteError) {
  return { code, error: message, hint, url, requestId };
}

/** Anything that was thrown, as a SatelliteError: what is neither one of ours nor SQLite's is a bug. */
export function toSatelliteError(thrown: unknown): SatelliteError {
  if (thrown instanceof SatelliteError) return thrown;
  const storage = storageError(thrown);
  if (storage !== undefined) return storage;
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  return new SatelliteError(message, { code: 'INTERNAL', kind: 'bug', cause: thrown });
}

interface StorageTrouble {
  readonly code: string;
  readonly hint: string;
}

const full: StorageTrouble = {
  code: 'STORE_FULL',
  hint: 'Make room on the disk of satellite.data_dir; the satellite goes on by itself.',
};
const readOnly: StorageTrouble = {
  code: 'STORE_READ_ONLY',
  hint: 'Make satellite.data_dir writable; the satellite goes on by itself.',
};
const ioError: StorageTrouble = {
  code: 'STORE_IO_ERROR',
  hint: 'Look at the disk of satellite.data_dir; the satellite goes on by itself.',
};
const tooManyFiles: StorageTrouble = {
  code: 'TOO_MANY_OPEN_FILES',
  hint: 'Raise the limit of open files of the process (LimitNOFILE of systemd, --ulimit of Docker).',
};

/** SQLite's primary result codes, the low byte of `errcode`, that the operator can do something about. */
const storageCodes: Readonly<Record<number, StorageTrouble>> = {
  5: { code: 'STORE_IN_USE', hint: 'Stop the other satellite, or give this one its own satellite.data_dir.' },
  8: readOnly,
  10: ioError,
  11: storeDamaged(),
  13: full,
  14: { code: 'STORE_UNUSABLE', hint: 'satellite.data_dir must be a folder that the satellite may write to.' },
  26: storeDamaged(),
};

const passing: ReadonlySet<string> = new Set([full, readOnly, ioError, tooManyFiles].map(({ code }) => code));

/** What the disk, or the process, does not take for now: the same may work later, without a restart. */
export function isPassing({ code }: Pick<SatelliteError, 'code'>): boolean {
  return passing.has(code);
}

/** A file that was cut short: unlike other trouble of the disk (its low byte is the same), nothing mends it. */
const shortRead = 522;

function storeDamaged(): StorageTrouble {
  return { code: 'STORE_DAMAGED', hint: 'The file is set aside and a new one begun; look for the reason on the disk.' };
}

function storageError(thrown: unknown): SatelliteError | undefined {
  const { code, errcode } = (thrown ?? {}) as { code?: unknown; errcode?: unknown };
  // No number of the store is so large; Node has no code of its own for it.
  if (code === 'ERR_OUT_OF_RANGE' && (thrown as Error).message.startsWith('Value is too large to be represented')) {
    return new SatelliteError(`The store: ${(thrown as Error).message}`, {
      ...storeDamaged(),
      kind: 'storage',
      cause: thrown,
    });
  }
  if (code !== 'ERR_SQLITE_ERROR' || typeof errcode !== 'number') return undefined;
  const known = errcode === shortRead ? storeDamaged() : storageCodes[errcode & 0xff];
  if (known === undefined) return undefined;
  return new SatelliteError(`The store: ${(thrown as Error).message}`, { ...known, kind: 'storage', cause: thrown });
}

/** What the system says of the same troubles. */
const systemCodes: Readonly<Record<string, StorageTrouble>> = {
  ENOSPC: full,
  EDQUOT: full,
  EROFS: readOnly,
  EIO: ioError,
  EMFILE: tooManyFiles,
  ENFILE: tooManyFiles,
};

/** Why a file of the data directory could not be made, opened or written; undefined: something else was thrown. */
export function fileError(thrown: unknown): SatelliteError | undefined {
  const { code } = (thrown ?? {}) as { code?: unknown };
  const known = typeof code === 'string' ? systemCodes[code] : undefined;
  if (known === undefined) return undefined;
  return new SatelliteError((thrown as Error).message, { ...known, kind: 'storage', cause: thrown });
}
