import { pMapIterable } from 'p-map';
import type { CommitRecord } from '../records/types.ts';
import { commitBytes } from './record-bytes.ts';

/** With fewer, one slow diff makes all behind it wait for their turn, and places at the gate stay empty. */
const maxAhead = 64;

/** A commit may have 20,000 files, so what waits for its turn is bounded by its size, too. */
const maxAheadBytes = 1024 * 1024;

/**
 * Reads several commits of a listing at a time and yields them in its order. What is read before its turn waits in
 * memory; while that is too much, no further one is begun.
 */
export async function* readAhead<T, R extends { readonly record: CommitRecord }>(
  listing: AsyncIterable<T>,
  read: (item: T) => Promise<R>,
  concurrency: number,
): AsyncGenerator<R, void, undefined> {
  let waitingBytes = 0;
  let room = Promise.withResolvers<void>();
  async function* whileRoom() {
    for await (const item of listing) {
      while (waitingBytes > maxAheadBytes) await room.promise;
      yield item;
    }
  }
  const results = pMapIterable(
    whileRoom(),
    async (item: T) => {
      const result = await read(item);
      const bytes = commitBytes(result.record);
      waitingBytes += bytes;
      return { result, bytes };
    },
    { concurrency, backpressure: Math.max(maxAhead, concurrency) },
  );
  for await (const { result, bytes } of results) {
    waitingBytes -= bytes;
    room.resolve();
    room = Promise.withResolvers();
    yield result;
  }
}
