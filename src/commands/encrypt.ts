import type { Writable } from 'node:stream';
import type { Command } from 'commander';
import { encryptConfig, looksEncrypted } from '../config/encryption.ts';
import { checkOutput, type OutputOptions, readBytes, writeOutput } from '../config/encryption-file.ts';
import { SatelliteError } from '../errors.ts';
import { addHelpSections, encryptionExitCodes } from './help.ts';
import { EXIT_CANCELLED, type PasswordIo, readPassword } from './password.ts';

/** What the two commands need of the process; `process` itself is one. */
export interface EncryptionIo extends PasswordIo {
  readonly stdout: Writable;
  exitCode?: number | string | null | undefined;
}

interface EncryptCommand extends OutputOptions {
  /** A path, or `-` for stdin. */
  readonly file: string;
  readonly vendorFormat?: boolean | undefined;
}

/**
 * Writes the file encrypted, and gives the exit code.
 *
 * @throws {SatelliteError} the errors of `readPassword`, `encryptConfig`, `readBytes` and `writeOutput`;
 * CONFIG_ALREADY_ENCRYPTED, CONFIG_EMPTY and CONFIG_NOT_UTF8
 */
export async function encrypt(command: EncryptCommand, io: EncryptionIo): Promise<number> {
  await checkOutput(command);
  const fromStdin = command.file === '-';
  const plainText = readPlainText(await readBytes(fromStdin ? io.stdin : command.file));
  const password = await readPassword({ confirm: true, stdinTaken: fromStdin }, io);
  if (password === undefined) return EXIT_CANCELLED;

  const format = command.vendorFormat ? 'vendor' : 'modern';
  const encrypted = await encryptConfig(plainText, password, { format });
  await writeOutput(encrypted.endsWith('\n') ? encrypted : `${encrypted}\n`, command, io.stdout);
  return 0;
}

function readPlainText(bytes: Buffer): string {
  let text: string;
  try {
    // A byte order mark is kept: what comes back from `decrypt` is the same file, byte by byte.
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new SatelliteError('The file is not UTF-8 text.', {
      code: 'CONFIG_NOT_UTF8',
      kind: 'config',
      hint: 'Save it as UTF-8 (editors on Windows may have saved it as UTF-16), then encrypt it.',
    });
  }
  if (text.trim() === '') {
    throw new SatelliteError('The file is empty.', {
      code: 'CONFIG_EMPTY',
      kind: 'config',
      hint: 'A shell empties a file that the output is redirected to before it is read: use --out FILE --force to replace the file itself.',
    });
  }
  if (looksEncrypted(text)) {
    throw new SatelliteError('The file is encrypted already.', {
      code: 'CONFIG_ALREADY_ENCRYPTED',
      kind: 'config',
      hint: 'To change the password or the format, decrypt it first.',
    });
  }
  return text;
}

export function registerEncrypt(program: Command, io: EncryptionIo): void {
  const command = program
    .command('encrypt')
    .description('encrypt a satellite.yml with a password')
    .argument('<file>', 'the plain file; - reads it from stdin')
    .option('--out <file>', 'write to this file, readable by you alone (mode 0600), instead of stdout')
    .option('--force', 'replace the --out file if it exists')
    .option('--vendor-format', "write what the vendor's satellite image reads: much weaker, no protection from changes")
    .action(async (file: string, options: Omit<EncryptCommand, 'file'>) => {
      io.exitCode = await encrypt({ ...options, file }, io);
    });
  addHelpSections(command, {
    notes: NOTES,
    examples: [
      'satellite encrypt satellite.yml --out satellite.enc.yml',
      'satellite encrypt satellite.yml --out satellite.yml --force',
      'satellite encrypt satellite.yml --vendor-format < password.txt > config.yml',
      'vault read ... | satellite encrypt - --out satellite.yml',
    ],
    environment: ['ENCRYPTION_PASSWORD'],
    exitCodes: encryptionExitCodes,
  });
}

const NOTES = `
The password, never taken from the command line, comes from
  1. the terminal, without echo, asked twice, when stdin is a terminal or <file> is -
  2. ENCRYPTION_PASSWORD, also when only Enter is typed at the prompt
  3. the first line of stdin

The satellite reads the encrypted file as it reads a plain one, with ENCRYPTION_PASSWORD set.
The plain file stays where it is: remove it when the encrypted one works.
`;
