import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { CANARIES, CORPUS, corpusFiles, outcomeOf, surroundingsOf } from './corpus.ts';
import { slips } from './mutations.ts';

const RUNS = Number(process.env.FUZZ_RUNS ?? 2_000);
/** Far above what a file takes (a millisecond), so that a busy machine does not fail the test and a hang does. */
const HANG_MS = 5_000;

const seeds = await Promise.all(
  (['accepted', 'rejected'] as const).map(async (folder) => {
    const names = await corpusFiles(folder);
    return Promise.all(names.map((name) => readFile(join(CORPUS, folder, name), 'utf8')));
  }),
);

test(
  'a damaged file is read or refused, at once, and no secret of it is told',
  async () => {
    let slowestMs = 0;
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...seeds.flat()), slips, async (seed, mutations) => {
        const text = mutations.reduce((mutated, slip) => slip(mutated), seed);
        const started = performance.now();
        const { outcome } = await outcomeOf(text, surroundingsOf(seed));
        slowestMs = Math.max(slowestMs, performance.now() - started);
        expect(told(outcome)).not.toMatch(CANARIES);
      }),
      { numRuns: RUNS },
    );
    expect(slowestMs).toBeLessThan(HANG_MS);
    if (process.env.FUZZ_RUNS) process.stdout.write(`${RUNS} files, the slowest in ${slowestMs.toFixed(0)} ms\n`);
  },
  RUNS * 50 + 60_000,
);

/** Everything that may reach a log or a terminal. */
function told(outcome: Awaited<ReturnType<typeof outcomeOf>>['outcome']): string {
  if ('loaded' in outcome) return JSON.stringify([outcome.loaded.warnings, outcome.loaded.problems]);
  const { message, stack, hint, cause, problems } = outcome.refused;
  return JSON.stringify([message, stack, hint, String(cause), problems]);
}
