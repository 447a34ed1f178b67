import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';

interface Holder {
  readonly pid: number;
  readonly host: string;
  readonly since: string;
}

/** For whoever finds the store locked: the lock itself is SQLite's, this only says whose it is. */
export function writeHolder(storePath: string): void {
  const holder: Holder = { pid: process.pid, host: hostname(), since: new Date().toISOString() };
  writeFileSync(holderPath(storePath), JSON.stringify(holder));
}

/** In words; undefined where it is not known. */
export function readHolder(storePath: string): string | undefined {
  try {
    const { pid, host, since } = JSON.parse(readFileSync(holderPath(storePath), 'utf8')) as Holder;
    return `process ${pid} on ${host}, since ${since}`;
  } catch {
    return undefined;
  }
}

export function removeHolder(storePath: string): void {
  rmSync(holderPath(storePath), { force: true });
}

function holderPath(storePath: string): string {
  return `${storePath}.holder`;
}
