import type { Command } from 'commander';
import { type ConfigOption, configOption, load } from './load.ts';

export function registerValidate(program: Command): void {
  program
    .command('validate')
    .description('check the configuration without talking to anybody')
    .option(...configOption)
    .option('--strict', 'treat unknown keys as errors')
    .action(async (options: ConfigOption & { strict?: boolean }) => {
      const { config, warnings } = await load(options, options.strict === true);
      for (const warning of warnings) process.stderr.write(`warning: ${warning}\n`);
      const integrations = config.integrations.map(({ id, url }) => `  ${id}  ${url}`).join('\n');
      process.stdout.write(
        `${config.path} is valid\nSEI ${config.satellite.url}, tenant ${config.satellite.tenant}\n${config.integrations.length} integration(s):\n${integrations}\n`,
      );
    });
}
