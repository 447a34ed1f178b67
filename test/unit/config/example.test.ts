import { readFile } from 'node:fs/promises';
import { expect, test } from '@jest/globals';
import { ConfigError, type Problem } from '../../../src/config/problem.ts';
import { configSchema, type Schema } from '../../../src/config/schema.ts';
import { load } from './config-file.ts';

const EXAMPLE = await readFile(new URL('../../../satellite.yml.example', import.meta.url), 'utf8');

const ENV = Object.fromEntries(
  [...EXAMPLE.matchAll(/\$\{([A-Z][A-Z0-9_]+)\}/g)].map((match) => [match[1], 'value-1234']),
);

/** Each run of commented lines that are YAML, as a copy of the example in which they are not commented. */
function uncommentedCopies(): readonly string[] {
  const lines = EXAMPLE.split('\n');
  const isYaml = (line: string) => /^\s*#\s+(?:- )?[a-z_]+:(?: [^ ]+$| [["$].*$|$| \d| main Bitbucket$)/.test(line);
  const inBlock = (line: string) => isYaml(line) || /^\s*# {3,}\S/.test(line);
  const starts = lines
    .map((line, index) => (isYaml(line) && !inBlock(lines[index - 1] ?? '') ? index : -1))
    .filter((index) => index >= 0);
  return starts.map((start) => {
    const length = lines.slice(start).findIndex((line) => !inBlock(line));
    return lines
      .map((line, index) => (index >= start && index < start + length ? line.replace(/# /, '') : line))
      .join('\n');
  });
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
  const copies = uncommentedCopies();
  const live = new Set([...copies.join('\n').matchAll(/^ *(?:- )?([a-z_]+):/gm)].map((match) => match[1]));
  expect(keysOf(configSchema()).filter((key) => !live.has(key))).toEqual([]);
  // The files it names are not here, and of a secret and its file only one may be given.
  const excused = new Set(['SECRET_TWICE', 'SECRET_FILE', 'SECRET_TOO_COMMON', 'PEM_FILE']);
  for (const copy of copies) {
    const found = await problemsOf(copy);
    expect(found.filter(({ code }) => !excused.has(code))).toEqual([]);
  }
});

async function problemsOf(text: string): Promise<readonly Problem[]> {
  try {
    return (await load(text, { env: ENV })).problems;
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
}
