import { createCipheriv, createDecipheriv, createHash, hkdfSync, randomBytes, scryptSync } from 'node:crypto';
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { openModernFormat, sealModernFormat } from '../../../src/config/modern-format.ts';
import { codeOf, errorOf } from './errors-of.ts';

/** Real costs would take minutes for what follows, and change nothing about it. */
const CHEAP = { N: 2, r: 1, p: 1 };
const PLAIN = 'satellite:\n  tenant: demo\n';
const counting = () => {
  let next = 0;
  return (size: number) => Uint8Array.from({ length: size }, () => next++);
};
const sealed = await sealModernFormat(PLAIN, 'a password', counting(), CHEAP);
const DAMAGED = 'CONFIG_ENCRYPTED_DAMAGED';
const UNSUPPORTED = 'CONFIG_ENCRYPTED_UNSUPPORTED';

/** As an attacker would: whatever was changed, the checksum fits again. */
function withFittingChecksum(text: string): string {
  const lines = text.split('\n');
  const body = Buffer.from(lines.slice(5).join(''), 'base64');
  lines[4] = `sha256:${createHash('sha256')
    .update(`${lines.slice(0, 4).join('\n')}\n`)
    .update(body)
    .digest('hex')}`;
  return lines.join('\n');
}

describe('the file', () => {
  test('is what it was when the format was fixed: files of older satellites must stay readable', async () => {
    expect(sealed).toBe(
      [
        'satellite-encrypted:v1',
        'scrypt:N=2,r=1,p=1',
        'salt:AAECAwQFBgcICQoLDA0ODw==',
        'check:RsXYNP/2fwZFVRPepUNOeQ==',
        'sha256:72e0882073643560932ecf1fabe44bc1b6ea2c8e3d660345b71e10b3e9b3c98c',
        'EBESExQVFhcYGRob7wkIsKQZniQArfxcCi9mhrcJzBZx+/wN+3B3DxfKLnKAmsS1dr2Ri721',
        '',
      ].join('\n'),
    );
    expect(await openModernFormat(sealed, 'a password')).toBe(PLAIN);
  });

  test('has lines of 76 at most and ends in a line feed', async () => {
    const text = await sealModernFormat('x'.repeat(5000), 'a password', randomBytes, CHEAP);
    const lines = text.split('\n');
    expect(lines.pop()).toBe('');
    expect(Math.max(...lines.map((line) => line.length))).toBe(76);
  });

  test('any text comes back', async () => {
    const texts = fc.string({ unit: 'binary', maxLength: 2000 });
    await fc.assert(
      fc.asyncProperty(texts, fc.string({ minLength: 1 }), async (plainText, password) => {
        const text = await sealModernFormat(plainText, password, randomBytes, CHEAP);
        expect(await openModernFormat(text, password)).toBe(plainText);
      }),
      { numRuns: 300 },
    );
  });

  test.each([
    ['Windows line ends', sealed.replaceAll('\n', '\r\n')],
    ['a byte order mark', `\uFEFF${sealed}`],
    ['no line feed at the end', sealed.trimEnd()],
    ['blank lines and indentation', `\n\n${sealed.replaceAll('\n', ' \n\n    ')}\n`],
    ['other line lengths', sealed.replace(/=*\n$/, (end) => `\n${end}`)],
  ])('%s do not matter', async (_name, text) => {
    expect(await openModernFormat(text, 'a password')).toBe(PLAIN);
  });

  test('a wrong password is told from damage', async () => {
    const error = await errorOf(openModernFormat(sealed, 'another password'));
    expect(error).toMatchObject({ code: 'CONFIG_PASSWORD_WRONG', kind: 'config' });
    expect(error.message).toContain('the encrypted file itself is whole');
  });

  test('every truncation is an error of the right kind, with the right password and with a wrong one', async () => {
    // The last character is the line feed, which is nobody's data.
    for (let length = 0; length < sealed.length - 1; length++) {
      const expected = length < 'satellite-encrypted:v1'.length ? UNSUPPORTED : DAMAGED;
      for (const password of ['a password', 'wrong']) {
        const code = await codeOf(openModernFormat(sealed.slice(0, length), password));
        expect([length, code]).toEqual([length, expected]);
      }
    }
  });

  test('every flipped bit is an error of the right kind, with the right password and with a wrong one', async () => {
    const bytes = Buffer.from(sealed);
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const at = bit >> 3;
      const flipped = Buffer.from(bytes);
      flipped.writeUInt8(bytes.readUInt8(at) ^ (1 << (bit & 7)), at);
      const expected = at <= 'satellite-encrypted:v1'.length ? /UNSUPPORTED|DAMAGED/ : /DAMAGED/;
      for (const password of ['a password', 'wrong']) {
        const code = await codeOf(openModernFormat(flipped.toString('utf8'), password));
        if (!expected.test(code)) throw new Error(`bit ${bit}: ${code}`);
      }
    }
  });

  test('a change whose checksum was made to fit is found by the authentication', async () => {
    const lines = sealed.split('\n');
    for (let at = 0; at < (lines[5] ?? '').length - 2; at++) {
      const body = lines[5] ?? '';
      const changed = `${body.slice(0, at)}${body[at] === 'A' ? 'B' : 'A'}${body.slice(at + 1)}`;
      const text = withFittingChecksum(lines.with(5, changed).join('\n'));
      expect([at, await codeOf(openModernFormat(text, 'a password'))]).toEqual([at, DAMAGED]);
    }
  });

  test('the format is the documented one, the header authenticated with the rest', async () => {
    const lines = sealed.trimEnd().split('\n');
    const body = Buffer.from(lines.slice(5).join(''), 'base64');
    const salt = Buffer.from(lines[2]?.slice('salt:'.length) ?? '', 'base64');
    const master = scryptSync('a password', salt, 32, CHEAP);
    const derive = (purpose: string, size: number) =>
      Buffer.from(hkdfSync('sha256', master, '', `satellite-encrypted:v1 ${purpose}`, size));
    expect(lines[3]).toBe(`check:${derive('check', 16).toString('base64')}`);

    const key = derive('encryption', 32);
    const decipher = createDecipheriv('aes-256-gcm', key, body.subarray(0, 12));
    decipher.setAAD(Buffer.from(lines.slice(0, 4).join('\n'))).setAuthTag(body.subarray(-16));
    expect(`${decipher.update(body.subarray(12, -16), undefined, 'utf8')}${decipher.final('utf8')}`).toBe(PLAIN);

    const cipher = createCipheriv('aes-256-gcm', key, body.subarray(0, 12));
    const unbound = Buffer.concat([body.subarray(0, 12), cipher.update(PLAIN), cipher.final(), cipher.getAuthTag()]);
    const text = withFittingChecksum([...lines.slice(0, 5), unbound.toString('base64')].join('\n'));
    expect(await codeOf(openModernFormat(text, 'a password'))).toBe(DAMAGED);
  });
});

describe('what the header may ask for', () => {
  const asking = (cost: string) => withFittingChecksum(sealed.replace('scrypt:N=2,r=1,p=1', `scrypt:${cost}`));

  test.each([
    'N=1073741824,r=8,p=1',
    'N=262144,r=8,p=1',
    'N=131072,r=9,p=1',
    'N=131072,r=8,p=5',
    'N=2,r=9999999999,p=1',
    'N=2,r=1,p=9999999999',
    'N=2,r=1048577,p=1',
    'N=3,r=8,p=1',
    'N=1,r=8,p=1',
    'N=65536,r=1,p=1',
  ])('%s is refused without trying', async (cost) => {
    const start = performance.now();
    const error = await errorOf(openModernFormat(asking(cost), 'a password'));
    expect(error).toMatchObject({ code: UNSUPPORTED, kind: 'config' });
    expect(error.message).toContain(cost.split(',')[0]);
    expect(performance.now() - start).toBeLessThan(1000);
  });

  test.each(['N=0,r=8,p=1', 'N=-2,r=8,p=1', 'N=2e3,r=8,p=1', 'N=02,r=8,p=1', 'N=2,r=8', 'N=2, r=8, p=1', ''])(
    '%j is not even a request',
    async (cost) => {
      expect(await codeOf(openModernFormat(asking(cost), 'a password'))).toBe(DAMAGED);
    },
  );

  test.each(['N=131072,r=8,p=1', 'N=131072,r=8,p=4', 'N=32768,r=1,p=1', 'N=2,r=524288,p=2', 'N=2,r=1,p=1048576'])(
    '%s is the most there is, and ends',
    async (cost) => {
      expect(await codeOf(openModernFormat(asking(cost), 'a password'))).toBe('CONFIG_PASSWORD_WRONG');
    },
  );

  test('any numbers end in one of our errors', async () => {
    const powers = fc.integer({ min: 0, max: 22 }).map((exponent) => 2 ** exponent);
    const numbers = fc.oneof(powers, fc.integer({ min: 1, max: 40 }), fc.integer({ min: 1, max: 2 ** 31 }));
    await fc.assert(
      fc.asyncProperty(numbers, numbers, numbers, async (N, r, p) => {
        const code = await codeOf(openModernFormat(asking(`N=${N},r=${r},p=${p}`), 'wrong'));
        expect(['CONFIG_PASSWORD_WRONG', UNSUPPORTED]).toContain(code);
      }),
      { numRuns: 100 },
    );
  }, 180_000);

  test('a later version of the format is named as such', async () => {
    const error = await errorOf(openModernFormat(sealed.replace(':v1', ':v2'), 'a password'));
    expect(error.code).toBe(UNSUPPORTED);
    expect(error.message).toContain('version');
  });
});
