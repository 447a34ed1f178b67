import type { Credentials } from './config.ts';
import type { RawCredential, RawIntegration } from './raw.ts';

export type CredentialsResult =
  | { readonly all: readonly [Credentials, ...Credentials[]] }
  | { readonly missing: string; readonly message: string };

/**
 * Who the satellite is towards Bitbucket. A user with a secret is basic authentication; a secret alone is an HTTP
 * access token and goes out as bearer, whatever it is called.
 */
export function credentialsOf(integration: RawIntegration): CredentialsResult {
  switch (integration.authentication) {
    case 'multiple_api_keys':
      return several(integration.keys ?? []);
    case 'bearer':
    case 'oauth':
      return bearer(integration);
    case 'basic':
      return basic(integration);
    default:
      return integration.username === undefined ? bearer(integration) : basic(integration);
  }
}

function several(keys: readonly RawCredential[]): CredentialsResult {
  const all: Credentials[] = [];
  for (const [index, key] of keys.entries()) {
    const result = key.username === undefined ? bearer(key) : basic(key);
    if ('missing' in result) return { ...result, missing: `keys[${index}].${result.missing}` };
    all.push(...result.all);
  }
  const [first, ...rest] = all;
  if (!first) return { missing: 'keys', message: 'authentication multiple_api_keys needs the list keys' };
  return { all: [first, ...rest] };
}

function basic(raw: RawCredential): CredentialsResult {
  const password = raw.api_key ?? raw.password ?? raw.token;
  if (raw.username === undefined) return { missing: 'username', message: 'basic authentication needs a user' };
  if (password === undefined) return { missing: 'api_key', message: 'the user needs a password or access token' };
  return { all: [{ kind: 'basic', username: raw.username, password }] };
}

function bearer(raw: RawCredential): CredentialsResult {
  const token = raw.token ?? raw.api_key ?? raw.password;
  if (token === undefined) return { missing: 'api_key', message: 'there is no secret to log in with' };
  return { all: [{ kind: 'bearer', token }] };
}
