/** Deterministic chance (mulberry32): the same seed gives the same repository, to the last commit id. */
export interface Random {
  /** Uniform integer in [0, below). */
  below(limit: number): number;
  pick<T>(items: readonly T[]): T;
  /** A few plain words, for messages and lines. */
  words(count: number): string;
  bytes(length: number): Buffer;
}

const vocabulary = (
  'amber basin cedar delta ember fjord grove harbor island juniper kernel lagoon meadow nectar orchid pebble ' +
  'quartz ridge summit timber umbra valley willow xenon yonder zephyr'
).split(' ');

export function seededRandom(seed: number): Random {
  let state = seed >>> 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return (mixed ^ (mixed >>> 14)) >>> 0;
  };
  const below = (limit: number): number => Math.floor((next() / 2 ** 32) * limit);
  const pick = <T>(items: readonly T[]): T => {
    const item = items[below(items.length)];
    if (item === undefined) throw new Error('nothing to pick from');
    return item;
  };
  return {
    below,
    pick,
    words: (count) => Array.from({ length: count }, () => pick(vocabulary)).join(' '),
    bytes: (length) => Buffer.from(Array.from({ length }, () => below(256))),
  };
}
