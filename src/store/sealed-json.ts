import { crc32 } from 'node:zlib';
import { SatelliteError } from '../errors.ts';

/**
 * JSON with its checksum before it: SQLite notices a damaged page of the file, but not a flipped bit inside a value, and
 * a cursor that is off by one digit would lose commits in silence.
 */
export function seal(value: unknown): string {
  const json = JSON.stringify(value);
  return `${crc32(json).toString(16)}:${json}`;
}

/** @throws SatelliteError `STORE_DAMAGED` */
export function unseal<T>(sealed: unknown): T {
  const text = String(sealed);
  const at = text.indexOf(':');
  const json = text.slice(at + 1);
  if (at < 0 || crc32(json).toString(16) !== text.slice(0, at)) throw damagedValue();
  return JSON.parse(json) as T;
}

export function isSealed(value: unknown): boolean {
  try {
    unseal(value);
    return true;
  } catch {
    return false;
  }
}

export function damagedValue(): SatelliteError {
  return new SatelliteError('The store: a stored value is not what was written', {
    code: 'STORE_DAMAGED',
    kind: 'storage',
    hint: 'The file is set aside and a new one begun; look for the reason on the disk.',
  });
}
