import { readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Where the process that works on a data directory can be asked, and which process that is. */
export interface Serving {
  /** As in `/status.json`: a file that a crash has left names one that nobody answers with any more. */
  readonly instance: string;
  readonly host: string;
  readonly port: number;
  /** The path of the configuration that it runs with. */
  readonly config: string;
}

function servingPath(dataDir: string): string {
  return join(dataDir, 'satellite.serving');
}

/**
 * Written by the running process, so that who asks finds it whatever has become of the configuration since its start.
 *
 * @param serving undefined: it is served nowhere
 * @throws where the disk does not take it
 */
export function noteServing(dataDir: string, serving: Serving | undefined): void {
  const path = servingPath(dataDir);
  if (serving === undefined) {
    rmSync(path, { force: true });
    return;
  }
  const text = `${JSON.stringify(serving)}\n`;
  if (textOf(path) === text) return;
  // Never half of it.
  writeFileSync(`${path}.new`, text, { mode: 0o600 });
  renameSync(`${path}.new`, path);
}

/** Undefined: it cannot be told, since no satellite's folder is here or this user may not look; null: nowhere. */
export function servingOf(dataDir: string): Serving | null | undefined {
  try {
    const files = readdirSync(dataDir);
    // Without a store, this is not the folder that the satellite sees: it may be a mount within its container.
    if (!files.includes('satellite.serving')) return files.includes('satellite.db') ? null : undefined;
    const { instance, host, port, config } = JSON.parse(readFileSync(servingPath(dataDir), 'utf8')) as Partial<Serving>;
    const isWhole = typeof instance === 'string' && typeof host === 'string' && typeof port === 'number';
    return isWhole && typeof config === 'string' ? { instance, host, port, config } : null;
  } catch (error) {
    return error instanceof SyntaxError ? null : undefined;
  }
}

function textOf(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}
