import type { Lines } from './lines.ts';
import { Discretion, isKnownKey, isOpenValue, isOrdinaryWord, isSecretKey, resemblesKey } from './secrecy.ts';
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

/**
 * For a file that could not be read: line by line, on the safe side. What is indented below a secret is part of it,
 * and of other lines only known words are shown.
 */
export function visibleByGuess(text: string, lines: Lines): Visibility {
  const open: Span[] = [];
  const hidden: Span[] = [];
  const secrets: string[] = [];
  let secretIndent = Number.POSITIVE_INFINITY;
  for (let number = 1; number <= lines.count; number++) {
    const { start, end } = lines.spanOf(number);
    const line = text.slice(start, end);
    const indent = line.search(/[^\s-]/);
    if (indent < 0) continue;
    if (indent > secretIndent) {
      hidden.push({ start: start + indent, end });
      secrets.push(line.trim());
      continue;
    }
    secretIndent = Number.POSITIVE_INFINITY;
    const match = /^[\s-]*(["']?)([A-Za-z_][\w.-]*)\1\s*[:=]\s*/.exec(line);
    const key = match?.[2] ?? '';
    if (!match) {
      open.push(...knownWords(line, start));
    } else {
      const keyStart = start + line.indexOf(key);
      // An unknown word may be a piece of a secret that lost its key; a mistyped key is near a right one.
      if (resemblesKey(key)) open.push({ start: keyStart, end: keyStart + key.length });
      const value = line.slice(match[0].length).trimEnd();
      const span = { start: start + match[0].length, end };
      if (isSecretKey(key)) secretIndent = indent;
      if (isReference(value) || (isOpenValue(key, value) && !/^[{[|>&*!]/.test(value))) open.push(span);
      else if (isSecretKey(key) || !/^[{[]/.test(value)) {
        hidden.push(span);
        if (isSecretKey(key)) secrets.push(value, value.replace(/^["']|["']$/g, ''));
      } else open.push(...knownWords(value, span.start));
    }
  }
  return withCopies(text, open, hidden, secrets);
}

/** A name of an environment variable is not a secret, what it is replaced with is; a default might be one. */
function isReference(text: string): boolean {
  return /^["']?\$\{[A-Z][A-Z0-9_]*(?::\?[^{}]*)?\}["']?$/.test(text.trim());
}

function knownWords(text: string, offset: number): readonly Span[] {
  return [...text.matchAll(/[A-Za-z_][\w-]*/g)]
    .filter(([word]) => isKnownKey(word) || /^(?:true|false|null|yes|no|on|off|bitbucket_server)$/i.test(word))
    .map((match) => ({ start: offset + match.index, end: offset + match.index + match[0].length }));
}

function withCopies(
  text: string,
  open: readonly Span[],
  hidden: readonly Span[],
  secrets: readonly string[],
): Visibility {
  const discretion = new Discretion(secrets);
  return { open, hidden: [...hidden, ...discretion.occurrences(text)], discretion };
}
