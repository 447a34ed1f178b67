import { Command, CommanderError } from 'commander';
import { toSatelliteError } from '../errors.ts';
import { guardOutput } from '../ops/output.ts';
import { Redactor } from '../ops/redact.ts';
import { satelliteVersion } from '../version.ts';
import { endingText } from './ending.ts';
import { exitCodeOf, exitCodes } from './exit-code.ts';
import { helpWidth } from './help.ts';

/**
 * The command line with the commands that are registered.
 *
 * @returns the exit code
 */
export async function commandLine(
  argv: readonly string[],
  register: (program: Command, redactor: Redactor) => void,
): Promise<number> {
  const redactor = new Redactor();
  guardProcess(redactor);
  const program = new Command('satellite')
    .description('Crawls an on-prem Bitbucket for Harness SEI')
    .version(satelliteVersion(process.env))
    .configureHelp({ helpWidth })
    .exitOverride()
    .showSuggestionAfterError();
  register(program, redactor);
  try {
    await program.parseAsync(argv);
    return Number(process.exitCode ?? exitCodes.ok);
  } catch (thrown) {
    if (thrown instanceof CommanderError) return thrown.exitCode === 0 ? exitCodes.ok : exitCodes.usage;
    const error = toSatelliteError(thrown);
    process.stderr.write(endingText(error, redactor));
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
    if (!isSaid) process.stderr.write(`${redactor.text(thrown.stack ?? String(thrown))}\n[INTERNAL]\n`);
    process.exit(exitCodes.internal);
  });
}
