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
  /** Nothing stands there but a comment right behind the key. */
  readonly commented?: boolean;
  /** Some of it came from the environment or from a file: there is nothing to see at its place. */
  readonly filled?: boolean;
  /** Of a secret that could not be read, so that it is not missed as well: there is nothing to say about it. */
  readonly isStandIn?: boolean;
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

/** Where to point at when something is said about a path: at the value, and for what is absent at what should hold it. */
export function placeOf(root: TreeNode, path: Path): Span {
  const parent = nodeAt(root, path.slice(0, -1));
  const last = path.at(-1);
  const entry = typeof last === 'string' && parent ? entryOf(parent, last) : undefined;
  const node = nodeAt(root, path);
  if (node?.kind === 'scalar') return node;
  // A section is pointed at by its key, an item of a list by its first key.
  if (entry) return entry.keySpan;
  if (node?.kind === 'map') return node.entries[0]?.keySpan ?? { start: node.start, end: node.start + 1 };
  if (node) return { start: node.start, end: node.start + 1 };
  return path.length === 0 ? { start: 0, end: 1 } : placeOf(root, path.slice(0, -1));
}
