import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { loadConfig } from '../../../src/config/load.ts';
import { isDistinct, passwordsInUrl } from '../../../src/config/secrets.ts';

test('every secret of a file is told, used or not, and also when the file is refused', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'satellite-secrets-'));
  try {
    await writeFile(join(folder, 'key'), 'from-a-file\n', { mode: 0o600 });
    const yml = {
      satellite: {
        tenant: 'acct',
        api_key_file: 'key',
        url: 'https://sei.example.com/gratis/sei/api',
        proxy: { host: 'proxy', port: 1, username: 'u', password: 'of-the-proxy' },
      },
      integrations: [
        {
          id: '1',
          application: 'bitbucket_server',
          url: 'https://someone:in-the-url@bitbucket.example.com',
          username: 'reader',
          // biome-ignore lint/suspicious/noTemplateCurlyInString: the satellite fills it in
          api_key: '${SECRET}',
          token: 'beside-it',
          pass_word: 'by-a-wrong-key',
        },
        { id: '2', application: 'jira', api_key: 'of-another-application' },
      ],
      satelite: { api_key: 'in-a-wrong-section' },
    };
    const told = new Set<string>();
    const load = (text: object) =>
      writeFile(join(folder, 'satellite.yml'), JSON.stringify(text), { mode: 0o600 }).then(() =>
        loadConfig({
          path: join(folder, 'satellite.yml'),
          env: { SECRET: 'from-the-environment' },
          cwd: folder,
          onSecrets: (secrets) => secrets.forEach((secret) => void told.add(secret)),
        }),
      );
    const expected = [
      'from-a-file',
      'of-the-proxy',
      'someone:in-the-url',
      'in-the-url',
      'from-the-environment',
      'beside-it',
      'by-a-wrong-key',
      'of-another-application',
      'in-a-wrong-section',
    ];
    await load(yml);
    expect([...told].sort()).toEqual(expected.sort());
    told.clear();
    await expect(load({ ...yml, satellite: { ...yml.satellite, tenant: '' } })).rejects.toThrow('tenant');
    expect([...told].sort()).toEqual(expected.sort());
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});

test('the password in an address, as it is written and as it is meant', () => {
  expect(passwordsInUrl('http://user:p%40ss%2Fword@proxy:8080/x')).toEqual([
    'p%40ss%2Fword',
    'p@ss/word',
    'user:p@ss/word',
  ]);
  expect(passwordsInUrl('https://0123456789abcdef0@host')).toEqual(['0123456789abcdef0', '0123456789abcdef0']);
  expect(passwordsInUrl('https://reader@host/a@b')).toEqual([]);
  expect(passwordsInUrl('https://host/~ada@example.com:1')).toEqual([]);
  expect(passwordsInUrl('ledger, PAY/*')).toEqual([]);
});

test.each([
  ['2147', false],
  ['2147483648', false],
  ['2026-11-28T10:00', false],
  ['127.0.0.1:8090', false],
  ['satellite', false],
  ['Satellite', false],
  ['satellite_requests_total', false],
  ['abc-123', false],
  ['hunter22', true],
  ['bytesMax', false],
  ['oldestPageAgeSeconds', false],
  ['hORSEbattery', true],
  ['correct horse battery staple', true],
  ['51f0c2aa', true],
  ['p&ssword', true],
])('%s is like nothing that we say ourselves: %s', (secret, expected) => {
  expect(isDistinct(secret)).toBe(expected);
});
