import { SatelliteError } from '../errors.ts';
import type { Account } from './accounts.ts';
import type { Bitbucket } from './bitbucket.ts';

/**
 * Asks, once per account and process, for the rate that the server allows it, and keeps to it from then on: with it no
 * request is ever refused. Where the server does not say, its 429s will.
 */
export async function obeyAllowedRate(account: Account, bitbucket: Bitbucket): Promise<void> {
  if (account.gate.knowsAllowedRate) return;
  try {
    const userName = await bitbucket.userName();
    const limit = userName === undefined ? undefined : await bitbucket.rateLimit(userName);
    const isExempt = limit === undefined || limit.whitelisted === true;
    account.gate.limitTo(isExempt ? undefined : (limit.settings?.fillRate ?? undefined));
  } catch (error) {
    // Refused credentials end the job wherever they are met; nothing else about a mere courtesy may.
    if (!(error instanceof SatelliteError) || error.kind === 'auth' || error.kind === 'config') throw error;
  }
}
