import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { redactor, secretsOf } from '../../../src/check/redact.ts';
import type { Config, IntegrationConfig } from '../../../src/config/config.ts';

const secret = fc.string({ minLength: 4, maxLength: 40, unit: 'grapheme' }).filter((text) => !/[\p{Cc}]/u.test(text));

describe('redactor', () => {
  test('no secret is left, wherever it stands and whatever stands around it', () => {
    fc.assert(
      fc.property(
        fc.array(secret, { minLength: 1, maxLength: 4 }),
        fc.string(),
        fc.string(),
        (secrets, before, after) => {
          const redact = redactor(secrets);
          for (const one of secrets) expect(redact(`${before}${one}${after}`)).not.toContain(one);
        },
      ),
    );
  });

  test('nor the beginning of one that a text was cut in', () => {
    fc.assert(
      fc.property(secret, fc.string(), fc.nat(), (one, before, length) => {
        const start = one.slice(0, 4 + (length % (one.length - 3)));
        expect(redactor([one])(`${before} ${start}`).endsWith(start)).toBe(false);
      }),
    );
  });

  test('short ones are taken out where they stand alone only', () => {
    const redact = redactor(['abc', '.']);
    expect(redact('the password abc of abcdef was "abc"')).toBe('the password *** of abcdef was "***"');
  });

  test('what looks like an expression is none', () => {
    expect(redactor(['a.c', '$&', '(x'])('a.c abc $& (x')).toBe('*** abc *** ***');
  });

  test('what would move the cursor is taken out, line ends stay', () => {
    expect(redactor([])('one\u001b[2Jtwo\r\nthree\u0007')).toBe('one [2Jtwo \nthree ');
  });
});

test('every secret of a configuration is known, the proxies’ too', () => {
  const integration = (id: string, credentials: IntegrationConfig['credentials']) => ({
    id,
    url: 'https://bitbucket.example.com',
    credentials,
    allCredentials: [credentials],
  });
  const config = {
    satellite: { url: 'https://sei.example.com', apiKey: 'sei-key' },
    integrations: [
      integration('1', { kind: 'basic', username: 'ada', password: 'p&ss wörd' }),
      integration('2', { kind: 'bearer', token: 'the-token' }),
    ],
  } as unknown as Config;
  const redact = redactor(secretsOf(config, { HTTPS_PROXY: 'http://user:pr%2Fxy-pass@proxy:8080' }));
  const login = Buffer.from('ada:p&ss wörd').toString('base64');
  for (const form of [
    'sei-key',
    'p&ss wörd',
    'p&amp;ss wörd',
    'p%26ss%20w%C3%B6rd',
    'the-token',
    'pr/xy-pass',
    'pr%2Fxy-pass',
    login,
    Buffer.from('user:pr/xy-pass').toString('base64'),
  ]) {
    expect(redact(`<${form}>`)).toBe('<***>');
  }
});
