import { createCipheriv, createDecipheriv, pbkdf2 } from 'node:crypto';
import { promisify } from 'node:util';
import { decodeBase64, unwrapLines } from './encryption-base64.ts';
import { encryptedDamaged, passwordUnusable, passwordWrong } from './encryption-errors.ts';

/*
 * The vendor's format (sei-protocol §5.3): base64(salt ‖ IV ‖ AES-256-CBC of the UTF-8 text), the key from
 * PBKDF2-HMAC-SHA512. Its 1000 iterations are few and it has no authentication, so a changed file may decrypt to
 * something else without a word. It is here for files that exist and for satellites that know nothing better.
 */
const ITERATIONS = 1000;
const KEY_BYTES = 32;
const BLOCK_BYTES = 16;
/** The salt and the IV, one block each. */
const PREFIX_BYTES = 2 * BLOCK_BYTES;
const SHORTEST_BYTES = PREFIX_BYTES + BLOCK_BYTES;

const deriveBytes = promisify(pbkdf2);

/** Whether the text is one whole blob of this format. */
export function isVendorFormat(text: string): boolean {
  const bytes = decodeBase64(unwrapLines(text));
  return bytes !== undefined && hasWholeBlocks(bytes);
}

/**
 * Whether the text is such a blob or what is left of one: a file that was cut, or that has a few wrong characters,
 * deserves "damaged" and not "this is no encrypted file". A plain file may be base64 for the most part (a private key
 * in it), but has the colons of YAML or begins as JSON.
 */
export function resemblesVendorFormat(text: string): boolean {
  if (/:(?:\s|$)/m.test(text) || /^[{[]/.test(text.trimStart())) return false;
  const blob = unwrapLines(text);
  const foreign = blob.match(/[^A-Za-z0-9+/=]/g)?.length ?? 0;
  return blob.length >= BLOCK_BYTES && foreign * 50 <= blob.length;
}

/** @throws {SatelliteError} CONFIG_PASSWORD_UNUSABLE, CONFIG_PASSWORD_WRONG or CONFIG_ENCRYPTED_DAMAGED */
export async function openVendorFormat(text: string, password: string): Promise<string> {
  const bytes = decodeBase64(unwrapLines(text));
  if (bytes === undefined) throw encryptedDamaged('it is not valid base64, characters are missing or wrong');
  if (!hasWholeBlocks(bytes)) {
    throw encryptedDamaged(`${bytes.length} bytes are not a salt, an IV and whole blocks of ${BLOCK_BYTES}`);
  }
  const key = await deriveKey(password, bytes.subarray(0, BLOCK_BYTES));
  const decipher = createDecipheriv('aes-256-cbc', key, bytes.subarray(BLOCK_BYTES, PREFIX_BYTES));
  try {
    const plain = Buffer.concat([decipher.update(bytes.subarray(PREFIX_BYTES)), decipher.final()]);
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(plain);
  } catch {
    // Bad padding, or no UTF-8: the only two signs of a wrong key that this format has.
    throw passwordWrong(
      'The password is wrong, or the encrypted file is damaged: the vendor’s format cannot tell which.',
      'Try the password that the file was encrypted with; if you are sure of it, copy the file again.',
    );
  }
}

/** @throws {SatelliteError} CONFIG_PASSWORD_UNUSABLE */
export async function sealVendorFormat(
  plainText: string,
  password: string,
  randomBytes: (size: number) => Uint8Array,
): Promise<string> {
  const salt = randomBytes(BLOCK_BYTES);
  const iv = randomBytes(BLOCK_BYTES);
  const cipher = createCipheriv('aes-256-cbc', await deriveKey(password, salt), iv);
  return Buffer.concat([salt, iv, cipher.update(plainText, 'utf8'), cipher.final()]).toString('base64');
}

async function deriveKey(password: string, salt: Uint8Array): Promise<Buffer> {
  // The JDK refuses anything else, so a file sealed with such a password could not be read by the vendor's image.
  if (!/^[ -~]+$/.test(password)) {
    throw passwordUnusable(
      'the vendor’s format takes only printable ASCII characters',
      'Use letters, digits, spaces and punctuation of ASCII; the default format takes any character.',
    );
  }
  return deriveBytes(password, salt, ITERATIONS, KEY_BYTES, 'sha512');
}

function hasWholeBlocks(bytes: Buffer): boolean {
  return bytes.length >= SHORTEST_BYTES && (bytes.length - PREFIX_BYTES) % BLOCK_BYTES === 0;
}
