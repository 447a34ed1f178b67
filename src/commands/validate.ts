import type { Command } from 'commander';
import { addHelpSections, configEnvironment } from './help.ts';
import { type ConfigOption, configOption, load } from './load.ts';

export function registerValidate(program: Command): void {
  const command = program
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
  addHelpSections(command, {
    notes: `
Every problem is shown with its line and what to write instead. Unknown keys are warnings, as the vendor's satellite
overlooks them. \`satellite check\` tries the servers, too.`,
    examples: [
      'satellite validate',
      'satellite validate --strict --config satellite.yml',
      'HARNESS_API_KEY=x BITBUCKET_API_KEY=x satellite validate --config satellite.yml',
    ],
    environment: [...configEnvironment, 'any other'],
    exitCodes: [[0, 'it can be used'], 64, 78],
  });
}
