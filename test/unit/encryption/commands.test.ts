import { spawn } from 'node:child_process';
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough, Readable } from 'node:stream';
import { buffer, text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { decrypt } from '../../../src/commands/decrypt.ts';
import { encrypt } from '../../../src/commands/encrypt.ts';
import { encryptConfig } from '../../../src/config/encryption.ts';
import { writeOutput } from '../../../src/config/encryption-file.ts';

const CLI = fileURLToPath(new URL('./cli.ts', import.meta.url));
const PLAIN = '\uFEFFsatellite:\r\n  tenant: démo\r\n';
const VECTOR = 'AAECAwQFBgcICQoLDA0OD/Dx8vP09fb3+Pn6+/z9/v/8thOY2mX3VcYoZ7E81R9DzNPu0niH43rjWMy9d0ql+Q==';
let root = '';
let folder = '';
let runs = 0;

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'encryption-'));
});
beforeEach(async () => {
  folder = join(root, String(runs++));
  await mkdir(folder);
  await writeFile(join(folder, 'plain.yml'), PLAIN);
});
afterAll(async () => {
  await rm(root, { recursive: true, force: true });
});

/** A process in a session of its own: no terminal, whoever runs the tests. */
async function satellite(
  args: string[],
  { stdin = '', env = {} }: { stdin?: string; env?: Record<string, string> } = {},
) {
  const { ENCRYPTION_PASSWORD: _, ...inherited } = process.env;
  const child = spawn(process.execPath, [CLI, ...args], {
    cwd: folder,
    env: { ...inherited, ...env },
    detached: true,
  });
  child.stdin.on('error', () => {});
  child.stdin.end(stdin);
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
  const [stdout, stderr] = await Promise.all([buffer(child.stdout), buffer(child.stderr)]);
  return { code: await ended, stdout: stdout.toString(), stderr: stderr.toString() };
}

const inFolder = (name: string) => join(folder, name);
const modeOf = async (name: string) => ((await stat(inFolder(name))).mode & 0o777).toString(8);

describe.each([
  ['our format', []],
  ["the vendor's format", ['--vendor-format']],
])('%s', (_name, flags) => {
  test('encrypt and decrypt take one line of stdin, write to stdout, and give the same bytes back', async () => {
    const encrypted = await satellite(['encrypt', 'plain.yml', ...flags], { stdin: 'pass word\n' });
    expect(encrypted).toMatchObject({ code: 0, stderr: '' });
    expect(encrypted.stdout.endsWith('\n')).toBe(true);
    await writeFile(inFolder('secret.yml'), encrypted.stdout);

    const decrypted = await satellite(['decrypt', 'secret.yml'], { stdin: 'pass word\n' });
    expect(decrypted).toEqual({ code: 0, stdout: PLAIN, stderr: '' });
    const wrong = await satellite(['decrypt', 'secret.yml'], { stdin: 'password\n' });
    expect(wrong).toMatchObject({ code: 78, stdout: '' });
    expect(wrong.stderr).toMatch(/^CONFIG_PASSWORD_WRONG: /);
  });
});

test('a file that the vendor’s tool wrote is decrypted', async () => {
  await writeFile(inFolder('config.yml'), VECTOR);
  const { stdout } = await satellite(['decrypt', 'config.yml'], { stdin: 'correct horse 42' });
  expect(stdout).toBe('satellite:\n  tenant: demo\n');
});

describe('--out', () => {
  const env = { ENCRYPTION_PASSWORD: 'pass word' };

  test('writes a file that only its owner can read, and nothing else beside it', async () => {
    const { code, stdout } = await satellite(['encrypt', 'plain.yml', '--out', 'out.yml'], { env });
    expect([code, stdout, await modeOf('out.yml')]).toEqual([0, '', '600']);
    expect((await readdir(folder)).sort()).toEqual(['out.yml', 'plain.yml']);
    const { code: back } = await satellite(['decrypt', 'out.yml', '--out', 'again.yml'], { env });
    expect([back, await readFile(inFolder('again.yml'), 'utf8'), await modeOf('again.yml')]).toEqual([0, PLAIN, '600']);
  });

  test('refuses a file that is there, before asking for a password', async () => {
    await writeFile(inFolder('out.yml'), 'precious');
    const { code, stderr } = await satellite(['encrypt', 'plain.yml', '--out', 'out.yml']);
    expect([code, stderr]).toEqual([78, expect.stringMatching(/^CONFIG_OUTPUT_EXISTS: .*--force/)]);
    expect(await readFile(inFolder('out.yml'), 'utf8')).toBe('precious');
  });

  test('of several at once, one writes and the others are refused', async () => {
    const texts = Array.from({ length: 8 }, (_, i) => `content ${i}`);
    const out = inFolder('out.yml');
    const results = await Promise.allSettled(texts.map((text) => writeOutput(text, { out }, new PassThrough())));
    const written = texts.filter((_, i) => results[i]?.status === 'fulfilled');
    expect(written).toEqual([await readFile(out, 'utf8')]);
    for (const result of results) {
      if (result.status === 'rejected') expect(result.reason).toMatchObject({ code: 'CONFIG_OUTPUT_EXISTS' });
    }
    expect((await readdir(folder)).sort()).toEqual(['out.yml', 'plain.yml']);
  });

  test('replaces it with --force, and closes it to others', async () => {
    await chmod(inFolder('plain.yml'), 0o666);
    const { code } = await satellite(['encrypt', 'plain.yml', '--out', 'plain.yml', '--force'], { env });
    expect([code, await modeOf('plain.yml')]).toEqual([0, '600']);
    expect(await readFile(inFolder('plain.yml'), 'utf8')).toMatch(/^satellite-encrypted:v1\n/);
    expect(await readdir(folder)).toEqual(['plain.yml']);
  });

  test('leaves the file as it was when the password is wrong', async () => {
    await writeFile(inFolder('secret.yml'), await encryptConfig(PLAIN, 'another', { format: 'vendor' }));
    await writeFile(inFolder('out.yml'), 'precious');
    const { code } = await satellite(['decrypt', 'secret.yml', '--out', 'out.yml', '--force'], { env });
    expect([code, await readFile(inFolder('out.yml'), 'utf8')]).toEqual([78, 'precious']);
  });

  test.each([
    ['a folder', '.', 'is not a plain file'],
    ['a device', '/dev/null', 'is not a plain file'],
    ['a link', 'link.yml', 'is not a plain file'],
    ['a folder that is not there', 'missing/out.yml', 'does not exist'],
    ['a file as a folder', 'plain.yml/out.yml', 'not a folder'],
  ])('%s is refused even with --force', async (_name, out, reason) => {
    await symlink('plain.yml', inFolder('link.yml'));
    const { code, stderr } = await satellite(['encrypt', 'plain.yml', '--force', '--out', out], { env });
    expect([code, stderr]).toEqual([74, expect.stringMatching(`CONFIG_OUTPUT_FAILED: .*${reason}`)]);
    expect((await readdir(folder)).sort()).toEqual(['link.yml', 'plain.yml']);
  });
});

describe('the file', () => {
  const env = { ENCRYPTION_PASSWORD: 'pass word' };

  test('may come from stdin, the password from the environment', async () => {
    const { stdout, stderr } = await satellite(['decrypt', '-'], {
      stdin: VECTOR,
      env: { ENCRYPTION_PASSWORD: 'correct horse 42' },
    });
    expect(stdout).toBe('satellite:\n  tenant: demo\n');
    expect(stderr).toBe('Using the password in ENCRYPTION_PASSWORD.\n');
  });

  test('and the password cannot both come from stdin', async () => {
    const { code, stderr } = await satellite(['decrypt', '-'], { stdin: `correct horse 42\n${VECTOR}` });
    expect(code).toBe(78);
    // Blank or not, stdin is the file.
    expect(stderr).toMatch(/CONFIG_(PASSWORD_MISSING|ENCRYPTED_DAMAGED)/);
    const plain = await satellite(['encrypt', '-'], { stdin: PLAIN });
    expect([plain.code, plain.stderr]).toEqual([
      78,
      expect.stringMatching(/CONFIG_PASSWORD_MISSING.*comes from stdin/),
    ]);
  });

  test.each([
    ['encrypt', 'missing.yml', 'CONFIG_UNREADABLE: missing.yml cannot be read: it does not exist'],
    ['encrypt', '.', 'CONFIG_UNREADABLE: . cannot be read: it is a folder'],
    ['encrypt', '/dev/zero', 'CONFIG_UNREADABLE: /dev/zero cannot be read: more than 16 MiB'],
    ['encrypt', 'empty.yml', 'CONFIG_EMPTY: The file is empty'],
    ['encrypt', 'utf16.yml', 'CONFIG_NOT_UTF8: '],
    ['encrypt', 'vendor.yml', 'CONFIG_ALREADY_ENCRYPTED: '],
    ['decrypt', 'plain.yml', 'CONFIG_NOT_ENCRYPTED: '],
    ['decrypt', 'empty.yml', 'CONFIG_NOT_ENCRYPTED: '],
    ['decrypt', 'utf16.yml', 'CONFIG_NOT_ENCRYPTED: '],
    ['decrypt', 'missing.yml', 'CONFIG_UNREADABLE: '],
  ])('%s %s: %s', async (command, file, message) => {
    await writeFile(inFolder('empty.yml'), ' \n');
    await writeFile(inFolder('utf16.yml'), Buffer.from(`\uFEFF${PLAIN}`, 'utf16le'));
    await writeFile(inFolder('vendor.yml'), VECTOR);
    const { code, stdout, stderr } = await satellite([command, file], { env });
    expect([code, stdout, stderr.slice(stderr.indexOf('CONFIG'))]).toEqual([78, '', expect.stringContaining(message)]);
  });
});

test('as functions they need nothing of the process', async () => {
  const io = () => ({
    stdin: Readable.from([Buffer.from('pass word\n')]),
    stdout: new PassThrough(),
    stderr: new PassThrough(),
    env: {},
  });
  const [out, back] = [inFolder('out.yml'), io()];
  expect(await encrypt({ file: inFolder('plain.yml'), out }, io())).toBe(0);
  expect(await decrypt({ file: out }, back)).toBe(0);
  expect(String(back.stdout.read())).toBe(PLAIN);
});

test('a reader that goes away is an error, not a crash', async () => {
  const child = spawn(process.execPath, [CLI, 'encrypt', 'plain.yml'], {
    cwd: folder,
    env: { ...process.env, ENCRYPTION_PASSWORD: 'pass word' },
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  child.stdout.destroy();
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
  expect(await text(child.stderr)).toContain('CONFIG_OUTPUT_FAILED: Standard output cannot be written: the reader');
  expect(await ended).toBe(74);
});

test.each(['encrypt', 'decrypt'])(
  '%s --help names the sources of the password, the variables and the exit codes',
  async (command) => {
    const { code, stdout } = await satellite([command, '--help']);
    expect(code).toBe(0);
    for (const part of ['Examples:', 'Environment variables:', 'Exit codes:', 'without echo', '--out <file>']) {
      expect(stdout).toContain(part);
    }
  },
);
