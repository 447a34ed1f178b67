import { PassThrough, Readable } from 'node:stream';
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { type PasswordIo, pressKey, readPassword, type Terminal } from '../../../src/commands/password.ts';
import { errorOf } from './errors-of.ts';

const ASK_ONCE = { confirm: false, stdinTaken: false };
const ASK_TWICE = { confirm: true, stdinTaken: false };

/** A terminal at which the chunks are typed, and what was seen of it. */
function fakeTerminal(...chunks: (string | Buffer)[]) {
  const seen = { raw: [] as boolean[], closed: 0, screen: '' };
  const input = Object.assign(Readable.from(chunks.map((chunk) => Buffer.from(chunk))), {
    setRawMode: (raw: boolean) => seen.raw.push(raw),
  });
  const output = new PassThrough();
  output.on('data', (text: Buffer) => {
    seen.screen += text.toString();
  });
  const terminal: Terminal = { input, output, close: () => void seen.closed++ };
  return { terminal, seen };
}

function fakeIo({
  stdin = [],
  isTTY = false,
  env = {},
  terminal,
}: {
  stdin?: (string | Buffer)[];
  isTTY?: boolean;
  env?: Record<string, string>;
  terminal?: Terminal;
}) {
  const stderr = new PassThrough();
  const io: PasswordIo = {
    stdin: Object.assign(Readable.from(stdin.map((chunk) => Buffer.from(chunk))), isTTY ? { isTTY } : {}),
    stderr,
    env,
    openTerminal: () => terminal,
  };
  return { io, said: () => String(stderr.read() ?? '') };
}

describe('at a terminal', () => {
  test('the password is asked for and not shown', async () => {
    const { terminal, seen } = fakeTerminal('se', 'cret\r');
    const { io } = fakeIo({ isTTY: true, terminal });
    expect(await readPassword(ASK_ONCE, io)).toBe('secret');
    expect(seen).toEqual({ raw: [true, false], closed: 1, screen: 'Password: \n' });
  });

  test('it is asked twice for encrypting; both may come in one chunk', async () => {
    const { terminal, seen } = fakeTerminal('secret\nsecret\n');
    const { io } = fakeIo({ isTTY: true, terminal });
    expect(await readPassword(ASK_TWICE, io)).toBe('secret');
    expect(seen.screen).toBe('New password: \nThe same password again: \n');
  });

  test('two different ones are refused, and the terminal is given back', async () => {
    const { terminal, seen } = fakeTerminal('secret\r', 'secrte\r');
    const { io } = fakeIo({ isTTY: true, terminal });
    const error = await errorOf(readPassword(ASK_TWICE, io));
    expect(error).toMatchObject({ code: 'CONFIG_PASSWORD_MISMATCH', kind: 'config' });
    expect(error.message + error.hint).not.toContain('secr');
    expect(seen).toMatchObject({ raw: [true, false], closed: 1 });
  });

  test.each([
    ['Ctrl-C', ['sec\x03']],
    ['Ctrl-C at the second question', ['secret\r', 'se\x03']],
    ['Ctrl-D on an empty line', ['\x04']],
    ['a terminal that goes away', ['sec']],
  ])('%s cancels, and the terminal is given back', async (_name, chunks) => {
    const { terminal, seen } = fakeTerminal(...chunks);
    const { io } = fakeIo({ isTTY: true, terminal });
    expect(await readPassword(ASK_TWICE, io)).toBeUndefined();
    expect(seen).toMatchObject({ raw: [true, false], closed: 1 });
  });

  test.each([
    ['backspace', 'secx\x7fret', 'secret'],
    ['the other backspace', 'secx\x08ret', 'secret'],
    ['backspace beyond the beginning', '\x7f\x7fa', 'a'],
    ['backspace over a character outside the BMP', 'a🔑\x7fb', 'ab'],
    ['Ctrl-U', 'wrong\x15secret', 'secret'],
    ['arrow keys', 'sec\x1b[Dr\x1bOAet', 'secret'],
    ['a key with modifiers', 'sec\x1b[1;5Cret\x1b[3~', 'secret'],
    ['control characters', 'se\x01c\x1ar\te\x00t', 'secret'],
    ['Ctrl-D within a line', 'sec\x04ret', 'secret'],
    ['spaces', ' two words ', ' two words '],
  ])('%s: %j', async (_name, typed, expected) => {
    const { terminal } = fakeTerminal(`${typed}\r`);
    expect(await readPassword(ASK_ONCE, fakeIo({ isTTY: true, terminal }).io)).toBe(expected);
  });

  test('characters may be cut anywhere between two chunks', async () => {
    const bytes = Buffer.from('pä🔑\x1b[Dß\r');
    for (let at = 1; at < bytes.length; at++) {
      const { terminal } = fakeTerminal(bytes.subarray(0, at), bytes.subarray(at));
      expect(await readPassword(ASK_ONCE, fakeIo({ isTTY: true, terminal }).io)).toBe('pä🔑ß');
    }
  });

  test('whatever is pressed, the line has no control characters', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (keys) => {
        let line = pressKey({ characters: [], state: 'typing', escape: 'none' }, 'a');
        for (const key of keys) line = pressKey(line, key);
        expect(line.characters.join('')).not.toMatch(/\p{Cc}/u);
      }),
    );
  });

  test('it comes before ENCRYPTION_PASSWORD, which Enter alone stands for', async () => {
    const env = { ENCRYPTION_PASSWORD: 'from env' };
    const typed = fakeTerminal('typed\r', 'typed\r');
    expect(await readPassword(ASK_TWICE, fakeIo({ isTTY: true, env, terminal: typed.terminal }).io)).toBe('typed');
    const enter = fakeTerminal('\r');
    expect(await readPassword(ASK_TWICE, fakeIo({ isTTY: true, env, terminal: enter.terminal }).io)).toBe('from env');
    expect(enter.seen.screen).toContain('Enter: the one in ENCRYPTION_PASSWORD');
  });

  test('Enter alone without that is a missing password', async () => {
    const { terminal } = fakeTerminal('\r');
    const error = await errorOf(readPassword(ASK_ONCE, fakeIo({ isTTY: true, terminal }).io));
    expect(error.code).toBe('CONFIG_PASSWORD_MISSING');
  });
});

describe('without a terminal', () => {
  test('ENCRYPTION_PASSWORD comes before stdin, and that is said', async () => {
    const { io, said } = fakeIo({ env: { ENCRYPTION_PASSWORD: 'from env' }, stdin: ['from stdin\n'] });
    expect(await readPassword(ASK_TWICE, io)).toBe('from env');
    expect(said()).toBe('Using the password in ENCRYPTION_PASSWORD.\n');
  });

  test.each([
    ['a line', ['secret\n']],
    ['a line without an end', ['secret']],
    ['a Windows line', ['secret\r\n']],
    ['a line in pieces', ['se', 'cr', 'et\nmore', '\n']],
    ['a line with a byte order mark', ['\uFEFFsecret\n']],
  ])('%s on stdin is the password, once', async (_name, stdin) => {
    expect(await readPassword(ASK_TWICE, fakeIo({ stdin }).io)).toBe('secret');
  });

  test.each([
    ['nothing', []],
    ['an empty line', ['\nsecret\n']],
    ['an empty Windows line', ['\r\n']],
  ])('%s on stdin is a missing password', async (_name, stdin) => {
    const error = await errorOf(readPassword(ASK_ONCE, fakeIo({ stdin }).io));
    expect(error).toMatchObject({ code: 'CONFIG_PASSWORD_MISSING', kind: 'config' });
    expect(error.hint).toContain('ENCRYPTION_PASSWORD');
  });

  test('what is no text, or has no end, is refused', async () => {
    const invalid = await errorOf(readPassword(ASK_ONCE, fakeIo({ stdin: [Buffer.from([0x61, 0xff, 0x0a])] }).io));
    expect(invalid.code).toBe('CONFIG_PASSWORD_UNUSABLE');
    const endless = fakeIo({ stdin: Array.from({ length: 100 }, () => 'x'.repeat(1000)) });
    expect((await errorOf(readPassword(ASK_ONCE, endless.io))).code).toBe('CONFIG_PASSWORD_UNUSABLE');
  });
});

describe('when stdin is the file', () => {
  const STDIN_TAKEN = { confirm: false, stdinTaken: true };

  test('the terminal is asked', async () => {
    const { terminal } = fakeTerminal('secret\r');
    expect(await readPassword(STDIN_TAKEN, fakeIo({ stdin: ['no\n'], terminal }).io)).toBe('secret');
  });

  test('ENCRYPTION_PASSWORD does without one', async () => {
    const { io } = fakeIo({ stdin: ['no\n'], env: { ENCRYPTION_PASSWORD: 'from env' } });
    expect(await readPassword(STDIN_TAKEN, io)).toBe('from env');
  });

  test('without both it is explained', async () => {
    const error = await errorOf(readPassword(STDIN_TAKEN, fakeIo({ stdin: ['no\n'] }).io));
    expect(error.code).toBe('CONFIG_PASSWORD_MISSING');
    expect(error.hint).toContain('comes from stdin (-)');
  });
});
