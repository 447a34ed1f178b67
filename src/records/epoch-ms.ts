import type { BitbucketDate } from '../bitbucket/types.ts';

const ISO_8601 = /^(\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d(?:\.\d+)?)?)(?:Z|([+-]\d\d):?(\d\d)?)?$/;

/**
 * A date of Bitbucket's as epoch milliseconds, undefined when it is no date. REST answers hold numbers; Data Center 10.x
 * writes ISO 8601 into webhooks, as `….266Z` and as `…+0000` without the colon (bitbucket-dc-rest §6). No zone is UTC.
 */
export function epochMs(value: BitbucketDate | null | undefined): number | undefined {
  if (typeof value === 'number') return Number.isFinite(value) ? Math.trunc(value) : undefined;
  if (typeof value !== 'string') return undefined;
  if (/^-?\d+$/.test(value)) return epochMs(Number(value));
  const [, local, hours = '+00', minutes = '00'] = ISO_8601.exec(value) ?? [];
  const ms = Date.parse(`${local}${hours}:${minutes}`);
  return Number.isNaN(ms) ? undefined : ms;
}
