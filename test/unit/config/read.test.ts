import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { encryptConfig } from '../../../src/config/encryption.ts';
import { loadConfig } from '../../../src/config/load.ts';
import { configFile, load, minimal, refusal } from './config-file.ts';

const PASSWORD = 'correct horse 42';

describe('an encrypted file', () => {
  test.each(['vendor', 'modern'] as const)(
    'in the %s format is read with the password of the environment',
    async (format) => {
      const content = await encryptConfig(minimal(), PASSWORD, { format });
      const { config } = await load(content, { env: { ENCRYPTION_PASSWORD: PASSWORD } });
      expect(config.satellite.tenant).toBe('acme');
    },
  );

  test('without the password says so', async () => {
    const content = await encryptConfig(minimal(), PASSWORD, { format: 'vendor' });
    const error = await refusal(content);
    expect(error.code).toBe('CONFIG_PASSWORD_MISSING');
    expect(error.message).toContain('satellite.yml');
    expect(error.message).toContain('ENCRYPTION_PASSWORD');
  });

  test('with the wrong password says so', async () => {
    const content = await encryptConfig(minimal(), PASSWORD, { format: 'modern' });
    const error = await refusal(content, { env: { ENCRYPTION_PASSWORD: 'another' } });
    expect(error.code).toBe('CONFIG_PASSWORD_WRONG');
  });

  test('may be decrypted by the caller', async () => {
    const content = await encryptConfig(minimal(), PASSWORD, { format: 'vendor' });
    const { config } = await load(content, { decrypt: () => minimal('', 'data_dir: /elsewhere') });
    expect(config.satellite.dataDir).toBe('/elsewhere');
  });

  test('may be read by others', async () => {
    const content = await encryptConfig(minimal(), PASSWORD, { format: 'vendor' });
    const { dir, path } = await configFile(content, 0o644);
    const { warnings } = await loadConfig({ path, cwd: dir, env: { ENCRYPTION_PASSWORD: PASSWORD } });
    expect(warnings).toEqual([]);
  });

  test('points at the line of the plain text, and keeps its secrets', async () => {
    const content = await encryptConfig(
      minimal('', 'schedule: never').replace('api_key: secret-1', 'api_key: [opal-kettle]'),
      PASSWORD,
      {
        format: 'vendor',
      },
    );
    const error = await refusal(content, { env: { ENCRYPTION_PASSWORD: PASSWORD } });
    expect(error.message).toContain('satellite.yml:5:13 satellite.schedule');
    expect(error.message).not.toContain('opal-kettle');
  });
});

describe('what is not a file to read', () => {
  test('a directory, which Docker makes of a missing file', async () => {
    const { dir } = await configFile(minimal());
    const folder = join(dir, 'config.yml');
    await mkdir(folder);
    const loading = loadConfig({ path: folder, env: {}, cwd: dir });
    await expect(loading).rejects.toMatchObject({ code: 'CONFIG_UNREADABLE', kind: 'config' });
    await expect(loading).rejects.toThrow('Docker makes a directory');
  });

  test('a file that is too large', async () => {
    const error = await refusal(`${minimal()}# ${'x'.repeat(600_000)}`);
    expect(error).toMatchObject({ code: 'CONFIG_UNREADABLE', message: expect.stringContaining('too large') });
  });
});

describe('the files that a configuration was read from', () => {
  test('are all named, so that they can be watched', async () => {
    const text = minimal('tls: {ca_file: ca.pem}').replace('api_key: secret-1', 'api_key_file: key');
    const { dir, path } = await configFile(text);
    await writeFile(join(dir, 'key'), 'secret\n', { mode: 0o600 });
    await writeFile(join(dir, 'ca.pem'), '-----BEGIN CERTIFICATE-----\nMA==\n-----END CERTIFICATE-----\n');
    const { files } = await loadConfig({ path, cwd: dir, env: {} });
    expect(files).toEqual([path, join(dir, 'key'), join(dir, 'ca.pem')]);
  });
});

test('the path in messages is short below the working directory and whole elsewhere', async () => {
  const { dir, path } = await configFile('[]');
  await expect(loadConfig({ path, cwd: dir, env: {} })).rejects.toThrow(/^satellite\.yml:1:1: /);
  await expect(loadConfig({ path, cwd: '/usr', env: {} })).rejects.toThrow(`${path}:1:1: `);
});
