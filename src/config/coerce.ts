import { withoutLineEnd } from './line-end.ts';
import { squash } from './names.ts';
import { type Schema, typesOf } from './schema.ts';
import { isEmpty, type ListNode, type ScalarNode, type TreeNode } from './tree.ts';

/**
 * The loose types that files in the field have, made into what the schema asks for: `"false"`, `yes`, a number as text,
 * an id as a number, names with commas. What does not fit is left as it is: the validator says so.
 */
export function coerce(node: TreeNode, schema: Schema): TreeNode {
  const types = typesOf(schema);
  if (types.includes('array') && types.includes('string')) return asNames(node);
  if (node.kind !== 'scalar' || node.value === null) return node;
  if (types.includes('string')) return asText(node, schema);
  if (types.includes('boolean')) return { ...node, value: asBoolean(node.text) ?? node.value };
  if (types.includes('integer') || types.includes('number')) return { ...node, value: asNumber(node) };
  return node;
}

/** Spaces at the ends are never meant, except in a secret; the line end of a block or a `$(cat file)` not even there. */
function asText(node: ScalarNode, schema: Schema): ScalarNode {
  if (typeof node.value === 'boolean') return node;
  const value = schema.writeOnly ? withoutLineEnd(node.text) : node.text.trim();
  const choice = schema.enum?.find((option) => typeof option === 'string' && squash(option) === squash(value));
  return { ...node, value: typeof choice === 'string' ? choice : value };
}

/** The words of YAML 1.1, which the vendor's parser takes for booleans. */
function asBoolean(text: string): boolean | undefined {
  if (/^(?:true|yes|on|y|1)$/i.test(text.trim())) return true;
  if (/^(?:false|no|off|n|0)$/i.test(text.trim())) return false;
  return undefined;
}

function asNumber(node: ScalarNode): ScalarNode['value'] {
  if (typeof node.value !== 'string' || node.value.trim() === '') return node.value;
  const number = Number(node.value);
  return Number.isFinite(number) ? number : node.value;
}

function asNames(node: TreeNode): TreeNode {
  if (node.kind === 'map') return node;
  if (node.kind === 'list') {
    const items = node.items
      .filter((item) => !isEmpty(item))
      .map((item) => (item.kind === 'scalar' ? { ...item, value: item.text.trim() } : item));
    return { ...node, items };
  }
  const names = isEmpty(node) ? [] : node.text.split(',').map((name) => name.trim());
  return {
    kind: 'list',
    start: node.start,
    end: node.end,
    items: names.filter((name) => name !== '').map((name) => ({ ...node, text: name, value: name })),
  } satisfies ListNode;
}
