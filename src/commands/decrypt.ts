import type { Command } from 'commander';
import { decryptConfig, encryptedFormat } from '../config/encryption.ts';
import { notEncrypted } from '../config/encryption-errors.ts';
import { checkOutput, type OutputOptions, readBytes, writeOutput } from '../config/encryption-file.ts';
import type { EncryptionIo } from './encrypt.ts';
import { addHelpSections, encryptionExitCodes } from './help.ts';
import { EXIT_CANCELLED, readPassword } from './password.ts';

interface DecryptCommand extends OutputOptions {
  /** A path, or `-` for stdin. */
  readonly file: string;
}

/**
 * Writes the plain text of a file in either format, and gives the exit code. Nothing is written unless all of it is
 * right.
 *
 * @throws {SatelliteError} the errors of `readPassword`, `decryptConfig`, `readBytes` and `writeOutput`
 */
export async function decrypt(command: DecryptCommand, io: EncryptionIo): Promise<number> {
  await checkOutput(command);
  const fromStdin = command.file === '-';
  const text = (await readBytes(fromStdin ? io.stdin : command.file)).toString('utf8');
  if (encryptedFormat(text) === undefined) throw notEncrypted();
  const password = await readPassword({ confirm: false, stdinTaken: fromStdin }, io);
  if (password === undefined) return EXIT_CANCELLED;

  await writeOutput(await decryptConfig(text, password), command, io.stdout);
  return 0;
}

export function registerDecrypt(program: Command, io: EncryptionIo): void {
  const command = program
    .command('decrypt')
    .description("decrypt a satellite.yml, of this satellite's format or the vendor's")
    .argument('<file>', 'the encrypted file; - reads it from stdin')
    .option('--out <file>', 'write to this file, readable by you alone (mode 0600), instead of stdout')
    .option('--force', 'replace the --out file if it exists')
    .action(async (file: string, options: Omit<DecryptCommand, 'file'>) => {
      io.exitCode = await decrypt({ ...options, file }, io);
    });
  addHelpSections(command, {
    notes: NOTES,
    examples: [
      'satellite decrypt satellite.enc.yml',
      'satellite decrypt satellite.enc.yml --out satellite.yml',
      'satellite decrypt config.yml < password.txt > plain.yml',
      'ssh host cat satellite.yml | satellite decrypt -',
    ],
    environment: ['ENCRYPTION_PASSWORD'],
    exitCodes: encryptionExitCodes,
  });
}

const NOTES = `
The password, never taken from the command line, comes from
  1. the terminal, without echo, when stdin is a terminal or <file> is -
  2. ENCRYPTION_PASSWORD, also when only Enter is typed at the prompt
  3. the first line of stdin
`;
