import { SatelliteError } from '../errors.ts';
import type { BitbucketClient, Query } from './client.ts';
import type { BitbucketPage } from './types.ts';

export interface Page<T> {
  readonly values: readonly T[];
  /** Where this page began: asking for it again gives the same page as long as the list did not move. */
  readonly start: number;
  /** Undefined on the last page. */
  readonly nextStart: number | undefined;
}

/** So often empty one after the other, or beginning with the same item: beyond this the list does not end. */
const maxSamePages = 100;

/**
 * All pages of a list from `start` on (bitbucket-dc-rest §4). The server's own `isLastPage` and `nextPageStart` decide:
 * a page may hold fewer values than asked for, even none, and not be the last, and the next start need not be the sum of
 * the two. A list that does not end and names no later start, or names the same items over and over, is an error, never
 * the end: stopping there would lose data in silence.
 */
export async function* pages<T>(
  client: BitbucketClient,
  path: string,
  query: Query,
  start = 0,
): AsyncGenerator<Page<T>, void, undefined> {
  let next: number | undefined = start;
  const isEndless = endlessness();
  while (next !== undefined) {
    const page: BitbucketPage<T> = await client.getJson<BitbucketPage<T>>(path, { ...query, start: next });
    const current: number = next;
    next = nextStart(page, current, path);
    if (isEndless(page.values)) throw pagingError(`The same page came more than ${maxSamePages} times`, path);
    yield { values: page.values, start: current, nextStart: next };
  }
}

/**
 * Tells of each page whether the list goes round, in however many pages: every page is held against one that came before,
 * which is chosen anew after twice as many pages each time, so that it lies within the round at last.
 */
function endlessness(): (values: readonly unknown[]) => boolean {
  let pages = 0;
  let empty = 0;
  let chosen = { name: '', untilPage: 1, times: 0 };
  return (values) => {
    pages++;
    if (values.length === 0) return ++empty > maxSamePages;
    empty = 0;
    const name = nameOf(values[0]);
    if (name === chosen.name) chosen.times++;
    if (pages >= chosen.untilPage) chosen = { name, untilPage: pages * 2, times: 1 };
    return chosen.times > maxSamePages;
  };
}

/** The values of all pages, one after the other. */
export async function* values<T>(
  client: BitbucketClient,
  path: string,
  query: Query,
): AsyncGenerator<T, void, undefined> {
  for await (const page of pages<T>(client, path, query)) yield* page.values;
}

function nextStart(page: BitbucketPage<unknown>, start: number, path: string): number | undefined {
  if (!Array.isArray(page?.values) || typeof page.isLastPage !== 'boolean') {
    throw pagingError('The answer is not a page', path);
  }
  if (page.isLastPage) return undefined;
  const next = page.nextPageStart;
  if (!Number.isSafeInteger(next) || Number(next) <= start) {
    throw pagingError(`The page at ${start} is not the last, but names no later one (${String(next)})`, path);
  }
  return Number(next);
}

/** Its id where it has one: an item may carry a whole diff. */
function nameOf(value: unknown): string {
  const { id } = Object(value ?? {}) as { id?: unknown };
  return typeof id === 'number' || typeof id === 'string' ? `${id}` : JSON.stringify(value ?? null);
}

function pagingError(message: string, path: string): SatelliteError {
  return new SatelliteError(`${message}: ${path}`, { code: 'BITBUCKET_PAGING_BROKEN', kind: 'retryable', url: path });
}
