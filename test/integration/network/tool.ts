import { spawnSync } from 'node:child_process';
import { networkInterfaces } from 'node:os';
import { describe, test } from '@jest/globals';

export const openssl = 'openssl';
export const tinyproxy = 'tinyproxy';

/**
 * As `describe`, where the program is installed; elsewhere the tests are skipped, and it is said why.
 *
 * @param program has the same name as its Debian package
 */
export function describeWith(program: string): typeof describe | typeof describe.skip {
  if (spawnSync(program, ['-v']).error === undefined) return describe;
  process.stderr.write(`Skipped: ${program} is not installed (Debian: apt-get install ${program})\n`);
  return describe.skip;
}

const addresses = Object.values(networkInterfaces()).flatMap((all) => all ?? []);

/** As `test`, where the machine has IPv6. */
export const testIpv6 = addresses.some(({ address }) => address === '::1') ? test : test.skip;
