import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** The part of JSON Schema (draft-07) that the loader itself reads; the rest is the validator's. */
export interface Schema {
  readonly $ref?: string;
  readonly title?: string;
  readonly description?: string;
  readonly type?: string | readonly string[];
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly format?: string;
  readonly minimum?: number;
  readonly exclusiveMinimum?: number;
  readonly maximum?: number;
  readonly default?: unknown;
  readonly examples?: readonly unknown[];
  readonly required?: readonly string[];
  /** Marks a secret: never shown, and `<key>_file` may stand for it. */
  readonly writeOnly?: boolean;
  /** What is right here, in the operator's words. */
  readonly 'x-expected'?: string;
  /** A choice that unknown words are taken for, with a warning, instead of an error. */
  readonly 'x-otherwise'?: string;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly patternProperties?: Readonly<Record<string, Schema>>;
  readonly items?: Schema;
  readonly then?: Schema;
  readonly definitions?: Readonly<Record<string, Schema>>;
}

/** The same relative path from src/config and from dist/config. */
export const SCHEMA_PATH = fileURLToPath(new URL('../../schemas/satellite.schema.json', import.meta.url));

let loaded: Schema | undefined;

/** Read once: it is part of the program and does not change while it runs. */
export function configSchema(): Schema {
  loaded ??= JSON.parse(readFileSync(SCHEMA_PATH, 'utf8')) as Schema;
  return loaded;
}

/** Follows references, and for an integration the branch of the application that is ours. */
export function resolveSchema(schema: Schema | undefined): Schema {
  if (schema?.$ref !== undefined) {
    const name = schema.$ref.replace('#/definitions/', '');
    return resolveSchema(configSchema().definitions?.[name]);
  }
  if (schema?.then) return resolveSchema(schema.then);
  return schema ?? {};
}

export function typesOf(schema: Schema): readonly string[] {
  return schema.type === undefined ? [] : [schema.type].flat();
}
