import { coerce } from './coerce.ts';
import { expectedBy } from './expected.ts';
import { interpolate } from './interpolate.ts';
import { squash } from './names.ts';
import { nearest } from './nearest.ts';
import { isPlaceholder, isPlaceholderSecret } from './placeholder.ts';
import { type Finding, fault, finding } from './problem.ts';
import { type Schema, typesOf } from './schema.ts';
import type { Path, ScalarNode, TreeNode } from './tree.ts';

export interface Leaf {
  readonly node: TreeNode;
  readonly found: readonly Finding[];
}

/** Longer than any key, path or address; lists of names may be longer. */
const MAX_LENGTH = 4096;

/** A value as the schema wants it: references to the environment filled in, then the type. */
export function readLeaf(node: ScalarNode, schema: Schema, path: Path, env: NodeJS.ProcessEnv): Leaf {
  let value = node;
  if (typeof node.value === 'string' && node.text.includes('${')) {
    const filled = interpolate(node.text, env);
    if ('problem' in filled) {
      return { node, found: [fault('BAD_REFERENCE', path, filled.problem, { span: node, expected: filled.expected })] };
    }
    value = { ...node, text: filled.text, value: filled.text, ...(filled.filled && { filled: true }) };
  }
  if (value.text.length > MAX_LENGTH && !typesOf(schema).includes('array')) {
    const found = fault('TOO_LONG', path, 'far too long', { span: node, expected: expectedBy(schema) });
    return { node: { ...value, text: '', value: '' }, found: [found] };
  }
  const isLeftIn = isPlaceholder(value.text) || (schema.writeOnly === true && isPlaceholderSecret(value.text, path));
  if (typeof value.value === 'string' && isLeftIn) {
    const found = fault('PLACEHOLDER', path, 'a placeholder was left in', { span: node, expected: expectedBy(schema) });
    return { node: value, found: [found] };
  }
  const fallback = schema['x-otherwise'];
  if (fallback !== undefined && typeof value.value === 'string') return choiceOrFallback(value, schema, fallback, path);
  return { node: coerce(value, schema), found: [] };
}

/** A choice where the vendor's image takes unknown words for its default. */
function choiceOrFallback(node: ScalarNode, schema: Schema, fallback: string, path: Path): Leaf {
  const choices = (schema.enum ?? []).map(String);
  if (node.value === '' || choices.some((choice) => squash(choice) === squash(node.text)))
    return { node: coerce(node, schema), found: [] };
  const suggestion = node.filled ? undefined : nearest(node.text, choices);
  return {
    node: { ...node, text: fallback, value: fallback },
    found: [
      finding('warning', 'UNKNOWN_CHOICE', path, `unknown, taken for ${fallback}`, {
        span: node,
        expected: expectedBy(schema),
        suggestion,
      }),
    ],
  };
}
