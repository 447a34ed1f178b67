import { randomBytes } from 'node:crypto';
import { lstatSync, mkdirSync, readlinkSync, statSync } from 'node:fs';
import { open, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';

/**
 * Makes the folder and those above it that are missing, each tried once: Node's own way (`recursive`) never ends where a
 * file system answers that the new folder does not exist, as /proc does.
 *
 * @throws what the system says of the one that cannot be made
 */
export function makeFolder(path: string, mode = 0o777): void {
  if (isFolder(path)) return;
  if (dirname(path) !== path) makeFolder(dirname(path), mode);
  try {
    mkdirSync(path, { mode });
  } catch (cause) {
    // Another process may have made it meanwhile.
    if (isFolder(path)) return;
    const dangling = danglingLink(path);
    throw dangling === undefined ? cause : new Error(dangling, { cause });
  }
}

/** Permissions alone do not tell: a file system may be full or read-only. */
export async function tryToWrite(folder: string): Promise<void> {
  const path = join(folder, `.check-${randomBytes(6).toString('hex')}`);
  try {
    await using file = await open(path, 'wx', 0o600);
    await file.writeFile('check\n');
    await file.sync();
  } finally {
    await rm(path, { force: true });
  }
}

/** What is wrong with a link whose target is not there: no folder can be made in its place, nor below it. */
export function danglingLink(path: string): string | undefined {
  const link = lstatSync(path, { throwIfNoEntry: false });
  if (!link?.isSymbolicLink() || statSync(path, { throwIfNoEntry: false }) !== undefined) return undefined;
  return `${path} is a link to ${readlinkSync(path)}, which is not there: is its volume mounted?`;
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}
