import type { Lines } from './lines.ts';
import { isKnownKey, isOpenValue, isSecretKey, resemblesKey } from './secrecy.ts';
import type { Span } from './tree.ts';
import { isReference, type Visibility, withCopies } from './visible.ts';

/**
 * What may be shown of a file that could not be read: line by line, on the safe side. What is indented below a secret
 * is part of it, and of lines without a key only known words are shown.
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
    const guess = guessLine(line, start);
    secretIndent = guess.secret === undefined ? Number.POSITIVE_INFINITY : indent;
    open.push(...guess.open);
    hidden.push(...guess.hidden);
    if (guess.secret !== undefined) secrets.push(guess.secret, guess.secret.replace(/^["']|["']$/g, ''));
  }
  return withCopies(text, open, hidden, secrets);
}

interface Guess {
  readonly open: readonly Span[];
  readonly hidden: readonly Span[];
  /** The value of a secret key, which may go on in the lines below. */
  readonly secret?: string;
}

function guessLine(line: string, offset: number): Guess {
  const match = /^[\s-]*(["']?)([A-Za-z_][\w.-]*)\1\s*[:=]\s*/.exec(line);
  const key = match?.[2];
  if (!match || key === undefined) return { open: knownWords(line, offset), hidden: [] };
  const keyStart = offset + line.indexOf(key);
  const start = offset + match[0].length;
  const value = line.slice(match[0].length).trimEnd();
  // An unknown word may be a piece of a secret that lost its key; a mistyped key is near a right one.
  const open = resemblesKey(key) ? [{ start: keyStart, end: keyStart + key.length }] : [];
  if (isSecretKey(key)) {
    if (isReference(value)) return { open: [...open, { start, end: start + value.length }], hidden: [], secret: '' };
    return { open, hidden: [{ start, end: start + value.length }], secret: value };
  }
  if (/^[{[]/.test(value)) return { open: [...open, ...knownWords(value, start)], hidden: [] };
  const length = openLength(key, value);
  return {
    open: [...open, { start, end: start + length }],
    hidden: [{ start: start + length, end: start + value.length }],
  };
}

/** How much of a value may be shown: of two keys that ended up in one line, the second's value may be a secret. */
function openLength(key: string, value: string): number {
  if (isReference(value)) return value.length;
  const colon = /[:=](?:\s+|$)/.exec(value);
  const length = colon ? colon.index + colon[0].length : value.length;
  return isOpenValue(key, value.slice(0, length)) && !/^[|>&*!]/.test(value) ? length : 0;
}

function knownWords(text: string, offset: number): readonly Span[] {
  return [...text.matchAll(/[A-Za-z_][\w-]*/g)]
    .filter(([word]) => isKnownKey(word) || /^(?:true|false|null|yes|no|on|off|bitbucket_server)$/i.test(word))
    .map((match) => ({ start: offset + match.index, end: offset + match.index + match[0].length }));
}
