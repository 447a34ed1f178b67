import { readFile } from 'node:fs/promises';
import { expect, test } from '@jest/globals';
import { configSchema, type Schema } from '../../../src/config/schema.ts';
import { load } from './config-file.ts';

const EXAMPLE = await readFile(new URL('../../../satellite.yml.example', import.meta.url), 'utf8');

const ENV = Object.fromEntries([...EXAMPLE.matchAll(/\$\{([A-Z][A-Z0-9_]+)\}/g)].map((match) => [match[1], 'value']));

/** Commented keys uncommented: `# key: value`, `# - key: value` and what is nested below them. */
function uncommented(): string {
  return EXAMPLE.replace(/^(\s*)# (?=\s*(?:# )?(?:- )?[a-z_]+:(?: |$)(?! used))/gm, '$1').replace(
    /^(\s*)# (?=[a-z_]+:(?: |$))/gm,
    '$1',
  );
}

function keysOf(schema: Schema): readonly string[] {
  const own = Object.entries(schema.properties ?? {}).flatMap(([key, child]) => [key, ...keysOf(child)]);
  const nested = [...Object.values(schema.definitions ?? {}), ...(schema.items ? [schema.items] : [])].flatMap(keysOf);
  return [...new Set([...own, ...nested])];
}

function* schemasWithin(schema: Schema, path: string): Generator<[string, Schema]> {
  for (const [key, child] of Object.entries({ ...schema.properties, ...schema.definitions })) {
    yield [`${path}.${key}`, child];
    yield* schemasWithin(child, `${path}.${key}`);
  }
}

test('the example is a file that runs', async () => {
  const { warnings } = await load(EXAMPLE, { env: ENV });
  expect(warnings).toEqual([]);
});

test('the example points editors at the schema', () => {
  expect(EXAMPLE.split('\n')[0]).toBe('# yaml-language-server: $schema=./schemas/satellite.schema.json');
});

test('the example shows every key of the schema', () => {
  const shown = new Set([...EXAMPLE.matchAll(/^[\s#-]*([a-z_]+):/gm)].map((match) => match[1]));
  expect(keysOf(configSchema()).filter((key) => !shown.has(key))).toEqual([]);
});

test('every key of the schema has a title, a description and an example', () => {
  const bare = [...schemasWithin(configSchema(), '')]
    .filter(([, schema]) => schema.$ref === undefined)
    .filter(([, schema]) => !(schema.title && schema.description && schema.examples?.length))
    .map(([path]) => path);
  expect(bare).toEqual([]);
});

test('every key that is commented out is right as well', async () => {
  const text = uncommented();
  expect(text).not.toMatch(/^\s*# (?:proxy|keys|tls|rate_limit|repos|data_dir):/m);
});
