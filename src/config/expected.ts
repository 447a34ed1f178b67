import { type Schema, typesOf } from './schema.ts';

/** What a key takes, in words: `a whole number from 1 to 64, for example 4`. */
export function expectedBy(schema: Schema): string {
  if (schema['x-expected'] !== undefined) return schema['x-expected'];
  if (schema.enum) return `one of ${schema.enum.join(', ')}`;
  return `${kindOf(schema)}${rangeOf(schema)}${exampleOf(schema)}`;
}

function kindOf(schema: Schema): string {
  const types = typesOf(schema);
  if (types.includes('array'))
    return types.includes('string')
      ? 'a list of names, or text with commas'
      : 'a list: "- " before the first key of each item';
  if (types.includes('object')) return 'a section: lines of key: value, indented';
  if (types.includes('boolean')) return 'true or false';
  if (types.includes('string')) return 'text';
  if (types.includes('integer')) return 'a whole number';
  return 'a number';
}

function rangeOf({ minimum, exclusiveMinimum, maximum }: Schema): string {
  const from =
    minimum === undefined ? exclusiveMinimum !== undefined && ` above ${exclusiveMinimum}` : ` from ${minimum}`;
  return `${from || ''}${maximum === undefined ? '' : ` ${minimum === undefined ? 'and at most' : 'to'} ${maximum}`}`;
}

function exampleOf(schema: Schema): string {
  const example = schema.examples?.[0];
  return example === undefined || typeof example === 'object' || typeof example === 'boolean'
    ? ''
    : `, for example ${example}`;
}
