import { type Schema, typesOf } from './schema.ts';

/** What a key takes, in words: `a whole number from 1 to 64, for example 4`. */
export function expectedBy(schema: Schema): string {
  if (schema['x-expected'] !== undefined) return schema['x-expected'];
  if (schema.enum) return `one of ${schema.enum.join(', ')}`;
  return `${kindOf(schema)}${detailsOf(schema)}${rangeOf(schema)}${exampleOf(schema)}`;
}

export function kindOf(schema: Schema): string {
  const types = typesOf(schema);
  if (types.includes('array')) return 'a list';
  if (types.includes('object')) return 'a section';
  if (types.includes('boolean')) return 'true or false';
  if (types.includes('string')) return 'text';
  return types.includes('integer') ? 'a whole number' : 'a number';
}

function detailsOf(schema: Schema): string {
  const types = typesOf(schema);
  if (types.includes('array'))
    return types.includes('string')
      ? ' of names, or text with commas'
      : ', with "- " before the first key of each item';
  return types.includes('object') ? ', its lines of key: value indented' : '';
}

function rangeOf({ minimum, exclusiveMinimum, maximum }: Schema): string {
  if (minimum !== undefined && maximum !== undefined) return ` from ${minimum} to ${maximum}`;
  const parts = [
    ...(exclusiveMinimum === undefined ? [] : [`above ${exclusiveMinimum}`]),
    ...(minimum === undefined ? [] : [`at least ${minimum}`]),
    ...(maximum === undefined ? [] : [`at most ${maximum}`]),
  ];
  return parts.length === 0 ? '' : ` ${parts.join(' and ')}`;
}

function exampleOf(schema: Schema): string {
  const example = schema.examples?.[0];
  return example === undefined || typeof example === 'object' || typeof example === 'boolean'
    ? ''
    : `, for example ${example}`;
}
