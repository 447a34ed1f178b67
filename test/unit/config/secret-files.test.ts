import { execFileSync } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { loadConfig } from '../../../src/config/load.ts';
import { configFile, minimal } from './config-file.ts';

const mkfifo = 'mkfifo';
const text = minimal().replace('api_key: secret-1', 'api_key_file: key');

test('a directory is told as one, however many files are in it', async () => {
  const { dir, path } = await configFile(text);
  await mkdir(join(dir, 'key'));
  // Names that take more than the 64 KiB of a secret.
  const names = Array.from({ length: 400 }, (_, index) => `${index}`.padEnd(250, '-'));
  await Promise.all(names.map((name) => writeFile(join(dir, 'key', name), '')));
  await expect(loadConfig({ path, cwd: dir, env: {} })).rejects.toThrow('api_key_file: this is a directory');
});

test('a socket is told as no file', async () => {
  const { dir, path } = await configFile(text);
  const server = createServer();
  await new Promise<void>((resolve) => void server.listen(join(dir, 'key'), resolve));
  try {
    await expect(loadConfig({ path, cwd: dir, env: {} })).rejects.toThrow('api_key_file: this is not a file');
  } finally {
    server.close();
  }
});

test('a pipe is read, as <(…) makes one', async () => {
  const { dir, path } = await configFile(text);
  execFileSync(mkfifo, ['-m', '600', join(dir, 'key')]);
  const [{ config }] = await Promise.all([
    loadConfig({ path, cwd: dir, env: {} }),
    writeFile(join(dir, 'key'), 'of-a-pipe\n'),
  ]);
  expect(config.integrations[0]?.credentials).toMatchObject({ password: 'of-a-pipe' });
});

test('what stands in for a secret that cannot be read is no secret', async () => {
  const { dir, path } = await configFile(text);
  const told = new Set<string>();
  const onSecrets = (secrets: readonly string[]) => secrets.forEach((secret) => void told.add(secret));
  await expect(loadConfig({ path, cwd: dir, env: {}, onSecrets })).rejects.toThrow('there is no such file');
  expect([...told]).toEqual(['sei-key-1']);
});

test('a proxy may have a word for its password, in a file as well; an account may not', async () => {
  const proxy = 'proxy:\n  host: proxy.example.com\n  port: 3128\n  username: us\n  password_file: key\n';
  const withProxy = await configFile(minimal('', proxy));
  await writeFile(join(withProxy.dir, 'key'), 'changeme\n', { mode: 0o600 });
  const { config } = await loadConfig({ path: withProxy.path, cwd: withProxy.dir, env: {} });
  expect(config.satellite.proxy).toMatchObject({ password: 'changeme' });
  const { dir, path } = await configFile(text);
  await writeFile(join(dir, 'key'), 'changeme\n', { mode: 0o600 });
  await expect(loadConfig({ path, cwd: dir, env: {} })).rejects.toThrow('a placeholder was left in this file');
});
