import type { Command } from 'commander';
import type { LoadedConfig } from '../config/load.ts';
import { checkNetworkConfig } from '../http/network-warnings.ts';
import type { Redactor } from '../ops/redact.ts';
import { addHelpSections, configEnvironment, networkEnvironment } from './help.ts';
import { type ConfigOption, configOption, load } from './load.ts';

export function registerValidate(program: Command, redactor: Redactor): void {
  const command = program
    .command('validate')
    .description('check the configuration without talking to anybody')
    .option(...configOption)
    .option('--strict', 'treat unknown keys as errors')
    .action(async (options: ConfigOption & { strict?: boolean }) => {
      const loaded = await load(options, redactor, options.strict === true);
      process.stderr.write(warningsOf(loaded));
      // As `run` does at its start: what that refuses is not valid.
      checkNetworkConfig(loaded.config, process.env);
      process.stdout.write(summaryOf(loaded));
    });
  addHelpSections(command, {
    notes: `
Every problem is shown with its line and what to write instead. Unknown keys are warnings, as the vendor's satellite
overlooks them. \`satellite check\` tries the servers, too.`,
    examples: [
      'satellite validate',
      'satellite validate --strict --config satellite.yml',
      'HARNESS_API_KEY=x BITBUCKET_API_KEY=x satellite validate --config satellite.yml',
    ],
    environment: [...configEnvironment, ...networkEnvironment, 'any other'],
    exitCodes: [[0, 'it can be used'], 64, 78],
  });
}

export function warningsOf({ warnings }: LoadedConfig): string {
  return warnings.map((warning) => `warning: ${warning}\n`).join('');
}

export function summaryOf({ config }: LoadedConfig): string {
  const integrations = config.integrations.map(({ id, url }) => `  ${id}  ${url}`).join('\n');
  return `${config.path} is valid\nSEI ${config.satellite.url}, tenant ${config.satellite.tenant}\n${config.integrations.length} integration(s):\n${integrations}\n`;
}
