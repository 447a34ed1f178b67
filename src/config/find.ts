import { stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { ConfigError } from './problem.ts';

export interface FindOptions {
  /** What `--config` said. */
  readonly path?: string | undefined;
  readonly env: NodeJS.ProcessEnv;
  readonly cwd: string;
}

/** Where containers have it, as the vendor's image does. */
const CONTAINER_PATH = '/levelops/config.yml';

/**
 * The path of the file: `--config`, `CONFIG_FILE`, `/levelops/config.yml`, `./satellite.yml`, in that order. The first
 * two are taken at their word: a name that leads nowhere is an error and not a reason to look elsewhere.
 */
export async function findConfig(options: FindOptions): Promise<string> {
  const named = options.path || options.env.CONFIG_FILE;
  if (named) {
    const path = resolve(options.cwd, named);
    if (await exists(path)) return path;
    const origin = options.path ? '--config' : 'CONFIG_FILE';
    throw new ConfigError(`${path}: no such file (named by ${origin})`, { code: 'CONFIG_NOT_FOUND' });
  }
  const places = [CONTAINER_PATH, resolve(options.cwd, 'satellite.yml')];
  for (const path of places) {
    if (await exists(path)) return path;
  }
  throw new ConfigError(
    `no configuration found. Looked for ${places.join(' and ')}; name another file with --config or CONFIG_FILE.`,
    { code: 'CONFIG_NOT_FOUND' },
  );
}

async function exists(path: string): Promise<boolean> {
  try {
    await stat(path);
    return true;
  } catch {
    return false;
  }
}
