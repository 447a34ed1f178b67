import { EventEmitter } from 'node:events';
import { expect, test } from '@jest/globals';
import { type GuardedStream, guardOutput } from '../../../src/ops/output.ts';
import { Redactor } from '../../../src/ops/redact.ts';

class Sink extends EventEmitter {
  written = '';
  write(text: string, done?: () => void): boolean {
    this.written += text;
    done?.();
    return true;
  }
}

function guarded() {
  const redactor = new Redactor();
  const sink = new Sink();
  const flush = guardOutput(sink as unknown as GuardedStream, redactor);
  return { redactor, sink, flush };
}

test('a secret that is written in pieces is not shown, and nothing waits for longer than the turn', async () => {
  const { redactor, sink } = guarded();
  redactor.learn(['the-s3cret']);
  sink.write('it is the-');
  expect(sink.written).toBe('it is ');
  sink.write('s3cret, really. Password: th');
  expect(sink.written).toBe('it is ***, really. Password: ');
  await new Promise((resolve) => setImmediate(resolve));
  expect(sink.written).toBe('it is ***, really. Password: th');
});

test('what is held back is let go before the process ends', () => {
  const { redactor, sink, flush } = guarded();
  redactor.learn(['the-s3cret']);
  sink.write('the end is t');
  flush();
  expect(sink.written).toBe('the end is t');
});

test('where nobody reads any more, nothing is written, and who waits for a write goes on', async () => {
  const { sink } = guarded();
  sink.emit('error', Object.assign(new Error('full'), { code: 'ENOSPC' }));
  sink.write('one');
  sink.emit('error', Object.assign(new Error('gone'), { code: 'EPIPE' }));
  await new Promise<void>((resolve) => sink.write('two', resolve));
  expect(sink.written).toBe('one');
});
