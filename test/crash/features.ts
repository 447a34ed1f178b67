import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { programFolder } from './satellite.ts';

/** Whether the program's schema of `satellite.yml` knows `satellite.<section>`. */
export function knowsSection(section: string): boolean {
  const schema = JSON.parse(readFileSync(join(programFolder, 'schemas/satellite.schema.json'), 'utf8')) as {
    definitions: { satellite: { properties: Record<string, unknown> } };
  };
  return Object.hasOwn(schema.definitions.satellite.properties, section);
}
