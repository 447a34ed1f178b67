import { Discretion, isOpenValue, isOrdinaryWord, isSecretKey } from './secrecy.ts';
import type { Span, TreeNode } from './tree.ts';

/** Which pieces of the text may be shown. What is in neither list is masked word by word. */
export interface Visibility {
  readonly open: readonly Span[];
  /** Masked as one piece, and whatever `open` says. */
  readonly hidden: readonly Span[];
  readonly discretion: Discretion;
}

/** For a file that was read: the tree knows what is a key and what is a value. */
export function visibleOf(root: TreeNode, text: string): Visibility {
  const open: Span[] = [];
  const hidden: Span[] = [];
  const secrets: string[] = [];
  const visit = (node: TreeNode, key: string, secret: boolean) => {
    if (node.kind === 'map') {
      for (const entry of node.entries) {
        (secret || !isOrdinaryWord(entry.key) ? hidden : open).push(entry.keySpan);
        visit(entry.value, entry.key, secret || isSecretKey(entry.key));
      }
    } else if (node.kind === 'list') {
      for (const item of node.items) visit(item, key, secret);
    } else if (node.text === '') {
      // Nothing to show, and nothing to hide.
    } else if (isReference(node.text) || (!secret && isOpenValue(key, node.text))) {
      open.push(node);
    } else {
      hidden.push(node);
      if (secret) secrets.push(node.text, text.slice(node.start, node.end));
    }
  };
  visit(root, '', false);
  return withCopies(text, open, hidden, secrets);
}

/** A name of an environment variable is not a secret, what it is replaced with is; a default might be one. */
export function isReference(text: string): boolean {
  return /^["']?\$\{[A-Z][A-Z0-9_]*(?::\?[^{}]*)?\}["']?$/.test(text.trim());
}

/** What is secret in one place is secret in all. */
export function withCopies(
  text: string,
  open: readonly Span[],
  hidden: readonly Span[],
  secrets: readonly string[],
): Visibility {
  const discretion = new Discretion(secrets);
  return { open, hidden: [...hidden, ...discretion.occurrences(text)], discretion };
}
