import { existsSync, renameSync } from 'node:fs';
import { killPoint } from '../ops/kill-point.ts';

/** SQLite's own companions of a file. */
const companions = ['', '-wal', '-shm'];

/**
 * Moves a damaged store out of the way, so that a new one can be begun; nothing of it is deleted.
 *
 * @returns its new name
 */
export function setAside(path: string, nowMs: number): string {
  const stamp = new Date(nowMs).toISOString().replaceAll(':', '-');
  const aside = `${path}.damaged-${stamp}`;
  for (const suffix of companions) {
    if (!existsSync(path + suffix)) continue;
    renameSync(path + suffix, aside + suffix);
    killPoint('store:set-aside');
  }
  return aside;
}
