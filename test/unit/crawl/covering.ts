import { Store } from '../../../src/store/store.ts';
import { commitsOf, discovered, newJob } from '../store/fixtures.ts';
import { ledger } from './fake-bitbucket.ts';

/** A store in which scans that ended at these times have covered these tips of the default branch. */
export function covering(tips: Readonly<Record<number, string>>): Store {
  const store = new Store(':memory:');
  for (const [toMs, tip] of Object.entries(tips)) {
    const id = `covered ${tip}`;
    discovered(store, newJob(id, { toMs: Number(toMs) }), [ledger.id]);
    store.slices.finish(commitsOf(id, ledger.id), 'done', [{ ref: 'HEAD', tip }]);
    store.jobs.setDone(id, 1, { result: {} });
    store.acknowledge(id);
  }
  return store;
}
