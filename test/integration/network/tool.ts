import { spawnSync } from 'node:child_process';
import { describe } from '@jest/globals';

/** As `describe`, where the program of that name is installed; elsewhere the tests are skipped, and it is said why. */
export function describeWith(program: string, debianPackage: string): typeof describe | typeof describe.skip {
  if (spawnSync(program, ['-v']).error === undefined) return describe;
  process.stderr.write(`Skipped: ${program} is not installed (Debian: apt-get install ${debianPackage})\n`);
  return describe.skip;
}
