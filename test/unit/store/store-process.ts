/**
 * A process of its own that works on a store until it is killed:
 * `hold` keeps it open; `write` adds pages, each with the cursor behind it in one transaction, and names the number of
 * each once it is durable; `half` stops in the middle of the first such transaction.
 */
import { Store } from '../../../src/store/store.ts';
import { commitsOf, discovered, newJob } from './fixtures.ts';

const [, , mode, path = ''] = process.argv;

/** Blocks as a long piece of work would: the kill has to find the process in the middle of something. */
function block(): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
}

try {
  const store = new Store(path);
  if (mode === 'hold') {
    process.stdout.write('open\n');
    block();
  }
  if (store.jobs.get('a') === undefined) discovered(store, newJob('a'), [1]);
  for (;;) {
    store.transaction(() => {
      const number = store.pages.nextNumber('a', 'commits');
      store.pages.add({ jobId: 'a', dataType: 'commits', number }, 1, Buffer.alloc(20_000, String(number % 10)));
      if (mode === 'half' && number === 3) {
        process.stdout.write('half\n');
        block();
      }
      store.slices.setCursor(commitsOf('a', 1), { next: number + 1 });
      store.commitFiles.add(number.toString(16).padStart(40, '0'), { number });
    });
    process.stdout.write(`${store.pages.nextNumber('a', 'commits') - 1}\n`);
  }
} catch (error) {
  process.stdout.write(`${(error as { code?: string }).code}\n`);
}
