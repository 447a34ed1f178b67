import { Command, CommanderError } from 'commander';
import { toSatelliteError } from '../errors.ts';
import { guardOutput } from '../ops/output.ts';
import { Redactor } from '../ops/redact.ts';
import { satelliteVersion } from '../version.ts';
import { registerCheck } from './check.ts';
import { registerDecrypt } from './decrypt.ts';
import { registerEncrypt } from './encrypt.ts';
import { exitCodeOf, exitCodes } from './exit-code.ts';
import { addHelpSections, configEnvironment, helpWidth, networkEnvironment } from './help.ts';
import { registerInit } from './init.ts';
import { registerRun } from './run.ts';
import { registerScan } from './scan.ts';
import { registerSchema } from './schema.ts';
import { registerStore } from './store.ts';
import { registerSupportBundle } from './support-bundle.ts';
import { registerValidate } from './validate.ts';

/**
 * The command line.
 *
 * @returns the exit code
 */
export async function main(argv: readonly string[]): Promise<number> {
  const redactor = new Redactor();
  guardProcess(redactor);
  const program = new Command('satellite')
    .description('Crawls an on-prem Bitbucket for Harness SEI')
    .version(satelliteVersion(process.env))
    .configureHelp({ helpWidth })
    .exitOverride()
    .showSuggestionAfterError();
  registerInit(program, redactor);
  registerCheck(program, redactor);
  registerRun(program, redactor);
  registerScan(program, redactor);
  registerValidate(program, redactor);
  registerSchema(program);
  registerStore(program, redactor);
  registerSupportBundle(program, redactor);
  registerEncrypt(program, process);
  registerDecrypt(program, process);
  addHelpSections(program, {
    examples: [
      'satellite init                      # ask, try out, write satellite.yml',
      'satellite check                     # what works, what does not, and what to do',
      'satellite run                       # take jobs from SEI until stopped',
      'satellite scan -i 4711 -o ./pages   # see what would be sent, without SEI',
      'satellite run --help                # examples, variables and exit codes of a command',
    ],
    environment: [
      ...configEnvironment,
      'STATE_DIRECTORY',
      ...networkEnvironment,
      'BUILD_VERSION',
      'NO_COLOR, FORCE_COLOR',
      'any other',
    ],
    exitCodes: [0, 1, 64, 69, 70, 74, 75, 77, 78, 130],
  });
  try {
    await program.parseAsync(argv);
    return Number(process.exitCode ?? exitCodes.ok);
  } catch (thrown) {
    if (thrown instanceof CommanderError) return thrown.exitCode === 0 ? exitCodes.ok : exitCodes.usage;
    const error = toSatelliteError(thrown);
    // A report on the configuration has its hints where they belong.
    const hint = error.hint === undefined || error.message.includes(error.hint) ? '' : `${error.hint}\n`;
    process.stderr.write(`${error.message}\n${hint}`);
    if (error.kind === 'bug') process.stderr.write(`${(error.cause as Error | undefined)?.stack ?? error.stack}\n`);
    return exitCodeOf(error);
  }
}

/** From here on nothing leaves by stdout or stderr but through the redactor, and what ends the process is said there, too. */
function guardProcess(redactor: Redactor): void {
  const flushes = [process.stdout, process.stderr].map((stream) => guardOutput(stream, redactor));
  process.on('exit', () => {
    for (const flush of flushes) flush();
  });
  process.on('uncaughtException', (thrown) => {
    // A command that logs has said it in its log.
    const isSaid = process.listenerCount('uncaughtException') > 1;
    if (!isSaid) process.stderr.write(`${thrown.stack ?? String(thrown)}\n`);
    process.exit(exitCodes.internal);
  });
}
