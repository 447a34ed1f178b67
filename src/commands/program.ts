import type { Command } from 'commander';
import type { Redactor } from '../ops/redact.ts';
import { registerCheck } from './check.ts';
import { commandLine } from './command-line.ts';
import { registerDecrypt } from './decrypt.ts';
import { registerEncrypt } from './encrypt.ts';
import { addHelpSections, configEnvironment, networkEnvironment } from './help.ts';
import { registerInit } from './init.ts';
import { registerRun } from './run.ts';
import { registerScan } from './scan.ts';
import { registerSchema } from './schema.ts';
import { registerStatus } from './status.ts';
import { registerStore } from './store.ts';
import { registerSupportBundle } from './support-bundle.ts';
import { registerValidate } from './validate.ts';

/**
 * @param stopped resolves when `run` is to end; undefined: it listens for that itself
 * @returns the exit code
 */
export function main(argv: readonly string[], stopped?: Promise<NodeJS.Signals>): Promise<number> {
  return commandLine(argv, (program, redactor) => registerAll(program, redactor, stopped));
}

function registerAll(program: Command, redactor: Redactor, stopped?: Promise<NodeJS.Signals>): void {
  registerInit(program, redactor);
  registerCheck(program, redactor);
  registerRun(program, redactor, stopped);
  registerScan(program, redactor);
  registerStatus(program, redactor);
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
      'satellite status                    # what the running one does, and what fails',
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
}
