import type { Redactor } from './redact.ts';

/** What of a process stream is needed here. */
export interface GuardedStream {
  write: NodeJS.WriteStream['write'];
  on(event: 'error', listener: (error: NodeJS.ErrnoException) => void): unknown;
}

/**
 * Puts the redactor's net before a stream of the process, so that nothing can be written past it. A piece that may be the
 * beginning of a secret waits for the next one, at the longest until the process would wait itself.
 *
 * Where nobody reads any more (`| head`, a log collector that ended) the stream is written to no longer: the work goes
 * on, and the exit code says how it ended.
 *
 * @returns lets go at once what is held back: before the process ends
 */
export function guardOutput(stream: GuardedStream, redactor: Redactor): () => void {
  const write = stream.write.bind(stream) as (text: string, done?: (error?: Error | null) => void) => boolean;
  const redacting = redactor.stream();
  let isClosed = false;
  let pending: NodeJS.Immediate | undefined;
  const flush = () => {
    if (pending !== undefined) clearImmediate(pending);
    pending = undefined;
    const rest = redacting.end();
    if (rest !== '' && !isClosed) write(rest);
  };
  stream.on('error', ({ code }) => {
    // A disk that is full may have room again.
    if (code === 'EPIPE') isClosed = true;
  });
  stream.write = ((piece: string | Uint8Array, encoding?: unknown, callback?: unknown): boolean => {
    const done = (typeof encoding === 'function' ? encoding : callback) as ((error?: Error | null) => void) | undefined;
    const text = redacting.write(typeof piece === 'string' ? piece : Buffer.from(piece).toString('utf8'));
    pending ??= setImmediate(flush);
    if (isClosed) {
      if (done !== undefined) process.nextTick(done);
      return true;
    }
    return write(text, done);
  }) as GuardedStream['write'];
  return flush;
}
