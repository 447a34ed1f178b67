/**
 * The file as a tree that remembers where each piece stands, so that whatever is found wrong later can be pointed at.
 * Offsets are into the decoded text, end-exclusive. Trees are never changed in place: each pass returns a new one.
 */
export type TreeNode = MapNode | ListNode | ScalarNode;

export interface Span {
  readonly start: number;
  readonly end: number;
}

export interface MapNode extends Span {
  readonly kind: 'map';
  readonly entries: readonly Entry[];
}

export interface Entry {
  readonly key: string;
  readonly keySpan: Span;
  readonly value: TreeNode;
}

export interface ListNode extends Span {
  readonly kind: 'list';
  readonly items: readonly TreeNode[];
}

export interface ScalarNode extends Span {
  readonly kind: 'scalar';
  /** As written, without quotes and with escapes resolved: `007` stays `007`. */
  readonly text: string;
  readonly value: string | number | boolean | null;
}

/** Keys and list indexes from the root, in the spelling of the schema. */
export type Path = readonly (string | number)[];

export function entryOf(node: TreeNode | undefined, key: string): Entry | undefined {
  return node?.kind === 'map' ? node.entries.find((entry) => entry.key === key) : undefined;
}

export function nodeAt(root: TreeNode, path: Path): TreeNode | undefined {
  let node: TreeNode | undefined = root;
  for (const step of path) {
    if (typeof step === 'string') node = entryOf(node, step)?.value;
    else node = node?.kind === 'list' ? node.items[step] : undefined;
  }
  return node;
}

/** A key that stands there without a value (`schedule:`, `schedule: ''`) is as good as absent. */
export function isEmpty(node: TreeNode): boolean {
  return node.kind === 'scalar' && (node.value === null || node.value === '');
}

/** Plain data for the validator; empty keys are left out so that defaults apply. */
export function toPlain(node: TreeNode): unknown {
  if (node.kind === 'scalar') return node.value;
  if (node.kind === 'list') return node.items.map(toPlain);
  return Object.fromEntries(
    node.entries.filter((entry) => !isEmpty(entry.value)).map((entry) => [entry.key, toPlain(entry.value)]),
  );
}

/** `integrations[0].metadata.repos` */
export function formatPath(path: Path): string {
  return path.reduce<string>((text, step) => {
    if (typeof step === 'number') return `${text}[${step}]`;
    return text === '' ? step : `${text}.${step}`;
  }, '');
}
