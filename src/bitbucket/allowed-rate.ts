import { SatelliteError } from '../errors.ts';
import { type Account, usableAccounts } from './accounts.ts';
import type { Bitbucket } from './bitbucket.ts';
import type { BucketLimit } from './token-bucket.ts';
import type { BitbucketRateLimit } from './types.ts';

/** Clocks differ, and what is left over here fills what others have taken there. */
const refillPart = 0.99;

/**
 * The part of the server's bucket that is used: a tenth is for whoever else comes as this user, and never less than what
 * flows in while requests that started one after the other arrive together.
 *
 * @returns undefined: no limit is known
 */
export function usableLimit(limit: BitbucketRateLimit | undefined): BucketLimit | undefined {
  const { fillRate, capacity } = limit?.settings ?? {};
  if (limit?.whitelisted === true || typeof fillRate !== 'number' || !(fillRate > 0)) return undefined;
  const size = capacity ?? 0;
  const usable = Math.max(1, size - Math.max(size / 10, fillRate / 2));
  return { capacity: usable, requestsPerSecond: fillRate * refillPart };
}

/**
 * Asks for the rate of each account, all at once, and waits for the answers: but for no account that is closed for a
 * while as long as another has its answer. That one is asked when it opens, before any other request comes to it.
 *
 * @throws SatelliteError where no account is left, or something has to change before any of them can be used
 */
export async function obeyAllowedRates(
  accounts: readonly Account[],
  connect: (account: Account) => Bitbucket,
): Promise<void> {
  const unasked = accounts.filter(({ gate }) => !gate.knowsAllowedRate);
  if (unasked.length === 0) return;
  const questions = unasked.map(async (account) => {
    try {
      await obeyAllowedRate(account, connect(account));
    } catch (error) {
      if (account.refusal === undefined || usableAccounts(accounts).length === 0) throw error;
    }
  });
  if (unasked.length === accounts.length) await Promise.race(questions);
  await Promise.all(questions.map((question, index) => Promise.race([question, unasked[index]?.gate.whenPaused()])));
}

/**
 * Asks, once per account and process, for the rate that the server allows it, and keeps to it from then on: with it no
 * request is ever refused. Where the server does not say, its 429s will.
 */
async function obeyAllowedRate(account: Account, bitbucket: Bitbucket): Promise<void> {
  try {
    const userName = await bitbucket.userName();
    const limit = userName === undefined ? undefined : await bitbucket.rateLimit(userName);
    account.gate.limitTo(usableLimit(limit));
  } catch (error) {
    // Refused credentials end the job wherever they are met; nothing else about a mere courtesy may.
    if (!(error instanceof SatelliteError) || error.kind === 'auth' || error.kind === 'config') throw error;
  }
}
