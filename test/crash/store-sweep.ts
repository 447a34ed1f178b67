import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import { type SatelliteError, toSatelliteError } from '../../src/errors.ts';
import { repairStore } from '../../src/store/repair.ts';
import { Store } from '../../src/store/store.ts';
import { verifyStore } from '../../src/store/verify.ts';
import type { Random } from '../simulators/git/random.ts';

/** Where SQLite keeps the version of the schema: whoever flips a bit of it may have made a store of a newer satellite. */
const versionBytes = { from: 60, to: 64 };

export interface Sweep {
  readonly tried: number;
  readonly damaged: number;
  readonly repaired: number;
  readonly problems: readonly string[];
}

/**
 * One store, cut short at many places and with one bit flipped at many others: whatever a start does with it works or says
 * that the store is damaged, and `verify` and `repair` end with one that is sound.
 */
export async function sweepStore(file: string, folder: string, random: Random, times: number): Promise<Sweep> {
  const whole = await readFile(file);
  const counts = { tried: 0, damaged: 0, repaired: 0 };
  const problems: string[] = [];
  const attempt = async (name: string, bytes: Buffer, mayBeNewer = false) => {
    counts.tried++;
    await rm(folder, { recursive: true, force: true });
    await mkdir(folder, { recursive: true });
    const path = join(folder, 'satellite.db');
    await writeFile(path, bytes);
    const wrong = (what: string, error: SatelliteError) =>
      problems.push(`${name}: ${what} ends with ${error.code}: ${error.message}`);
    const opened = outcomeOf(() => startOn(path));
    if (opened?.code === 'STORE_DAMAGED') counts.damaged++;
    else if (opened?.code === 'STORE_TOO_NEW' && mayBeNewer) return;
    else if (opened !== undefined) wrong('a start', opened);
    // What a start has written must not help the repair.
    await writeFile(path, bytes);
    await Promise.all(['-wal', '-shm'].map((suffix) => rm(path + suffix, { force: true })));
    const mended = outcomeOf(() => {
      if (verifyStore(path).length === 0) {
        if (opened !== undefined) throw new Error('verify finds nothing wrong with a store that no start can use');
        return;
      }
      counts.repaired++;
      repairStore(path, Date.now());
      const left = verifyStore(path);
      if (left.length > 0) throw new Error(`after the repair: ${left.join('; ')}`);
      startOn(path);
    });
    if (mended !== undefined) wrong('verify and repair', mended);
    // The simulators and satellites of other checks live in this process or by it.
    await turn();
  };
  for (let time = 0; time < times; time++) {
    const bytes = random.below(whole.length);
    await attempt(`cut at byte ${bytes}`, whole.subarray(0, bytes));
  }
  for (let time = 0; time < times; time++) {
    const at = place(whole, random);
    const bit = random.below(8);
    const flipped = Buffer.from(whole);
    flipped[at] = (flipped[at] ?? 0) ^ (1 << bit);
    await attempt(`bit ${bit} of byte ${at}`, flipped, at >= versionBytes.from && at < versionBytes.to);
  }
  await rm(folder, { recursive: true, force: true });
  return { ...counts, problems };
}

const pageBytes = 4096;
const treePages = new Set([2, 5, 10, 13]);

/** Mostly where rows and keys are: bodies of pages for SEI fill most of a store, and one bit of them is like another. */
function place(whole: Buffer, random: Random): number {
  const pages = Array.from({ length: whole.length / pageBytes }, (_, index) => index * pageBytes);
  const trees = pages.filter((start) => start === 0 || treePages.has(whole[start] ?? 0));
  const start = trees[random.below(trees.length)];
  if (start === undefined || random.below(4) === 0) return random.below(whole.length);
  const page = whole.subarray(start, start + pageBytes);
  const used = [...page.keys()].filter((at) => page[at] !== 0);
  return start + (used[random.below(used.length)] ?? 0);
}

/** Everything that a daemon asks of a store before it has done anything, and what a job does as it goes on. */
function startOn(path: string): void {
  const store = new Store(path);
  try {
    store.agentId();
    store.tryWrite(Date.now());
    store.jobs.accepting();
    store.pages.spoolSize();
    store.overview.failing(['4711'], 100);
    for (const { id, integrationId } of store.jobs.list()) {
      store.jobs.failures(id);
      store.coverage.lastScan(integrationId);
      store.overview.jobs(integrationId);
      store.overview.coveredRepositories(integrationId);
      store.slices.counts(id);
      store.pages.totals(id);
      for (const page of store.pages.waiting(id, 100)) store.pages.body(page);
      for (const repositoryId of store.slices.repositoryIds(id)) {
        store.slices.repository(id, repositoryId);
        store.slices.get({ jobId: id, repositoryId, dataType: 'commits' });
        store.pullRequests.openIds(integrationId, repositoryId);
      }
    }
  } finally {
    store.close();
  }
}

function outcomeOf(work: () => void): SatelliteError | undefined {
  try {
    work();
    return undefined;
  } catch (thrown) {
    return toSatelliteError(thrown);
  }
}
