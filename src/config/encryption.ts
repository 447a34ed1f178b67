import { randomBytes as systemRandomBytes } from 'node:crypto';
import { notEncrypted, passwordMissing, passwordUnusable } from './encryption-errors.ts';
import { isModernFormat, openModernFormat, sealModernFormat } from './modern-format.ts';
import { isVendorFormat, openVendorFormat, resemblesVendorFormat, sealVendorFormat } from './vendor-format.ts';

/** `modern`: ours, see modern-format.ts. `vendor`: what the vendor's image reads and writes, see vendor-format.ts. */
export type EncryptedFormat = 'modern' | 'vendor';

export interface EncryptOptions {
  readonly format: EncryptedFormat;
  /** For tests; the system's source of randomness when left out. */
  readonly randomBytes?: (size: number) => Uint8Array;
}

/** Whether a config file has to be decrypted before it is YAML. White space at the ends and line wraps do not matter. */
export function looksEncrypted(text: string): boolean {
  return isModernFormat(text) || isVendorFormat(text);
}

/** Like `looksEncrypted`, but also knows a damaged vendor file for what it was. */
export function encryptedFormat(text: string): EncryptedFormat | undefined {
  if (isModernFormat(text)) return 'modern';
  return resemblesVendorFormat(text) ? 'vendor' : undefined;
}

/**
 * The plain text of a file in either format. Takes a third of a second in the modern one, in a thread of its own.
 *
 * @throws {SatelliteError} of kind `config`: CONFIG_PASSWORD_MISSING, CONFIG_PASSWORD_UNUSABLE, CONFIG_PASSWORD_WRONG,
 * CONFIG_ENCRYPTED_DAMAGED, CONFIG_ENCRYPTED_UNSUPPORTED or CONFIG_NOT_ENCRYPTED
 */
export async function decryptConfig(text: string, password: string | undefined): Promise<string> {
  const format = encryptedFormat(text);
  if (format === undefined) throw notEncrypted();
  const usable = usablePassword(password);
  return format === 'modern' ? openModernFormat(text, usable) : openVendorFormat(text, usable);
}

/**
 * The content of an encrypted file: lines that end in a line feed (modern), or one line without it (vendor).
 *
 * @throws {SatelliteError} CONFIG_PASSWORD_MISSING or CONFIG_PASSWORD_UNUSABLE
 */
export async function encryptConfig(
  plainText: string,
  password: string | undefined,
  { format, randomBytes = systemRandomBytes }: EncryptOptions,
): Promise<string> {
  const usable = usablePassword(password);
  return format === 'modern'
    ? sealModernFormat(plainText, usable, randomBytes)
    : sealVendorFormat(plainText, usable, randomBytes);
}

/**
 * The form of a password that keys are made of: composed characters (NFC), so that the same word typed on macOS and on
 * Linux is the same; and no line end, which `echo` and mounted secrets add to what was meant.
 */
function usablePassword(password: string | undefined): string {
  const text = password?.replace(/(?:\r\n|\n|\r)$/, '');
  if (!text) throw passwordMissing();
  if (!text.isWellFormed()) {
    throw passwordUnusable('it is not valid text', 'Give it in UTF-8, and check where it was cut or converted.');
  }
  return text.normalize('NFC');
}
