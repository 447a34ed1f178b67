import { openSync } from 'node:fs';
import type { Readable, Writable } from 'node:stream';
import { StringDecoder } from 'node:string_decoder';
import { ReadStream, WriteStream } from 'node:tty';
import { passwordMissing, passwordUnusable } from '../config/encryption-errors.ts';
import { SatelliteError } from '../errors.ts';

/*
 * Where a password comes from, in this order; never from argv, which every user of the machine can read:
 * 1. the terminal without echo, when somebody sits at it: stdin is a terminal, or the file itself comes from stdin;
 * 2. ENCRYPTION_PASSWORD; also when nothing but Enter is typed at the prompt;
 * 3. the first line of stdin, as the vendor's tools take it.
 */

/** `process` is one. */
export interface PasswordIo {
  readonly stdin: Readable & { readonly isTTY?: boolean };
  readonly stderr: Writable;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** For tests; the controlling terminal when left out. */
  readonly openTerminal?: () => Terminal | undefined;
}

export interface Terminal {
  readonly input: Readable & { setRawMode(raw: boolean): unknown };
  readonly output: Writable;
  /** Lets go of both, so that the process can end. */
  close(): void;
}

export interface PasswordRequest {
  /** Ask a second time at the terminal: a typing error would lock the file for good. */
  readonly confirm: boolean;
  /** The file is read from stdin, so the password cannot be. */
  readonly stdinTaken: boolean;
}

/** Of a command that was cancelled at the prompt: what a shell makes of Ctrl-C. */
export const EXIT_CANCELLED = 130;

/** What a password of any sense has, many times over; /dev/zero has to end somewhere. */
const MAX_LINE_BYTES = 64 * 2 ** 10;

/**
 * The password, or undefined when the user pressed Ctrl-C.
 *
 * @throws {SatelliteError} CONFIG_PASSWORD_MISSING, CONFIG_PASSWORD_MISMATCH or CONFIG_PASSWORD_UNUSABLE
 */
export async function readPassword(request: PasswordRequest, io: PasswordIo): Promise<string | undefined> {
  const fromEnvironment = io.env.ENCRYPTION_PASSWORD || undefined;
  if (io.stdin.isTTY || request.stdinTaken) {
    const terminal = (io.openTerminal ?? (() => openTerminal(io)))();
    if (terminal) return askForPassword(terminal, request.confirm, fromEnvironment);
  }
  if (fromEnvironment !== undefined) {
    // Whoever pipes a password in as well would otherwise not know which one was used.
    io.stderr.write('Using the password in ENCRYPTION_PASSWORD.\n');
    return fromEnvironment;
  }
  if (request.stdinTaken) {
    throw passwordMissing(
      'The file comes from stdin (-), so the password cannot, and there is no terminal to ask at. Set ENCRYPTION_PASSWORD, or name the file and give the password as one line on stdin.',
    );
  }
  const line = await readFirstLine(io.stdin);
  if (line === '') throw passwordMissing();
  return line;
}

/** One secret, typed at the terminal without an echo; undefined when it was cancelled. */
export async function askSecret(question: string, terminal: Terminal): Promise<string | undefined> {
  try {
    terminal.input.setRawMode(true);
    return await askHidden(question, charactersOf(terminal.input), terminal.output);
  } finally {
    terminal.input.setRawMode(false);
  }
}

async function askForPassword(
  terminal: Terminal,
  confirm: boolean,
  fromEnvironment: string | undefined,
): Promise<string | undefined> {
  const keys = charactersOf(terminal.input);
  const ask = (question: string) => askHidden(question, keys, terminal.output);
  try {
    terminal.input.setRawMode(true);
    const otherwise = fromEnvironment === undefined ? '' : ' (Enter: the one in ENCRYPTION_PASSWORD)';
    const password = await ask(`${confirm ? 'New password' : 'Password'}${otherwise}: `);
    if (password === undefined) return undefined;
    if (password === '' && fromEnvironment !== undefined) return fromEnvironment;
    if (password === '') throw passwordMissing();
    if (!confirm) return password;

    const again = await ask('The same password again: ');
    if (again === undefined || again === password) return again;
    throw new SatelliteError('The two passwords differ.', {
      code: 'CONFIG_PASSWORD_MISMATCH',
      kind: 'config',
      hint: 'Nothing was written. Run the command again.',
    });
  } finally {
    terminal.input.setRawMode(false);
    terminal.close();
  }
}

async function askHidden(
  question: string,
  keys: AsyncIterator<string, void>,
  output: Writable,
): Promise<string | undefined> {
  output.write(question);
  let line = EMPTY_LINE;
  while (line.state === 'typing') {
    const { value, done } = await keys.next();
    // A terminal that went away types no more: half a line is no password.
    line = pressKey(line, done ? CTRL_C : value);
  }
  output.write('\n');
  return line.state === 'entered' ? line.characters.join('') : undefined;
}

interface Line {
  readonly characters: readonly string[];
  readonly state: 'typing' | 'entered' | 'cancelled';
  /** Inside what an arrow or function key sends: ESC, then `[` or `O`, up to a letter or `~`. */
  readonly escape: 'none' | 'started' | 'parameters';
}

const EMPTY_LINE: Line = { characters: [], state: 'typing', escape: 'none' };
const CTRL_C = '\x03';
const CTRL_D = '\x04';
const CTRL_U = '\x15';
const ESCAPE = '\x1b';
const BACKSPACES = ['\x08', '\x7f'];

/** What the terminal itself does to a line while it echoes, done here because raw mode leaves it to the program. */
export function pressKey(line: Line, key: string): Line {
  if (key === CTRL_C) return { ...line, state: 'cancelled' };
  if (key === '\r' || key === '\n') return { ...line, state: 'entered' };
  if (line.escape === 'started') return { ...line, escape: key === '[' || key === 'O' ? 'parameters' : 'none' };
  if (line.escape === 'parameters') return { ...line, escape: /[A-Za-z~]/.test(key) ? 'none' : 'parameters' };
  if (key === ESCAPE) return { ...line, escape: 'started' };
  if (key === CTRL_D) return line.characters.length === 0 ? { ...line, state: 'cancelled' } : line;
  if (key === CTRL_U) return { ...line, characters: [] };
  if (BACKSPACES.includes(key)) return { ...line, characters: line.characters.slice(0, -1) };
  if (/\p{Cc}/u.test(key)) return line;
  return { ...line, characters: [...line.characters, key] };
}

/** One generator for both questions: what was typed or pasted ahead of the second must not be lost with the first. */
async function* charactersOf(input: Readable): AsyncGenerator<string, void> {
  const decoder = new StringDecoder('utf8');
  for await (const chunk of input) yield* decoder.write(chunk);
}

/**
 * The terminal the user sits at, whatever stdin and stderr are; those two where it cannot be opened (containers without
 * a session, Windows).
 */
export function openTerminal(io: PasswordIo): Terminal | undefined {
  try {
    const input = new ReadStream(openSync('/dev/tty', 'r'));
    const output = new WriteStream(openSync('/dev/tty', 'w'));
    const close = () => {
      input.destroy();
      output.destroy();
    };
    return { input, output, close };
  } catch {
    const { stdin, stderr } = io;
    return stdin instanceof ReadStream ? { input: stdin, output: stderr, close: () => stdin.destroy() } : undefined;
  }
}

async function readFirstLine(stdin: Readable): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of stdin) {
    const bytes = Buffer.from(chunk);
    const end = bytes.indexOf('\n');
    const wanted = end === -1 ? bytes : bytes.subarray(0, end);
    chunks.push(wanted);
    size += wanted.length;
    if (size > MAX_LINE_BYTES) {
      throw passwordUnusable(
        'the line on stdin is too long',
        'Give the password, and nothing else, on the first line.',
      );
    }
    if (end !== -1) break;
  }
  try {
    const line = new TextDecoder('utf-8', { fatal: true }).decode(Buffer.concat(chunks));
    return line.endsWith('\r') ? line.slice(0, -1) : line;
  } catch {
    throw passwordUnusable('the line on stdin is not UTF-8', 'Set the terminal or the script that sends it to UTF-8.');
  }
}
