import { constants } from 'node:fs';
import { access, stat, statfs } from 'node:fs/promises';
import { dirname } from 'node:path';
import { SatelliteError } from '../errors.ts';
import { danglingLink, tryToWrite } from '../ops/folder.ts';
import { inspectStore } from '../store/inspect.ts';
import type { Checkup } from './checkup.ts';
import { bytes } from './format.ts';
import type { Tell } from './step.ts';

/** Pages wait here while SEI cannot be reached, and the counted files of every commit stay. */
const warnFreeBytes = 2 ** 30;
const leastFreeBytes = 64 * 2 ** 20;

/** The folder of the store: only looked at, as a satellite may be running in it right now. */
export async function checkDataDirectory(checkup: Checkup, dataDir: string, storePath: string): Promise<void> {
  const leg = checkup.leg('This machine', { leg: 'machine' });
  await leg.step('data-directory', 'Data directory', (tell) => tryFolder(dataDir, tell), { required: true });
  await leg.step('free-space', 'Free space', (tell) => lookAtSpace(dataDir, tell));
  await leg.step('store', 'Store', (tell) => lookAtStore(storePath, tell));
}

async function tryFolder(dataDir: string, tell: Tell): Promise<void> {
  const existing = await nearestExisting(dataDir);
  try {
    if (existing === dataDir) await tryToWrite(dataDir);
    else await access(existing, constants.W_OK | constants.X_OK);
  } catch (cause) {
    throw notWritable(dataDir, existing, cause);
  }
  tell({ detail: existing === dataDir ? `${dataDir} can be written` : `${dataDir} will be made in ${existing}` });
}

/** The folder itself, or the first one above it that is there. */
async function nearestExisting(path: string): Promise<string> {
  try {
    if ((await stat(path)).isDirectory()) return path;
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    if (code !== 'ENOENT' || dirname(path) === path) throw notWritable(path, path, cause);
    const dangling = danglingLink(path);
    if (dangling !== undefined) throw unusable(dangling, cause);
    return nearestExisting(dirname(path));
  }
  throw unusable(`${path} is a file, not a folder`);
}

const hint = 'Point satellite.data_dir to a folder that the user of the satellite may write to.';

function unusable(message: string, cause?: unknown): SatelliteError {
  return new SatelliteError(message, { code: 'DATA_DIR_UNUSABLE', kind: 'storage', hint, cause });
}

function notWritable(dataDir: string, existing: string, cause: unknown): SatelliteError {
  const { code = '', message } = cause as NodeJS.ErrnoException;
  const where = existing === dataDir ? '' : `, as ${existing} cannot`;
  const reasons: Readonly<Record<string, string>> = {
    EACCES: 'permission denied',
    EPERM: 'permission denied',
    EROFS: 'the file system is read-only',
    ENOSPC: 'no space is left',
    EDQUOT: 'the quota is used up',
    ENOTDIR: 'a part of the path is a file',
  };
  return new SatelliteError(`${dataDir} cannot be written${where}: ${reasons[code] ?? message}`, {
    code: 'DATA_DIR_UNUSABLE',
    kind: 'storage',
    hint:
      code === 'ENOSPC' || code === 'EDQUOT' ? 'Make room there, or move satellite.data_dir to a larger disk.' : hint,
    cause,
  });
}

async function lookAtSpace(dataDir: string, tell: Tell): Promise<void> {
  const existing = await nearestExisting(dataDir);
  const { bavail, bsize } = await statfs(existing);
  const free = bavail * bsize;
  if (free < leastFreeBytes) {
    throw new SatelliteError(`Only ${bytes(free)} are free at ${existing}`, {
      code: 'DATA_DIR_FULL',
      kind: 'storage',
      hint: `Make room: a scan needs ${bytes(leastFreeBytes)} at the very least, and ${bytes(warnFreeBytes)} to be at ease.`,
    });
  }
  tell({ detail: `${bytes(free)} at ${existing}` });
  if (free < warnFreeBytes) {
    tell({
      warning: true,
      code: 'DATA_DIR_NEARLY_FULL',
      hint: `Have ${bytes(warnFreeBytes)} free: while SEI cannot be reached, pages wait there.`,
    });
  }
}

async function lookAtStore(path: string, tell: Tell): Promise<void> {
  const found = inspectStore(path);
  switch (found.state) {
    case 'absent':
      tell({ detail: 'none yet, the first start makes it' });
      return;
    case 'in use':
      tell({
        detail: `in use by ${found.holder ?? 'another process'}`,
        warning: true,
        code: 'STORE_IN_USE',
        hint: 'Right if that is the satellite of this configuration. A second one needs a satellite.data_dir of its own.',
      });
      return;
    case 'free':
      await assertWritable(path);
      tell({ detail: `${path} can be used` });
  }
}

async function assertWritable(path: string): Promise<void> {
  try {
    await access(path, constants.R_OK | constants.W_OK);
  } catch (cause) {
    throw new SatelliteError(`The store ${path} cannot be written`, {
      code: 'STORE_UNUSABLE',
      kind: 'storage',
      hint: 'It belongs to another user: give it to the one that runs the satellite.',
      cause,
    });
  }
}
