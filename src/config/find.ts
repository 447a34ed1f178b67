import { stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { errnoOf } from './errno.ts';
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
  const path = await firstOf(places);
  if (path) return path;
  const other = await firstOf(OTHER_NAMES.map((name) => resolve(options.cwd, name)));
  const hint = other
    ? `There is ${other}: name it with --config or CONFIG_FILE.`
    : 'Name a file with --config or CONFIG_FILE.';
  throw new ConfigError(`no configuration found. Looked for ${places.join(' and ')}.\n  ${hint}`, {
    code: 'CONFIG_NOT_FOUND',
    hint,
  });
}

/** Not looked for, lest two files compete; but worth a word when there is no other. */
const OTHER_NAMES = ['satellite.yaml', 'config.yml', 'config.yaml'];

async function firstOf(paths: readonly string[]): Promise<string | undefined> {
  for (const path of paths) {
    if (await exists(path)) return path;
  }
  return undefined;
}

/** A file that may not be looked at exists all the same: reading it will say what is wrong. */
async function exists(path: string): Promise<boolean> {
  try {
    await stat(path);
    return true;
  } catch (error) {
    return !['ENOENT', 'ENOTDIR'].includes(errnoOf(error));
  }
}
