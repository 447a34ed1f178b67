import { writeFileSync } from 'node:fs';
import { registerHooks } from 'node:module';

/**
 * Loaded before the program: counts how often each kill point is passed and writes it at the end of the process to the
 * file that CRASH_COUNTS names.
 */
const source = `
const counts = {};
export const killPoints = [];
export const killPoint = (point) => { counts[point] = (counts[point] ?? 0) + 1; };
globalThis[Symbol.for('kill point counts')] = counts;
`;

registerHooks({
  load: (url, context, next) =>
    url.endsWith('/ops/kill-point.js') ? { format: 'module', source, shortCircuit: true } : next(url, context),
});

process.once('exit', () => {
  const counts: unknown = Reflect.get(globalThis, Symbol.for('kill point counts'));
  if (process.env.CRASH_COUNTS !== undefined) writeFileSync(process.env.CRASH_COUNTS, JSON.stringify(counts));
});
