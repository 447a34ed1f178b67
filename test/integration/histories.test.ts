import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { type History, histories } from '../histories/history.ts';
import { play } from '../histories/play.ts';

/** How a commit gets here must not be seen in what SEI gets. */
const sources = ['rest', 'git'] as const;

/** The same in each run of all tests; others when so many are asked for. */
const seed = Number(process.env.HISTORIES_SEED || (process.env.HISTORIES ? Math.floor(Math.random() * 2 ** 31) : 1));
/** So many in each order; what the time does not suffice for is left out, unless they were asked for. */
const runs = Number(process.env.HISTORIES || 1_000);
const maxMs = !process.env.HISTORIES ? 15_000 : undefined;

const cases = (['created', 'updated'] as const).flatMap((order) =>
  sources.map((source) => ({ order, source, metadata: { commit_source: source } })),
);

test.each(cases)(
  'whatever happens, SEI has all that there is: pull requests by $order, commits by $source',
  async (options) => {
    const name = `by ${options.order}, commits by ${options.source}`;
    const again = `HISTORIES=${runs} HISTORIES_SEED=${seed} npm test -- test/integration/histories -t '${name}'`;
    const property = fc.asyncProperty(histories, async (history: History) => {
      expect((await play(history, options)).sentences()).toEqual([]);
    });
    const path = process.env.HISTORIES_PATH;
    const details = await fc.check(property, {
      seed,
      numRuns: runs,
      ...(path === undefined ? {} : { path, endOnFailure: process.env.HISTORIES_SHRINK === undefined }),
      ...(maxMs === undefined ? {} : { interruptAfterTimeLimit: maxMs, markInterruptAsFailure: false }),
    });
    process.stdout.write(`${details.numRuns} histories ${name}; these again: ${again}\n`);
    if (!details.failed) return;
    const where = details.counterexamplePath === null ? '' : `HISTORIES_PATH=${details.counterexamplePath} `;
    throw new Error(
      `${await fc.asyncDefaultReportMessage(details)}\n\n${details.errorInstance}\n\nThis one again: ${where}${again}`,
    );
  },
  (maxMs ?? 36_000_000) + 60_000,
);
