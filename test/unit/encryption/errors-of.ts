import { inspect } from 'node:util';
import { SatelliteError } from '../../../src/errors.ts';

/** The SatelliteError that the work ends with; anything else, success included, fails the test. */
export async function errorOf(work: Promise<unknown>): Promise<SatelliteError> {
  try {
    await work;
  } catch (error) {
    if (error instanceof SatelliteError) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
}

export async function codeOf(work: Promise<unknown>): Promise<string> {
  return (await errorOf(work)).code;
}

/** All that a logger could make of an error: message, hint, stack, causes, own fields. */
export function everythingOf(error: SatelliteError): string {
  return inspect(error, { depth: 10, showHidden: true }) + String(error.hint) + String(error.stack);
}
