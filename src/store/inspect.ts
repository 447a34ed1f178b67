import { existsSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { pathToFileURL } from 'node:url';
import { SatelliteError, toSatelliteError } from '../errors.ts';
import { tooNew } from './database.ts';
import { readHolder } from './lock-holder.ts';
import { migrations } from './migrations.ts';

export type StoreState =
  | { readonly state: 'absent' | 'free' }
  /** `holder`: which process, in words, where it is known. */
  | { readonly state: 'in use'; readonly holder: string | undefined };

/**
 * How it stands with a store that somebody else may be working on. Nothing is made, written or kept locked by looking.
 *
 * @throws SatelliteError `STORE_DAMAGED`, `STORE_TOO_NEW`, `STORE_UNUSABLE`
 */
export function inspectStore(path: string): StoreState {
  if (!existsSync(path)) return { state: 'absent' };
  if (isLocked(path)) return { state: 'in use', holder: readHolder(path) };
  const version = readVersion(path);
  if (version <= migrations.length) return { state: 'free' };
  throw tooNew(path, version);
}

const sqliteBusy = 5;

/**
 * A satellite holds an exclusive lock for as long as it lives. Asking for one with a file that is open for reading only
 * fails either way: with "busy" where somebody has it, and otherwise because it cannot be had, before SQLite makes any of
 * the files beside the store that a plain reading would leave behind.
 */
function isLocked(path: string): boolean {
  try {
    using database = new DatabaseSync(path, { readOnly: true });
    database.exec('PRAGMA locking_mode = EXCLUSIVE; PRAGMA user_version;');
    return false;
  } catch (error) {
    return (error as { errcode?: number }).errcode === sqliteBusy;
  }
}

/** `immutable`: without locks and without the log, whose content does not matter here. */
function readVersion(path: string): number {
  try {
    using database = new DatabaseSync(new URL('?immutable=1', pathToFileURL(path)), { readOnly: true });
    return Number(database.prepare('PRAGMA user_version').get()?.user_version);
  } catch (cause) {
    const { code, kind } = toSatelliteError(cause);
    throw new SatelliteError(`The store ${path} cannot be read: ${(cause as Error).message}`, {
      code: kind === 'storage' ? code : 'STORE_UNUSABLE',
      kind: 'storage',
      hint: 'Stop the satellite and see `satellite store verify`, or move the file away: it is begun anew, and SEI loses no data.',
      cause,
    });
  }
}
