import { readFileSync } from 'node:fs';
import { expect } from '@jest/globals';
import { Ajv, type ValidateFunction } from 'ajv';

type Definition = 'commit' | 'pullRequest' | 'tag' | 'project' | 'repository' | 'repositories';

const schema: object = JSON.parse(
  readFileSync(new URL('../../../schemas/records.schema.json', import.meta.url), 'utf8'),
);
const ajv = new Ajv({ allErrors: true, strict: true, schemas: [schema] });

/** The record as SEI would read it, after it was held against the schema of what may be sent. */
export function sent<T>(definition: Definition, record: T): T {
  const bytes = Buffer.from(JSON.stringify(record), 'utf8');
  const read: T = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  const validate = validator(`records.schema.json#/definitions/${definition}`);
  validate(read);
  expect(validate.errors ?? []).toEqual([]);
  return read;
}

export function pageErrors(page: unknown): ValidateFunction['errors'] {
  const validate = validator('records.schema.json');
  validate(page);
  return validate.errors ?? [];
}

function validator(id: string): ValidateFunction {
  const validate = ajv.getSchema(id);
  if (!validate) throw new Error(`no schema ${id}`);
  return validate;
}
