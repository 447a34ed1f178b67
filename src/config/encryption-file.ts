import { randomBytes } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { type FileHandle, link, lstat, open, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { Writable } from 'node:stream';
import { SatelliteError } from '../errors.ts';
import { errnoOf } from './errno.ts';

/** A thousand times what a real one has; /dev/zero has to end somewhere. */
const MAX_FILE_BYTES = 16 * 2 ** 20;

/**
 * The bytes of a file, a pipe, or stdin.
 *
 * @throws {SatelliteError} CONFIG_UNREADABLE
 */
export async function readBytes(source: string | AsyncIterable<Buffer | string>): Promise<Buffer> {
  const name = typeof source === 'string' ? source : 'stdin';
  const chunks: Buffer[] = [];
  let size = 0;
  try {
    for await (const chunk of typeof source === 'string' ? createReadStream(source) : source) {
      const bytes = Buffer.from(chunk);
      chunks.push(bytes);
      size += bytes.length;
      if (size > MAX_FILE_BYTES) throw new Error(`more than ${MAX_FILE_BYTES / 2 ** 20} MiB`);
    }
  } catch (error) {
    throw new SatelliteError(`${name} cannot be read: ${reasonOf(error)}.`, {
      code: 'CONFIG_UNREADABLE',
      kind: 'config',
      hint: 'Check the path, and that the user who runs this may read the file.',
      cause: error,
    });
  }
  return Buffer.concat(chunks);
}

export interface OutputOptions {
  /** Standard output when left out. */
  readonly out?: string | undefined;
  /** Replace a file that is there. */
  readonly force?: boolean | undefined;
}

/**
 * Writes the text to the file named, or to stdout.
 *
 * The file appears whole or not at all, belongs to whoever runs this and is closed to everybody else (0600), whatever
 * the umask and whatever was there before. A crash may leave `.NAME.<random>.tmp` beside it, closed in the same way.
 *
 * @throws {SatelliteError} CONFIG_OUTPUT_EXISTS or CONFIG_OUTPUT_FAILED
 */
export async function writeOutput(text: string, options: OutputOptions, stdout: Writable): Promise<void> {
  await checkOutput(options);
  try {
    if (options.out === undefined) await writeAll(stdout, text);
    else await writePrivateFile(options.out, text, options.force ?? false);
  } catch (error) {
    throw outputFailed(options, error);
  }
}

/**
 * Refuses what `writeOutput` would refuse, before anybody is asked for a password.
 *
 * @throws {SatelliteError} CONFIG_OUTPUT_EXISTS or CONFIG_OUTPUT_FAILED
 */
export async function checkOutput(options: OutputOptions): Promise<void> {
  if (options.out === undefined) return;
  try {
    const existing = await lstat(options.out);
    // A rename would put a file in the place of a device (/dev/null) or of a link that others follow.
    if (!existing.isFile()) throw new Error('it is there and is not a plain file');
    if (!options.force) throw outputExists(options.out);
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw outputFailed(options, error);
  }
}

async function writePrivateFile(path: string, text: string, force: boolean): Promise<void> {
  const folder = dirname(path);
  const temporary = join(folder, `.${basename(path)}.${randomBytes(6).toString('hex')}.tmp`);
  try {
    await using file = await open(temporary, 'wx', 0o600);
    await file.chmod(0o600);
    await file.writeFile(text);
    await file.sync();
    if (force) await rename(temporary, path);
    else await publishNew(temporary, path);
  } finally {
    await rm(temporary, { force: true });
  }
  await syncFolder(folder);
}

/** Unlike rename, link fails when somebody has made the file in the meantime. */
async function publishNew(temporary: string, path: string): Promise<void> {
  try {
    await link(temporary, path);
  } catch (error) {
    if (errnoOf(error) === 'EEXIST') throw outputExists(path);
    // Some file systems have no hard links (FAT, several network mounts).
    await rename(temporary, path);
  }
}

/** So that the name survives a power cut as well as the content; not every file system can. */
async function syncFolder(folder: string): Promise<void> {
  let handle: FileHandle | undefined;
  try {
    handle = await open(folder, 'r');
    await handle.sync();
  } catch {
    // The file is in place; there is nothing to take back.
  } finally {
    await handle?.close();
  }
}

function outputFailed({ out = 'Standard output' }: OutputOptions, error: unknown): SatelliteError {
  if (error instanceof SatelliteError) return error;
  return new SatelliteError(`${out} cannot be written: ${reasonOf(error)}.`, {
    code: 'CONFIG_OUTPUT_FAILED',
    kind: 'storage',
    hint: 'Check that the folder exists, may be written to, and has space.',
    cause: error,
  });
}

function outputExists(path: string): SatelliteError {
  return new SatelliteError(`${path} exists.`, {
    code: 'CONFIG_OUTPUT_EXISTS',
    kind: 'config',
    hint: 'Name another file, or add --force to replace it.',
  });
}

/** A closed pipe reports its error both ways; without the listener the second one would end the process. */
function writeAll(stream: Writable, text: string): Promise<void> {
  return new Promise((resolve, reject) => {
    stream.once('error', reject);
    stream.write(text, (error) => {
      if (error) return reject(error);
      stream.off('error', reject);
      resolve();
    });
  });
}

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: 'it does not exist',
  ENOTDIR: 'a part of the path is not a folder',
  EISDIR: 'it is a folder',
  EACCES: 'permission denied',
  EPERM: 'permission denied',
  EROFS: 'the file system is read-only',
  ENOSPC: 'no space left',
  EPIPE: 'the reader has gone away',
};

function reasonOf(error: unknown): string {
  return REASONS[errnoOf(error)] ?? (error instanceof Error ? error.message : String(error));
}
