import { type FileHandle, open } from 'node:fs/promises';
import { toSatelliteError } from '../errors.ts';
import { decode } from './encoding.ts';
import { decryptConfig, encryptedFormat } from './encryption.ts';
import { errnoOf } from './errno.ts';
import { readableByOthers, writableByOthers } from './mode.ts';
import { ConfigError, type Finding, fault, finding } from './problem.ts';

/** A hundred times a large file; more is another file. */
const MAX_BYTES = 512 * 1024;

export interface ReadOptions {
  readonly env: NodeJS.ProcessEnv;
  /** Plain text of an encrypted file; default: with the password in ENCRYPTION_PASSWORD. */
  readonly decrypt?: (text: string) => Promise<string> | string;
}

export interface ReadConfig {
  readonly text: string;
  /** Nothing in it can be read; `found` says why. */
  readonly undecodable: boolean;
  /** Others than its owner and group can read it: a warning as soon as a secret stands in it. */
  readonly open: boolean;
  readonly found: readonly Finding[];
}

/** The text of the file, or what stands in the way of it. */
export async function readConfig(path: string, options: ReadOptions): Promise<ReadConfig> {
  const { bytes, mode } = await readBytes(path);
  const found: Finding[] = [];
  const writable = mode !== undefined && writableByOthers(mode);
  if (writable) {
    found.push(fault('WRITABLE_BY_OTHERS', [], `others than its owner can write this file; run: chmod 600 ${path}`));
  }
  const decoded = decode(bytes);
  if (decoded.found) return { text: decoded.text, undecodable: true, open: false, found: [...found, decoded.found] };
  const encrypted = encryptedFormat(decoded.text) !== undefined;
  const text = encrypted ? await decrypted(path, decoded.text, options) : decoded.text;
  return {
    text,
    undecodable: false,
    open: !encrypted && !writable && mode !== undefined && readableByOthers(mode),
    found,
  };
}

export function readableByOthersWarning(path: string): Finding {
  return finding(
    'warning',
    'READABLE_BY_OTHERS',
    [],
    `others can read this file and the secrets in it; run: chmod 600 ${path}`,
  );
}

/** Pipes and the like (`--config <(…)`) have no mode worth checking. */
async function readBytes(path: string): Promise<{ bytes: Uint8Array; mode: number | undefined }> {
  let file: FileHandle | undefined;
  try {
    file = await open(path, 'r');
    const stats = await file.stat();
    if (stats.isDirectory()) throw isDirectory(path);
    if (stats.size > MAX_BYTES)
      throw unreadable(`${path}: too large for a configuration (${stats.size} > ${MAX_BYTES} bytes)`);
    return { bytes: await file.readFile(), mode: stats.isFile() ? stats.mode : undefined };
  } catch (error) {
    if (error instanceof ConfigError) throw error;
    const code = errnoOf(error);
    if (code === 'EISDIR') throw isDirectory(path);
    throw unreadable(
      `${path}: cannot be read (${code})`,
      'Let the user that the satellite runs as read it: check owner and mode.',
    );
  } finally {
    await file?.close();
  }
}

function isDirectory(path: string): ConfigError {
  return unreadable(
    `${path}: a directory, not a file`,
    'Name the file in it. Docker makes a directory where the file to mount does not exist: check the left side of -v.',
  );
}

function unreadable(message: string, hint?: string): ConfigError {
  return new ConfigError(hint === undefined ? message : `${message}\n  ${hint}`, {
    code: 'CONFIG_UNREADABLE',
    ...(hint !== undefined && { hint }),
  });
}

async function decrypted(path: string, text: string, { env, decrypt }: ReadOptions): Promise<string> {
  try {
    return decrypt ? await decrypt(text) : await decryptConfig(text, env.ENCRYPTION_PASSWORD);
  } catch (thrown) {
    const { message, code, hint } = toSatelliteError(thrown);
    throw new ConfigError(`${path}: ${message}${hint === undefined ? '' : `\n  ${hint}`}`, {
      code,
      ...(hint !== undefined && { hint }),
    });
  }
}
