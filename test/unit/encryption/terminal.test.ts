import { execFile, execFileSync } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { decryptConfig } from '../../../src/config/encryption.ts';

const run = promisify(execFile);
const HERE = import.meta.dirname;
const VECTOR = 'AAECAwQFBgcICQoLDA0OD/Dx8vP09fb3+Pn6+/z9/v/8thOY2mX3VcYoZ7E81R9DzNPu0niH43rjWMy9d0ql+Q==';
let folder = '';

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'terminal-'));
  await writeFile(join(folder, 'vendor.yml'), VECTOR);
  await writeFile(join(folder, 'plain.yml'), 'satellite: {}\n');
});
afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
});

function pythonHasTerminals(): boolean {
  try {
    execFileSync('python3', ['-c', 'import pty, termios'], { stdio: 'ignore' });
    return true;
  } catch {
    process.stderr.write('skipped: the prompt at a real terminal, because there is no python3 with pty\n');
    return false;
  }
}

interface Session {
  readonly screen: string;
  readonly stdout: string;
  readonly stderr: string;
  readonly code: number;
  readonly echoedWhileAsking: readonly boolean[];
  readonly echoesAtTheEnd: boolean;
  readonly stepsLeft: number;
}

async function atTerminal(args: string[], steps: [string, string][], env = {}): Promise<Session> {
  const command = [process.execPath, fileURLToPath(new URL('./cli.ts', import.meta.url)), ...args];
  const { stdout } = await run('python3', [join(HERE, 'pseudo-terminal.py'), JSON.stringify(steps), ...command], {
    cwd: folder,
    env: { ...process.env, ENCRYPTION_PASSWORD: '', ...env },
  });
  return JSON.parse(stdout);
}

const HIDDEN = { echoesAtTheEnd: true, stepsLeft: 0 };

(pythonHasTerminals() ? describe : describe.skip)('at a real terminal', () => {
  test('decrypt asks without echo', async () => {
    const session = await atTerminal(['decrypt', 'vendor.yml'], [['Password: ', 'correct horsex\x7f 42\r']]);
    expect(session).toMatchObject({ ...HIDDEN, code: 0, stderr: '', echoedWhileAsking: [false] });
    expect(session.stdout).toBe('satellite:\n  tenant: demo\n');
    expect(session.screen).toBe('Password: \r\n');
  });

  test('encrypt asks twice', async () => {
    const steps: [string, string][] = [
      ['New password: ', 'pässwörd\r'],
      ['again: ', 'pässwörd\r'],
    ];
    const session = await atTerminal(['encrypt', 'plain.yml', '--out', 'secret.yml'], steps);
    expect(session).toMatchObject({ ...HIDDEN, code: 0, stdout: '', stderr: '', echoedWhileAsking: [false, false] });
    expect(session.screen).toBe('New password: \r\nThe same password again: \r\n');
    const encrypted = await readFile(join(folder, 'secret.yml'), 'utf8');
    expect(await decryptConfig(encrypted, 'pässwörd')).toBe('satellite: {}\n');
  });

  test('Ctrl-C gives the terminal back and writes nothing', async () => {
    const session = await atTerminal(['decrypt', 'vendor.yml'], [['Password: ', 'correct\x03']]);
    expect(session).toMatchObject({ ...HIDDEN, code: 130, stdout: '', stderr: '', echoedWhileAsking: [false] });
  });

  test('two different passwords give the terminal back too', async () => {
    const steps: [string, string][] = [
      ['New password: ', 'one\r'],
      ['again: ', 'other\r'],
    ];
    const session = await atTerminal(['encrypt', 'plain.yml'], steps);
    expect(session).toMatchObject({ ...HIDDEN, code: 78, stdout: '' });
    expect(session.stderr).toContain('CONFIG_PASSWORD_MISMATCH');
  });

  test('SIGTERM gives the terminal back', async () => {
    const session = await atTerminal(['decrypt', 'vendor.yml'], [['Password: ', 'SIGTERM']]);
    expect(session).toMatchObject({ ...HIDDEN, stdout: '', echoedWhileAsking: [false] });
    expect(session.code).not.toBe(0);
  });

  test('stdin and stderr do where /dev/tty cannot be opened', async () => {
    const steps: [string, string][] = [['Password: ', 'correct horse 42\r']];
    const session = await atTerminal(['decrypt', 'vendor.yml'], steps, { NO_SESSION: '1' });
    expect(session).toMatchObject({ ...HIDDEN, code: 0, echoedWhileAsking: [false], screen: 'Password: \r\n' });
    expect(session.stdout).toBe('satellite:\n  tenant: demo\n');
  });

  test('a file on stdin leaves the terminal for the password', async () => {
    const session = await atTerminal(['decrypt', '-'], [['Password: ', 'correct horse 42\r']], { PIPE_STDIN: VECTOR });
    expect(session).toMatchObject({ ...HIDDEN, code: 0, stdout: 'satellite:\n  tenant: demo\n' });
  });

  test('a password that is piped in is taken without a question', async () => {
    const session = await atTerminal(['decrypt', 'vendor.yml'], [], { PIPE_STDIN: 'correct horse 42\n' });
    expect(session).toMatchObject({ code: 0, screen: '', stdout: 'satellite:\n  tenant: demo\n' });
  });
});
