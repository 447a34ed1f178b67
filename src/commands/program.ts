import { Command, CommanderError } from 'commander';
import { toSatelliteError } from '../errors.ts';
import { satelliteVersion } from '../version.ts';
import { registerDecrypt } from './decrypt.ts';
import { registerEncrypt } from './encrypt.ts';
import { exitCodeOf, exitCodes } from './exit-code.ts';
import { registerRun } from './run.ts';
import { registerScan } from './scan.ts';
import { registerStore } from './store.ts';
import { registerValidate } from './validate.ts';

/**
 * The command line.
 *
 * @returns the exit code
 */
export async function main(argv: readonly string[]): Promise<number> {
  const program = new Command('satellite')
    .description('Crawls an on-prem Bitbucket for Harness SEI')
    .version(satelliteVersion(process.env))
    .exitOverride()
    .showSuggestionAfterError();
  registerRun(program);
  registerScan(program);
  registerValidate(program);
  registerStore(program);
  registerEncrypt(program, process);
  registerDecrypt(program, process);
  try {
    await program.parseAsync(argv);
    return Number(process.exitCode ?? exitCodes.ok);
  } catch (thrown) {
    if (thrown instanceof CommanderError) return thrown.exitCode === 0 ? exitCodes.ok : exitCodes.usage;
    const error = toSatelliteError(thrown);
    process.stderr.write(`${error.message}\n${error.hint === undefined ? '' : `${error.hint}\n`}`);
    if (error.kind === 'bug') process.stderr.write(`${(error.cause as Error | undefined)?.stack ?? error.stack}\n`);
    return exitCodeOf(error);
  }
}
