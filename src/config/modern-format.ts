import {
  createCipheriv,
  createDecipheriv,
  createHash,
  hkdfSync,
  type ScryptOptions,
  scrypt,
  timingSafeEqual,
} from 'node:crypto';
import { decodeBase64, wrapLines } from './encryption-base64.ts';
import { encryptedDamaged, encryptedUnsupported, passwordWrong } from './encryption-errors.ts';

/*
 * Our own format, version 1:
 *
 *     satellite-encrypted:v1
 *     scrypt:N=32768,r=8,p=3
 *     salt:<base64, 16 bytes>
 *     check:<base64, 16 bytes>
 *     sha256:<hex, of the lines above and the body's bytes>
 *     <base64 in lines of 76: nonce (12) ‖ AES-256-GCM ciphertext ‖ tag (16)>
 *
 * scrypt makes one master key of password and salt; HKDF makes two independent keys of it, one to encrypt and one that
 * is written down as `check`. Three questions, three answers, in this order:
 * - `sha256` differs: damaged on the way. No password is needed, and no work is done for it. It is no protection.
 * - `check` differs: the password is wrong. It tells a guesser nothing that trying to decrypt would not, at the same
 *   price of one scrypt.
 * - the tag differs: somebody changed the file on purpose, and made the sum fit.
 * The first four lines are the additional data of GCM, as they are written here: line ends and blank lines may change
 * on the way (Windows, a copy through a terminal), nothing else may.
 */
const MAGIC = 'satellite-encrypted:';
const FIRST_LINE = `${MAGIC}v1`;
const HEADER_LINES = 5;
const SALT_BYTES = 16;
const CHECK_BYTES = 16;
const KEY_BYTES = 32;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const WIDTH = 76;

export interface ScryptCost {
  /** A power of two. */
  readonly N: number;
  readonly r: number;
  readonly p: number;
}

/**
 * 32 MiB for a third of a second. p = 3 makes up for the smaller memory (OWASP's password storage sheet counts it equal
 * to N = 2^17, p = 1): a running satellite has to stay under 256 MiB while it re-reads its file.
 */
const COST: ScryptCost = { N: 2 ** 15, r: 8, p: 3 };

/**
 * What a file may ask of us: without a limit a hostile one takes gigabytes, or days. There is no lower limit: a file
 * that was written with less is no safer for being refused.
 */
const MAX_MEMORY_BYTES = 128 * 2 ** 20;
/** N · r · p; about five times the default's. */
const MAX_WORK = 2 ** 22;

export function isModernFormat(text: string): boolean {
  const start = text.trimStart();
  return start.startsWith(MAGIC) && /^\S/.test(start.slice(MAGIC.length, MAGIC.length + 1));
}

/** @throws {SatelliteError} CONFIG_PASSWORD_WRONG, CONFIG_ENCRYPTED_DAMAGED or CONFIG_ENCRYPTED_UNSUPPORTED */
export async function openModernFormat(text: string, password: string): Promise<string> {
  const { header, cost, salt, check, body } = readEnvelope(text);
  const keys = await deriveKeys(password, salt, cost);
  if (!timingSafeEqual(keys.check, check)) {
    throw passwordWrong(
      'The password is wrong; the encrypted file itself is whole.',
      'Use the password that this file was encrypted with. Mind the keyboard layout and spaces at the ends.',
    );
  }
  const decipher = createDecipheriv('aes-256-gcm', keys.encryption, body.subarray(0, NONCE_BYTES), {
    authTagLength: TAG_BYTES,
  });
  decipher.setAAD(Buffer.from(header));
  decipher.setAuthTag(body.subarray(-TAG_BYTES));
  try {
    const plain = Buffer.concat([decipher.update(body.subarray(NONCE_BYTES, -TAG_BYTES)), decipher.final()]);
    return plain.toString('utf8');
  } catch {
    throw encryptedDamaged('it was changed after it was encrypted, and its checksum was made to fit');
  }
}

export async function sealModernFormat(
  plainText: string,
  password: string,
  randomBytes: (size: number) => Uint8Array,
  cost: ScryptCost = COST,
): Promise<string> {
  const salt = randomBytes(SALT_BYTES);
  const nonce = randomBytes(NONCE_BYTES);
  const keys = await deriveKeys(password, salt, cost);
  const header = [
    FIRST_LINE,
    `scrypt:N=${cost.N},r=${cost.r},p=${cost.p}`,
    `salt:${Buffer.from(salt).toString('base64')}`,
    `check:${keys.check.toString('base64')}`,
  ].join('\n');
  const cipher = createCipheriv('aes-256-gcm', keys.encryption, nonce, { authTagLength: TAG_BYTES });
  cipher.setAAD(Buffer.from(header));
  const body = Buffer.concat([nonce, cipher.update(plainText, 'utf8'), cipher.final(), cipher.getAuthTag()]);
  const lines = [header, `sha256:${checksum(header, body)}`, ...wrapLines(body.toString('base64'), WIDTH)];
  return `${lines.join('\n')}\n`;
}

interface Envelope {
  /** The authenticated lines, as they were when they were sealed. */
  readonly header: string;
  readonly cost: ScryptCost;
  readonly salt: Buffer;
  readonly check: Buffer;
  readonly body: Buffer;
}

function readEnvelope(text: string): Envelope {
  const content = text.startsWith('\uFEFF') ? text.slice(1) : text;
  if (/[^\t\n\r -~]/.test(content)) throw encryptedDamaged('it has characters that no encrypted file has');
  const lines = content
    .split(/\r\n|\n|\r/)
    .map((line) => line.trim())
    .filter((line) => line !== '');

  const [firstLine = '', costLine = '', saltLine = '', checkLine = '', sumLine = ''] = lines;
  if (firstLine !== FIRST_LINE) {
    throw encryptedUnsupported(
      'The file is encrypted in a version of the format that this satellite does not know.',
      'Decrypt it with the satellite that wrote it, or a newer one. If it was written by this one, it is damaged.',
    );
  }
  const cost = /^scrypt:N=([1-9]\d{0,9}),r=([1-9]\d{0,9}),p=([1-9]\d{0,9})$/.exec(costLine);
  const salt = readField(saltLine, 'salt:', SALT_BYTES);
  const check = readField(checkLine, 'check:', CHECK_BYTES);
  const sum = /^sha256:([0-9a-f]{64})$/.exec(sumLine);
  if (!cost || !salt || !check || !sum) throw encryptedDamaged('its header is not complete');
  const body = decodeBase64(lines.slice(HEADER_LINES).join(''));
  if (!body || body.length < NONCE_BYTES + TAG_BYTES) {
    throw encryptedDamaged('its body is not valid base64, characters are missing or wrong');
  }
  const header = lines.slice(0, HEADER_LINES - 1).join('\n');
  if (checksum(header, body) !== sum[1]) throw encryptedDamaged('its checksum does not fit');
  return {
    header,
    cost: affordable({ N: Number(cost[1]), r: Number(cost[2]), p: Number(cost[3]) }),
    salt,
    check,
    body,
  };
}

function readField(line: string, name: string, size: number): Buffer | undefined {
  const bytes = line.startsWith(name) ? decodeBase64(line.slice(name.length)) : undefined;
  return bytes?.length === size ? bytes : undefined;
}

function affordable(cost: ScryptCost): ScryptCost {
  const { N, r, p } = cost;
  // The last line is scrypt's own rule (RFC 7914 §2), which OpenSSL would answer with an error of its own.
  if (
    128 * r * Math.max(N, p) > MAX_MEMORY_BYTES ||
    N * r * p > MAX_WORK ||
    !(N >= 2 && Number.isInteger(Math.log2(N)) && Math.log2(N) < 16 * r)
  ) {
    throw encryptedUnsupported(
      `The encrypted file asks for scrypt with N=${N}, r=${r}, p=${p}, which this satellite does not do.`,
      `It takes at most ${MAX_MEMORY_BYTES / 2 ** 20} MiB and N·r·p up to ${MAX_WORK}. No satellite writes such a file: ask where it comes from.`,
    );
  }
  return cost;
}

async function deriveKeys(password: string, salt: Uint8Array, cost: ScryptCost) {
  const { N, r, p } = cost;
  // Node refuses more than 32 MiB unless told; what OpenSSL counts is a little over 128 · r · (N + p).
  const master = await scryptAsync(password, salt, { N, r, p, maxmem: 128 * r * (N + p + 4) });
  const derive = (purpose: string, size: number) =>
    Buffer.from(hkdfSync('sha256', master, '', `${FIRST_LINE} ${purpose}`, size));
  return { encryption: derive('encryption', KEY_BYTES), check: derive('check', CHECK_BYTES) };
}

function scryptAsync(password: string, salt: Uint8Array, options: ScryptOptions): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    scrypt(password, salt, KEY_BYTES, options, (error, key) => (error ? reject(error) : resolve(key)));
  });
}

function checksum(header: string, body: Buffer): string {
  return createHash('sha256').update(`${header}\n`).update(body).digest('hex');
}
