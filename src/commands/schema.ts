import { readFileSync } from 'node:fs';
import type { Command } from 'commander';
import { SCHEMA_PATH } from '../config/schema.ts';
import { addHelpSections } from './help.ts';

export function registerSchema(program: Command): void {
  const command = program
    .command('schema')
    .description('print the JSON Schema of satellite.yml, for editors and for validation elsewhere')
    .action(() => {
      process.stdout.write(readFileSync(SCHEMA_PATH, 'utf8'));
    });
  addHelpSections(command, {
    notes: `
Editors with a YAML language server use it when the first line of satellite.yml is
  # yaml-language-server: $schema=./satellite.schema.json`,
    examples: [
      'satellite schema > satellite.schema.json',
      "satellite schema | jq '.definitions.metadata.properties | keys'",
    ],
    exitCodes: [0, 64],
  });
}
