import { distance } from 'fastest-levenshtein';
import type { Schema } from './schema.ts';

/** `user_name`, `userName`, `user-name` and `USERNAME` are one key, as the vendor's loader has it. */
export function squash(key: string): string {
  return key.toLowerCase().replace(/[-_ .]/g, '');
}

/** The schema's spelling of a key, or undefined for a key it does not know. */
export function canonicalKey(key: string, schema: Schema): string | undefined {
  const wanted = squash(key);
  return Object.keys(schema.properties ?? {}).find((known) => squash(known) === wanted);
}

export const OUR_APPLICATION = 'bitbucket_server';

export function isOurApplication(application: string): boolean {
  return squash(application.trim()) === squash(OUR_APPLICATION);
}

/** Not ours as it is written, but hardly anything else. */
export function mistypedApplication(application: string): boolean {
  const word = squash(application.trim());
  return (
    distance(word, squash(OUR_APPLICATION)) <= 4 ||
    /^(?:stash|bitbucket(?:dc|datacenter|onprem|enterprise|selfhosted))$/.test(word)
  );
}
