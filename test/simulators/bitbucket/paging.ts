import { badArgument } from './errors.ts';
import type { JsonObject } from './representation.ts';

export interface PageRequest {
  readonly start: number;
  /** As asked for, clamped to the cap; the answer says which. */
  readonly limit: number;
}

const defaultLimit = 25;

export function pageRequest(query: URLSearchParams, cap: number): PageRequest {
  const start = nonNegative(query, 'start') ?? 0;
  const limit = nonNegative(query, 'limit') || defaultLimit;
  return { start, limit: Math.min(limit, cap) };
}

/**
 * One page of `items`. With `filtered`, items seem to have been taken out after the page was cut, as permissions do
 * on a real server: pages come short or empty without being the last, and a start is nothing one could compute.
 */
export function page<T>(
  items: readonly T[],
  request: PageRequest,
  present: (item: T) => JsonObject,
  filtered: boolean,
): JsonObject {
  const { start, limit } = request;
  const { position, turn } = filtered ? opened(start) : { position: start, turn: 0 };
  const left = Math.max(0, items.length - position);
  const size = Math.min(left, filtered ? filteredSize(turn, limit, left) : limit);
  const isLastPage = size === left;
  const next = position + size;
  return {
    size,
    limit,
    isLastPage,
    values: items.slice(position, next).map(present),
    start,
    nextPageStart: isLastPage ? undefined : filtered ? sealed(next, turn + 1) : next,
  };
}

/** Half a page, an empty one, a full one, and so on. */
function filteredSize(turn: number, limit: number, left: number): number {
  if (turn % 3 === 1) return 0;
  return turn % 3 === 2 ? limit : Math.ceil(Math.min(limit, left) / 2);
}

/** A start that holds position and turn, and no number that a client could arrive at by adding. */
function sealed(position: number, turn: number): number {
  return (position * 3 + (turn % 3)) * 7 + 5;
}

function opened(start: number): { position: number; turn: number } {
  const packed = (start - 5) / 7;
  if (start === 0) return { position: 0, turn: 0 };
  if (!Number.isInteger(packed) || packed < 0) throw badArgument(`start ${start} was never handed out`);
  return { position: Math.floor(packed / 3), turn: packed % 3 };
}

function nonNegative(query: URLSearchParams, name: string): number | undefined {
  const text = query.get(name);
  if (text === null) return undefined;
  if (!/^\d+$/.test(text)) throw badArgument(`${name} has to be a number, not '${text}'`);
  return Number(text);
}
