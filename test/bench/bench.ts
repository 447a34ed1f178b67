/**
 * Requests, time, processor and memory of the built satellite, each beside something to hold it against, in one run on
 * one machine: `npm run bench`. What is a matter of times depends on the machine; ratios are what to look at.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { history } from './history.ts';
import { rateLimited } from './rate-limited.ts';
import { Report } from './report.ts';
import { Satellites } from './satellite-scan.ts';
import { scans } from './scans.ts';
import type { Surroundings } from './surroundings.ts';

const parts: Readonly<Record<string, (surroundings: Surroundings) => Promise<void>>> = {
  scans,
  history,
  'rate-limited': rateLimited,
};

const usage = `npm run bench -- [--only ${Object.keys(parts).join('|')}] [--quick] [--json FILE]

Needs npm run build before. --quick: small, for a look. Exit code 1: something is wrong, or a goal that does not depend
on the machine is not held.
`;

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      only: { type: 'string', multiple: true },
      quick: { type: 'boolean', default: false },
      json: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  });
  const names = values.only ?? Object.keys(parts);
  if (values.help || names.some((name) => !(name in parts))) {
    process.stdout.write(usage);
    process.exitCode = values.help ? 0 : 64;
    return;
  }
  await using cleanUp = new AsyncDisposableStack();
  const dir = await mkdtemp(join(tmpdir(), 'satellite-bench-'));
  cleanUp.defer(() => rm(dir, { recursive: true, force: true }));
  const satellites = cleanUp.use(new Satellites());
  const report = new Report();
  const startedAtMs = performance.now();
  for (const name of names) await parts[name]?.({ dir, isQuick: values.quick, report, satellites });
  report.printGoals();
  report.say(`\n${Math.round((performance.now() - startedAtMs) / 1000)} s in all`);
  for (const violation of satellites.violations) report.say(`violation of SEI's protocol: ${violation}`);
  if (values.json !== undefined) {
    const { tables, goals } = report;
    await writeFile(values.json, `${JSON.stringify({ tables, goals }, null, 2)}\n`);
  }
  const isBroken = report.goals.some(({ isExact, isHeld }) => isExact && !isHeld);
  if (isBroken || satellites.violations.length > 0) process.exitCode = 1;
}

await main();
