import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { decryptConfig, encryptConfig, encryptedFormat, looksEncrypted } from '../../../src/config/encryption.ts';
import { codeOf, errorOf, everythingOf } from './errors-of.ts';

const VECTOR = {
  password: 'correct horse 42',
  plainText: 'satellite:\n  tenant: demo\n',
  salt: Uint8Array.from({ length: 16 }, (_, i) => i),
  iv: Uint8Array.from({ length: 16 }, (_, i) => 0xf0 + i),
  encrypted: 'AAECAwQFBgcICQoLDA0OD/Dx8vP09fb3+Pn6+/z9/v/8thOY2mX3VcYoZ7E81R9DzNPu0niH43rjWMy9d0ql+Q==',
};
const CONFIG = 'satellite:\n  tenant: démo\n  api_key: "canary-plaintext-5c1e"\n';
const PASSWORD = 'canary-password-93af';

const printable = fc.string({ unit: 'grapheme-ascii', minLength: 1, maxLength: 40 });
const anyText = fc.string({ unit: 'binary', maxLength: 300 });

describe('the vendor format', () => {
  test('the vector that the JDK cipher gives is decrypted', async () => {
    expect(await decryptConfig(VECTOR.encrypted, VECTOR.password)).toBe(VECTOR.plainText);
  });

  test('the same bytes come out for the same salt and IV', async () => {
    const chosen = [VECTOR.salt, VECTOR.iv];
    const randomBytes = (size: number) => {
      const bytes = chosen.shift();
      if (bytes?.length !== size) throw new Error(`${size} bytes asked for`);
      return bytes;
    };
    const encrypted = await encryptConfig(VECTOR.plainText, VECTOR.password, { format: 'vendor', randomBytes });
    expect(encrypted).toBe(VECTOR.encrypted);
  });

  test('any text comes back with any printable password', async () => {
    await fc.assert(
      fc.asyncProperty(anyText, printable, async (plainText, password) => {
        const encrypted = await encryptConfig(plainText, password, { format: 'vendor' });
        expect(looksEncrypted(encrypted)).toBe(true);
        expect(await decryptConfig(encrypted, password)).toBe(plainText);
      }),
      { numRuns: 200 },
    );
  });

  test.each([
    ['a line feed at the end', `${VECTOR.encrypted}\n`],
    ['a byte order mark and Windows line ends', `\uFEFF${VECTOR.encrypted}\r\n`],
    ['blanks around', `\n\n   ${VECTOR.encrypted}\t \n`],
    ['lines of 20', VECTOR.encrypted.replace(/.{20}/g, '$&\n')],
    ['indented lines with Windows ends', VECTOR.encrypted.replace(/.{20}/g, '$& \r\n    ')],
  ])('%s do not matter', async (_name, text) => {
    expect(looksEncrypted(text)).toBe(true);
    expect(await decryptConfig(text, VECTOR.password)).toBe(VECTOR.plainText);
  });

  test('every wrong password is reported as wrong or damaged', async () => {
    await fc.assert(
      fc.asyncProperty(printable, async (password) => {
        fc.pre(password !== VECTOR.password);
        const error = await errorOf(decryptConfig(VECTOR.encrypted, password));
        expect(error).toMatchObject({ code: 'CONFIG_PASSWORD_WRONG', kind: 'config' });
        expect(error.message).toContain('or the encrypted file is damaged');
      }),
      { numRuns: 300 },
    );
  });

  test('every truncation is damaged, or not recognised any more; none is decrypted', async () => {
    for (let length = 0; length < VECTOR.encrypted.length; length++) {
      const cut = VECTOR.encrypted.slice(0, length);
      expect([length, looksEncrypted(cut)]).toEqual([length, length === 64]);
      const expected =
        length < 16 ? 'CONFIG_NOT_ENCRYPTED' : length === 64 ? 'CONFIG_PASSWORD_WRONG' : 'CONFIG_ENCRYPTED_DAMAGED';
      expect([length, await codeOf(decryptConfig(cut, VECTOR.password))]).toEqual([length, expected]);
    }
  });

  test.each([
    ['a character outside base64', VECTOR.encrypted.replace('C', '!')],
    ['a character of the other base64 alphabet', VECTOR.encrypted.replace('/', '_')],
    ['a missing character', VECTOR.encrypted.replace('C', '')],
    ['missing padding', VECTOR.encrypted.replace('==', '')],
    ['stray bits in the last character', VECTOR.encrypted.replace('+Q==', '+R==')],
    ['a space within a line', VECTOR.encrypted.replace('C', 'C ')],
    ['the blob twice', VECTOR.encrypted + VECTOR.encrypted],
    ['salt and IV alone', Buffer.alloc(32).toString('base64')],
    ['a block cut in the middle', Buffer.alloc(60).toString('base64')],
  ])('%s is damage, and is said before the password is looked at', async (_name, text) => {
    expect(looksEncrypted(text)).toBe(false);
    expect(await codeOf(decryptConfig(text, 'wrong'))).toBe('CONFIG_ENCRYPTED_DAMAGED');
  });

  test.each(['pässword', 'tab\there', 'emoji 🔑', '\u0000'])(
    'the password %j is refused with a reason',
    async (password) => {
      for (const work of [
        encryptConfig(CONFIG, password, { format: 'vendor' }),
        decryptConfig(VECTOR.encrypted, password),
      ]) {
        const error = await errorOf(work);
        expect(error).toMatchObject({ code: 'CONFIG_PASSWORD_UNUSABLE', kind: 'config' });
        expect(error.message).toContain('printable ASCII');
        expect(everythingOf(error)).not.toContain(password);
      }
    },
  );

  test('a character that NFC makes ASCII is as good as that', async () => {
    const encrypted = await encryptConfig(CONFIG, '\u212Aelvin', { format: 'vendor' });
    expect(await decryptConfig(encrypted, 'Kelvin')).toBe(CONFIG);
  });
});

describe('the modern format', () => {
  test('any text comes back with any password, and only with that', async () => {
    const passwords = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 30 });
    await fc.assert(
      fc.asyncProperty(anyText, passwords, async (plainText, password) => {
        const encrypted = await encryptConfig(plainText, password, { format: 'modern' });
        expect(looksEncrypted(encrypted)).toBe(true);
        expect(await decryptConfig(encrypted, password)).toBe(plainText);
        expect(await codeOf(decryptConfig(encrypted, `${password}x`))).toBe('CONFIG_PASSWORD_WRONG');
      }),
      { numRuns: 5 },
    );
  }, 120_000);

  test('the password may be composed or decomposed', async () => {
    const encrypted = await encryptConfig(CONFIG, 'pa\u0308ssword', { format: 'modern' });
    expect(await decryptConfig(encrypted, 'p\u00e4ssword')).toBe(CONFIG);
  });

  test('the same text and password never give the same file', async () => {
    const [one, other] = await Promise.all([
      encryptConfig(CONFIG, PASSWORD, { format: 'modern' }),
      encryptConfig(CONFIG, PASSWORD, { format: 'modern' }),
    ]);
    const lines = one.split('\n');
    const shared = other.split('\n').filter((line) => line !== '' && lines.includes(line));
    expect(shared).toEqual(['satellite-encrypted:v1', 'scrypt:N=32768,r=8,p=3']);
  });
});

describe('both formats', () => {
  test.each([undefined, '', '\n', '\r\n'])('the password %j is a missing one', async (password) => {
    expect(await codeOf(decryptConfig(VECTOR.encrypted, password))).toBe('CONFIG_PASSWORD_MISSING');
    expect(await codeOf(encryptConfig(CONFIG, password, { format: 'modern' }))).toBe('CONFIG_PASSWORD_MISSING');
  });

  test('a line end after the password is not part of it, as mounted secrets often have one', async () => {
    expect(await decryptConfig(VECTOR.encrypted, `${VECTOR.password}\n`)).toBe(VECTOR.plainText);
    expect(await decryptConfig(VECTOR.encrypted, `${VECTOR.password}\r\n`)).toBe(VECTOR.plainText);
  });

  test('a password that is half a character is refused', async () => {
    expect(await codeOf(encryptConfig(CONFIG, 'half \uD83D', { format: 'modern' }))).toBe('CONFIG_PASSWORD_UNUSABLE');
  });

  test.each([
    ['nothing', ''],
    ['a config', CONFIG],
    ['one word', 'satellite'],
    ['a config with a long key', `satellite:\n  api_key: ${'k'.repeat(2000)}\n`],
    ['JSON', '{"satellite":{"tenant":"demo"}}'],
    ['JSON with a long key', ` {"satellite":{"api_key":"${'k'.repeat(2000)}"}}`],
    ['a key that begins like our first line', 'satellite-encrypted: true\n'],
    ['the first line further down', '# x\nsatellite-encrypted:v1\n'],
  ])('%s is not taken for encrypted', async (_name, text) => {
    expect(looksEncrypted(text)).toBe(false);
    expect(encryptedFormat(text)).toBeUndefined();
    expect(await codeOf(decryptConfig(text, PASSWORD))).toBe('CONFIG_NOT_ENCRYPTED');
  });

  test('a megabyte of anything is told apart in no time', () => {
    const size = 2 ** 20;
    const hostile = [' ', '\n', '\t\r', 'A', '= ', 'satellite-encrypted:', ' \n', 'A\n'].map((unit) =>
      unit.repeat(size / unit.length),
    );
    for (const text of hostile) {
      const start = performance.now();
      looksEncrypted(`${text}x`);
      encryptedFormat(`${text}x`);
      expect(performance.now() - start).toBeLessThan(1000);
    }
  });

  test('no error carries the password or a piece of the plain text', async () => {
    for (const format of ['modern', 'vendor'] as const) {
      const encrypted = await encryptConfig(CONFIG, PASSWORD, { format });
      const middle = encrypted.length - 40;
      const failures = await Promise.all([
        errorOf(decryptConfig(encrypted, `${PASSWORD}-wrong`)),
        errorOf(decryptConfig(encrypted.slice(0, -9), PASSWORD)),
        errorOf(decryptConfig(`${encrypted.slice(0, middle)}!${encrypted.slice(middle + 1)}`, PASSWORD)),
        errorOf(decryptConfig(CONFIG, PASSWORD)),
        errorOf(encryptConfig(CONFIG, `${PASSWORD}\uD800`, { format })),
      ]);
      for (const error of failures) {
        expect(error.kind).toBe('config');
        expect(error.hint).toBeTruthy();
        expect(everythingOf(error)).not.toMatch(/canary|5c1e|93af|démo/);
      }
    }
  });
});
