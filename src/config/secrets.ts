import { type Finding, finding } from './problem.ts';
import { configSchema, resolveSchema, type Schema } from './schema.ts';
import { isSecretKey } from './secrecy.ts';
import type { Path, ScalarNode, TreeNode } from './tree.ts';

/** A shorter one is a part of ordinary words: it cannot be told apart from them in a log. */
export const shortestSecret = 4;

const shortestDistinct = 8;
/** Of one kind of characters, it takes so many for no word of ours to be like it. */
const longestWord = 16;
/** Words in one, as names in JSON are. */
const longestName = 24;

/**
 * Whether a secret is like nothing that the satellite says itself: neither a word, nor a number, a time, an address or a
 * name of a metric. Only such a one can be taken out of a finished text without doing harm to it.
 */
export function isDistinct(secret: string): boolean {
  if (secret.length < shortestDistinct || /^[\d\s.,:;+\-/_TZ]*$/.test(secret)) return false;
  // bytesMax is a word, too.
  if (/^[A-Za-z][a-z]*(?:[A-Z][a-z]+)*$/.test(secret)) return secret.length >= longestName;
  if (secret.length >= longestWord && !secret.includes('_')) return true;
  const kinds = [/[a-z]/, /.[A-Z]/s, /\d/, /[^A-Za-z0-9\s_.:/-]/];
  return kinds.filter((kind) => kind.test(secret)).length > 1;
}

/** What stands below an unknown key may be a flag or a number; a secret worth the name is longer than those. */
const shortestGuess = 8;

export interface FoundSecrets {
  readonly secrets: readonly string[];
  /** A warning for each one that is too short to be kept out of logs, or too common to be told apart in all of them. */
  readonly found: readonly Finding[];
}

/**
 * Every secret that a file holds, whether it is put to use or not: those that the schema marks, what keys of other
 * applications and mistyped ones seem to hold, and passwords inside of addresses.
 *
 * @param root with the environment and the secret files filled in
 */
export function secretsIn(root: TreeNode): FoundSecrets {
  const secrets = new Set<string>();
  const found: Finding[] = [];
  const visit = (node: TreeNode, unresolved: Schema | undefined, path: Path, isGuess: boolean) => {
    const schema = resolveSchema(unresolved);
    if (node.kind === 'list') {
      for (const [index, item] of node.items.entries()) visit(item, schema.items, [...path, index], isGuess);
    } else if (node.kind === 'map') {
      for (const { key, value } of node.entries) {
        const below = schema.properties?.[key];
        const isGuessed = isGuess || (below === undefined && isSecretKey(key) && !/file$/i.test(key));
        visit(value, below, [...path, key], isGuessed);
      }
    } else if (schema.writeOnly === true) {
      if (node.isStandIn === true) return;
      if (node.text.length >= shortestSecret) secrets.add(node.text);
      else if (node.text !== '') found.push(tooShort(node, path));
      if (node.text.length >= shortestSecret && !isDistinct(node.text)) found.push(tooCommon(node, path));
    } else if (isGuess) {
      if (node.text.length >= shortestGuess) secrets.add(node.text);
    } else {
      for (const password of passwordsInUrl(node.text)) secrets.add(password);
    }
  };
  visit(root, configSchema(), [], false);
  return { secrets: [...secrets], found };
}

/** A user's name without a password is no secret, unless it is a token. */
const shortestToken = 16;

/** The password of `scheme://user:password@host`, as it is written and decoded, and user and password in one. */
export function passwordsInUrl(text: string): string[] {
  const login = /:\/\/([^\s/?#]*)@/.exec(text)?.[1];
  if (login === undefined) return [];
  const colon = login.indexOf(':');
  if (colon < 0) return login.length < shortestToken ? [] : [login, decoded(login)];
  const written = login.slice(colon + 1);
  if (written === '') return [];
  return [written, decoded(written), `${decoded(login.slice(0, colon))}:${decoded(written)}`];
}

/** A stray % is taken as it stands. */
function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function tooCommon(node: ScalarNode, path: Path): Finding {
  return finding('warning', 'SECRET_TOO_COMMON', path, `short, or a common word or number: easily guessed`, {
    span: node,
    expected: `${shortestDistinct} characters or more, of several kinds; this one is masked in what servers say, and only there`,
  });
}

function tooShort(node: ScalarNode, path: Path): Finding {
  return finding('warning', 'SECRET_TOO_SHORT', path, `too short to be kept out of logs`, {
    span: node,
    expected: `${shortestSecret} characters or more`,
  });
}
