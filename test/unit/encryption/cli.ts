import { Command } from 'commander';
import { registerDecrypt } from '../../../src/commands/decrypt.ts';
import { registerEncrypt } from '../../../src/commands/encrypt.ts';
import { toSatelliteError } from '../../../src/errors.ts';

/** The two commands alone, as a process of their own: for the tests that need real pipes and a real terminal. */
const program = new Command('satellite');
registerEncrypt(program, process);
registerDecrypt(program, process);
try {
  await program.parseAsync();
} catch (thrown) {
  const error = toSatelliteError(thrown);
  process.stderr.write(`${error.code}: ${error.message} ${error.hint}\n`);
  process.exitCode = error.kind === 'storage' ? 74 : 78;
}
