import type { ErrorObject } from 'ajv';
import { expectedBy, kindOf } from './expected.ts';
import { formats } from './formats.ts';
import { nearest } from './nearest.ts';
import type { Schema } from './schema.ts';
import { looksSecret } from './secrecy.ts';

export interface Words {
  readonly message: string;
  readonly expected: string;
  readonly suggestion?: string | undefined;
}

/** `visible`: the value stands in the file as it is, so that what was probably meant may be made of it. */
export function wordsFor(error: ErrorObject, schema: Schema, visible: boolean): Words {
  const expected = expectedBy(schema);
  const value: unknown = error.data;
  switch (error.keyword) {
    case 'format': {
      const found = formats[String(error.params.format)]?.(String(value));
      const suggestion = visible && !looksSecret(found?.suggestion ?? '') ? found?.suggestion : undefined;
      return { message: found?.problem ?? 'not right', expected: found?.expected ?? expected, suggestion };
    }
    case 'enum':
      return {
        message: 'unknown value',
        expected,
        suggestion: visible ? nearest(String(value), (schema.enum ?? []).map(String)) : undefined,
      };
    case 'minimum':
    case 'exclusiveMinimum':
      return { message: 'too small', expected };
    case 'maximum':
      return { message: 'too large', expected };
    case 'minItems':
      return { message: 'the list is empty', expected };
    case 'pattern':
      return { message: characterFault(String(value)), expected };
    default:
      return wrongKind(value, schema, expected);
  }
}

function wrongKind(value: unknown, schema: Schema, expected: string): Words {
  const quotes = typeof value === 'object' && schema.writeOnly === true;
  return {
    message: `${kindOfValue(value)} where ${kindOf(schema)} belongs`,
    expected: quotes ? `${expected}; in quotes if it begins with { or [` : expected,
  };
}

/** What an editor does not show: which kind of character it is that breaks the rule. */
function characterFault(value: string): string {
  if (/[\r\n]/.test(value)) return 'more than one line';
  if (/[“”„‘’«»]/.test(value)) return 'typographic quotes';
  if (/\s/.test(value)) return 'a space inside';
  if (/\p{Cc}|\p{Cf}/u.test(value)) return 'an invisible character inside';
  if (/[^\p{ASCII}]/u.test(value)) return 'a character that is not plain ASCII';
  if (value.includes(':')) return 'a colon inside';
  return 'a character that does not belong here';
}

function kindOfValue(value: unknown): string {
  if (Array.isArray(value)) return 'a list';
  if (value === null) return 'nothing';
  if (typeof value === 'object') return 'a section';
  if (typeof value === 'boolean') return 'true or false';
  if (typeof value === 'number') return Number.isInteger(value) ? 'a whole number' : 'a fraction';
  return 'text';
}
