import type { Credentials } from './config.ts';
import type { RawCredential, RawIntegration } from './raw.ts';
import type { Path } from './tree.ts';

export type CredentialsResult =
  | { readonly all: readonly [Credentials, ...Credentials[]] }
  | { readonly missing: Path; readonly message: string; readonly expected: string };

/**
 * Who the satellite is towards Bitbucket. A user with a secret is basic authentication; a secret alone is an HTTP
 * access token and goes out as bearer, whatever it is called, and so does a `token` that is the only secret.
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
      return either(integration, integration.keys !== undefined);
  }
}

function several(keys: readonly RawCredential[]): CredentialsResult {
  const all: Credentials[] = [];
  for (const [index, key] of keys.entries()) {
    const result = either(key);
    if ('missing' in result) return { ...result, missing: ['keys', index, ...result.missing] };
    all.push(...result.all);
  }
  const [first, ...rest] = all;
  if (first) return { all: [first, ...rest] };
  return {
    missing: ['keys'],
    message: 'authentication multiple_api_keys goes with the list keys',
    expected: 'keys, each with username and api_key',
  };
}

function either(raw: RawCredential, hasKeys = false): CredentialsResult {
  const password = raw.api_key ?? raw.password;
  if (hasKeys && (password ?? raw.token) === undefined) {
    return {
      missing: ['authentication'],
      message: 'the list keys counts only with multiple_api_keys',
      expected: 'authentication: multiple_api_keys, or api_key',
    };
  }
  return raw.username === undefined || password === undefined ? bearer(raw) : basic(raw);
}

function basic(raw: RawCredential): CredentialsResult {
  const password = raw.api_key ?? raw.password ?? raw.token;
  if (raw.username === undefined) {
    return {
      missing: ['username'],
      message: 'basic authentication needs a user',
      expected: 'username, or authentication: bearer for a token alone',
    };
  }
  if (password === undefined) return NO_SECRET;
  return { all: [{ kind: 'basic', username: raw.username, password }] };
}

function bearer(raw: RawCredential): CredentialsResult {
  const token = raw.token ?? raw.api_key ?? raw.password;
  return token === undefined ? NO_SECRET : { all: [{ kind: 'bearer', token }] };
}

const NO_SECRET = {
  missing: ['api_key'],
  message: 'there is nothing to log in with',
  expected: 'api_key, or api_key_file with the path of a file that holds it',
} as const;
