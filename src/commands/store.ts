import { existsSync } from 'node:fs';
import type { Command } from 'commander';
import { systemClock } from '../clock.ts';
import { storePath } from '../daemon.ts';
import { SatelliteError } from '../errors.ts';
import type { Redactor } from '../ops/redact.ts';
import { repairStore } from '../store/repair.ts';
import { verifyStore } from '../store/verify.ts';
import { exitCodes } from './exit-code.ts';
import { addHelpSections, configEnvironment } from './help.ts';
import { type ConfigOption, configOption, load } from './load.ts';

export function registerStore(program: Command, redactor: Redactor): void {
  const store = program.command('store').description('look at the data directory while the satellite is stopped');
  const verify = store
    .command('verify')
    .description('read all of the store and say what is wrong with it')
    .option(...configOption)
    .action(async (options: ConfigOption) => {
      const path = await pathOf(options, redactor);
      const findings = verifyStore(path);
      if (findings.length === 0) {
        process.stdout.write(`${path} is sound\n`);
        return;
      }
      process.stdout.write(`${path} is damaged:\n${findings.map((finding) => `  ${finding}\n`).join('')}`);
      process.stdout.write('`satellite store repair` makes a new one of what can be read.\n');
      process.exitCode = exitCodes.ioError;
    });
  const repair = store
    .command('repair')
    .description('make a new store of what can be read of a damaged one, which is set aside')
    .option(...configOption)
    .action(async (options: ConfigOption) => {
      const path = await pathOf(options, redactor);
      if (verifyStore(path).length === 0) {
        process.stdout.write(`${path} is sound; nothing is done\n`);
        return;
      }
      const { aside, kept, failedJobs } = repairStore(path, systemClock.now());
      process.stdout.write(`${path} is made anew; the damaged one is ${aside}\n`);
      for (const [table, rows] of Object.entries(kept)) process.stdout.write(`  ${table}: ${rows} row(s) taken over\n`);
      process.stdout.write(
        `  jobs: ${failedJobs} were under way; SEI is told that they failed and asks for them again\n`,
      );
    });
  const environment = [...configEnvironment, 'STATE_DIRECTORY', 'any other'] as const;
  const others = [64, 70, 75, 78] as const;
  addHelpSections(store, {
    examples: ['satellite store verify', 'satellite store repair --config satellite.yml'],
    environment,
    exitCodes: [0, ...others.slice(0, 2), [74, 'it is damaged, or cannot be read or written'], ...others.slice(2)],
  });
  addHelpSections(verify, {
    examples: ['satellite store verify', 'satellite store verify --config /etc/satellite/satellite.yml'],
    environment,
    exitCodes: [
      [0, 'it is sound'],
      ...others.slice(0, 2),
      [74, 'it is damaged, or cannot be read'],
      ...others.slice(2),
    ],
  });
  addHelpSections(repair, {
    examples: ['satellite store repair', 'satellite store repair --config /etc/satellite/satellite.yml'],
    environment,
    exitCodes: [[0, 'it is sound now'], ...others.slice(0, 2), 74, ...others.slice(2)],
  });
}

async function pathOf(options: ConfigOption, redactor: Redactor): Promise<string> {
  const { config } = await load(options, redactor);
  const path = storePath(config.satellite.dataDir);
  if (existsSync(path)) return path;
  throw new SatelliteError(`There is no store at ${path}`, {
    code: 'STORE_MISSING',
    kind: 'config',
    hint: 'The first start of the satellite makes it; satellite.data_dir says where.',
  });
}
