import { squash } from './names.ts';
import type { Path } from './tree.ts';

/** `<ACCOUNT_ID>` and the like, left in from a sample, alone or inside an address. */
export function isPlaceholder(text: string): boolean {
  return /^<[^<>]*>$/.test(text.trim()) || /:\/\/[^/]*<[^<>]*>/.test(text);
}

/** Words of a name, as whole ones: a passphrase may begin with "your" and end with "password", too. */
const named = 'access|account|admin|api|app|auth|bearer|bitbucket|harness|http|levelops|personal|proxy|sei|user';

const wordsLeftIn = new RegExp(
  `^(?:(?:change|replace)me|(?:enter|insert|put)?your(?:${named})*(?:key|password|secret|token)(?:here)?|x{4,}|\\*{4,})$`,
);

/**
 * `CHANGE-ME`, `your_api_key`, `xxxx`: nobody's secret. For other values than secrets these may be names, and a proxy may
 * well have a word for its password: no account is locked by that.
 */
export function isPlaceholderSecret(text: string, path: Path): boolean {
  return !path.includes('proxy') && wordsLeftIn.test(squash(text.trim()));
}
