import type { Bitbucket } from '../bitbucket/bitbucket.ts';
import type { IntegrationConfig } from '../config/config.ts';
import { counted } from './format.ts';
import type { Tell } from './step.ts';

/**
 * What Bitbucket grants this user.
 *
 * @returns requests per second; undefined: no limit is known
 */
export async function readRateLimit(
  bitbucket: Bitbucket,
  userName: string,
  { requestsPerSecond }: IntegrationConfig['rateLimit'],
  tell: Tell,
): Promise<number | undefined> {
  const limit = await bitbucket.rateLimit(userName);
  const { capacity, fillRate } = limit?.settings ?? {};
  if (limit?.whitelisted === true) {
    tell({ detail: 'this user is exempt' });
    return undefined;
  }
  if (typeof fillRate !== 'number' || fillRate <= 0) {
    tell({ detail: 'none is known' });
    return undefined;
  }
  const burst = typeof capacity === 'number' ? `${counted(capacity, 'request', 'requests')} at once, then ` : '';
  tell({ detail: `${burst}${fillRate} a second` });
  if (requestsPerSecond !== undefined && requestsPerSecond > fillRate) {
    tell({
      warning: true,
      code: 'RATE_ABOVE_LIMIT',
      hint: `rate_limit.requests_per_second is ${requestsPerSecond}: set it below ${fillRate}, or the satellite is held up again and again, and whoever else uses this account with it.`,
    });
  }
  return fillRate;
}
