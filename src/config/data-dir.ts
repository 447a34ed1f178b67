import { constants } from 'node:fs';
import { access, stat } from 'node:fs/promises';
import { resolve } from 'node:path';

const SYSTEM_DATA_DIR = '/var/lib/satellite';

/** What the file says (relative to the file), else systemd's folder, else the system's where it can be written, else one here. */
export async function dataDirOf(
  given: string | undefined,
  options: { readonly folder: string; readonly env: NodeJS.ProcessEnv; readonly cwd: string },
): Promise<string> {
  if (given) return resolve(options.folder, given);
  const fromSystemd = options.env.STATE_DIRECTORY?.split(':')[0];
  if (fromSystemd) return resolve(fromSystemd);
  if (await isWritableFolder(SYSTEM_DATA_DIR)) return SYSTEM_DATA_DIR;
  return resolve(options.cwd, '.satellite');
}

async function isWritableFolder(path: string): Promise<boolean> {
  try {
    await access(path, constants.W_OK);
    return (await stat(path)).isDirectory();
  } catch {
    return false;
  }
}
