import { appendFileSync, readFileSync, renameSync, statSync } from 'node:fs';
import { join } from 'node:path';

/** So that the file and the one before it hold a few thousand lines, and no more than a mebibyte of the data directory. */
const maxBytes = 512 * 1024;

function pathOf(dataDir: string): string {
  return join(dataDir, 'satellite.log');
}

/**
 * Appends to the last log lines that are kept in the data directory for `satellite support-bundle`; the older half goes
 * when they are too many. A disk that does not take them is no reason to stop: they are on stderr, too.
 */
export function logFile(dataDir: string): (line: string) => void {
  const path = pathOf(dataDir);
  return (line) => {
    try {
      appendFileSync(path, `${line}\n`, { mode: 0o600 });
      if (statSync(path).size > maxBytes) renameSync(path, `${path}.1`);
    } catch {
      // Nothing to be done, and nowhere to say it.
    }
  };
}

/** Oldest first; undefined: there are none. */
export function lastLogLines(dataDir: string): string | undefined {
  const path = pathOf(dataDir);
  const text = [`${path}.1`, path].map(readOrNothing).join('');
  return text === '' ? undefined : text;
}

function readOrNothing(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
