import type { IntegrationConfig } from '../config/config.ts';

/** What the crawl is going to be held up by. */
export interface Rate {
  readonly perSecond: number;
  readonly because: string;
}

/**
 * The requests per second that a crawl will come to: the least of what the file allows, what the server grants the user,
 * and what so many requests at a time make when each takes as long as those of this check did.
 *
 * @param grantedPerSecond undefined: no limit of the server's is known
 */
export function expectedRate(
  { requestsPerSecond, maxInFlight }: IntegrationConfig['rateLimit'],
  { grantedPerSecond, latencyMs }: { readonly grantedPerSecond: number | undefined; readonly latencyMs: number },
): Rate {
  const rates: Rate[] = [
    {
      perSecond: (maxInFlight * 1000) / Math.max(1, latencyMs),
      because: `${maxInFlight} at a time, ${Math.max(1, Math.round(latencyMs))} ms each as just now`,
    },
  ];
  if (requestsPerSecond !== undefined) {
    rates.push({ perSecond: requestsPerSecond, because: 'rate_limit.requests_per_second' });
  }
  if (grantedPerSecond !== undefined) rates.push({ perSecond: grantedPerSecond, because: 'the limit of Bitbucket' });
  return rates.reduce((slowest, rate) => (rate.perSecond <= slowest.perSecond ? rate : slowest));
}
