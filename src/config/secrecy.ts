import { squash } from './names.ts';
import { nearest } from './nearest.ts';
import { configSchema, type Schema, typesOf } from './schema.ts';

/*
 * What may be shown of a file when something in it is wrong. The rule is an allow-list: the value of a key that the
 * schema knows and does not mark as secret. All else is masked: values of unknown keys (a mistyped api_key is one),
 * comments, and anything inside a secret of the wrong type. Passwords are also pasted where they do not belong, so even
 * an allowed value is masked when it looks like one.
 */

export const MASK = '***';

let keys: { readonly shown: ReadonlySet<string>; readonly known: ReadonlySet<string> } | undefined;

function schemaKeys() {
  if (keys) return keys;
  const shown = new Set<string>();
  const known = new Set<string>();
  const sections = new Set<string>();
  const visit = (schema: Schema) => {
    for (const [key, child] of Object.entries(schema.properties ?? {})) {
      known.add(squash(key));
      const target =
        child.$ref === undefined ? child : configSchema().definitions?.[child.$ref.replace('#/definitions/', '')];
      const types = target ? typesOf(target) : [];
      const ofScalars = types.some((type) => type !== 'object' && type !== 'array') && target?.writeOnly !== true;
      if (ofScalars) shown.add(squash(key));
      else sections.add(squash(key));
      visit(child);
    }
    for (const child of Object.values(schema.definitions ?? {})) visit(child);
    if (schema.items) visit(schema.items);
  };
  visit(configSchema());
  // `satellite` is both a section and a flag: text right behind it is nobody's flag.
  for (const key of sections) shown.delete(key);
  keys = { shown, known };
  return keys;
}

export function isKnownKey(key: string): boolean {
  return schemaKeys().known.has(squash(key));
}

/** Known, or mistyped. */
export function resemblesKey(key: string): boolean {
  return nearest(key, [...schemaKeys().known]) !== undefined;
}

/** Whether the key is one whose value is open to everyone. */
function isOpenKey(key: string): boolean {
  return schemaKeys().shown.has(squash(key));
}

/** Whether a value may be shown. Some put the secret itself where its file is asked for: then it is hardly a path. */
export function isOpenValue(key: string, text: string): boolean {
  if (isSecretFileKey(key)) return /[\\/]/.test(text) && !holdsLogin(text) && !text.split(/[\\/]/).some(hasTokenShape);
  return isOpenKey(key) && !looksSecret(text);
}

function isSecretFileKey(key: string): boolean {
  const word = squash(key);
  return word.endsWith('file') && schemaKeys().known.has(word.slice(0, -4));
}

/** Whether what stands below the key may be secret, and with it what stands below that. */
export function isSecretKey(key: string): boolean {
  const word = squash(key);
  if (isOpenKey(key) || word === 'keys') return false;
  return /pass|pwd|secret|token|key|api|credential|cookie|verification|adfs|private|auth|bearer/.test(word);
}

/** An allowed value that is masked all the same. */
export function looksSecret(text: string): boolean {
  return (
    holdsLogin(text) ||
    /pass|pwd|secret|token|api.?key|_key\b|credential|bearer|authorization/i.test(text) ||
    hasTokenShape(text)
  );
}

/** `user:password@host`, `https://token@host`; not the plain `git@host` of a clone address. */
function holdsLogin(text: string): boolean {
  const login = text.slice(0, Math.max(0, text.lastIndexOf('@')));
  return /:|\/\//.test(login) && !/^(?:ssh:\/\/)?git$/.test(login.trim());
}

/** Long, unbroken, letters and digits mixed: nobody's name for anything. */
function hasTokenShape(text: string): boolean {
  return [...text.matchAll(/[A-Za-z0-9+/=_-]{20,}/g)].some(
    ([word]) => /[A-Za-z]/.test(word) && (word.match(/\d/g)?.length ?? 0) >= 3,
  );
}

/** Whether an unknown key looks like a key at all, and not like a piece of something else. */
export function isOrdinaryWord(text: string): boolean {
  return isKnownKey(text) || (/^[A-Za-z_][\w. -]{0,39}$/.test(text) && !hasTokenShape(text));
}

/** No file has as many; a broken one may look as if it had. */
const MAX_SECRETS = 500;

/** The file's secrets as far as they are known, to keep them out of the few words that messages repeat from it. */
export class Discretion {
  readonly #secrets: readonly string[];

  constructor(secrets: readonly string[]) {
    this.#secrets = [...new Set(secrets)].filter((secret) => secret.length >= 4).slice(0, MAX_SECRETS);
  }

  get holdsSecrets(): boolean {
    return this.#secrets.length > 0;
  }

  /** Each place in a text where a secret stands, wherever it was copied to. */
  *occurrences(text: string): Generator<{ readonly start: number; readonly end: number }> {
    for (const secret of this.#secrets) {
      for (let at = text.indexOf(secret); at >= 0; at = text.indexOf(secret, at + secret.length)) {
        yield { start: at, end: at + secret.length };
      }
    }
  }

  /** For sentences that were made of a value after all; short secrets are left, they are words of ours as well. */
  scrub(sentence: string): string {
    return this.#secrets
      .filter((secret) => secret.length >= 8)
      .reduce((text, secret) => text.replaceAll(secret, MASK), sentence);
  }

  /** Whether a text may be repeated: nothing in it is one of the secrets. */
  repeats(text: string): boolean {
    return isKnownKey(text) || !this.#secrets.some((secret) => text.includes(secret));
  }

  /** A key or a name from the file, or a mask where it may be more than that. */
  word(text: string): string {
    return isOrdinaryWord(text) && this.repeats(text) ? text : MASK;
  }
}
