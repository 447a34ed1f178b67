import type { Config } from '../config/config.ts';
import { bitbucketProxy, type Env, seiProxy } from '../http/proxy-server.ts';

const mask = '***';

/** Fewer letters may be a part of any word: they are taken out where they stand alone. */
const shortest = 4;

/** Every secret that a request of this configuration carries, in each form in which an answer might repeat it. */
export function secretsOf({ satellite, integrations }: Config, env: Env): string[] {
  const logins = [
    ...integrations.flatMap(({ allCredentials }) => allCredentials),
    ...[seiProxy(satellite, env), ...integrations.map((one) => bitbucketProxy(one, satellite, env))].map(
      (proxy) => proxy?.credentials,
    ),
  ];
  const secrets = [satellite.apiKey];
  for (const login of logins) {
    if (login === undefined) continue;
    if ('token' in login) secrets.push(login.token);
    else secrets.push(login.password, base64(`${login.username}:${login.password}`));
  }
  return [...new Set(secrets.flatMap(formsOf))].filter((form) => form !== '');
}

/** Takes the secrets out of a text, and control characters too: both come from servers that may repeat what they were sent. */
export function redactor(secrets: readonly string[]): (text: string) => string {
  // The longest first: one secret may be the beginning of another.
  const ordered = secrets.toSorted((one, other) => other.length - one.length);
  return (text) => {
    const masked = ordered.reduce(without, printable(text));
    return withoutCutEnd(masked, ordered);
  };
}

function without(text: string, secret: string): string {
  if (secret.length >= shortest) return text.replaceAll(secret, mask);
  const literal = secret.replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&');
  return text.replace(new RegExp(`(?<![\\p{L}\\p{N}])${literal}(?![\\p{L}\\p{N}])`, 'gu'), mask);
}

/** What a server says is cut at some length, in the middle of a secret perhaps. */
function withoutCutEnd(text: string, secrets: readonly string[]): string {
  for (const secret of secrets) {
    for (let length = Math.min(secret.length - 1, text.length); length >= shortest; length--) {
      if (text.endsWith(secret.slice(0, length))) return `${text.slice(0, -length)}${mask}`;
    }
  }
  return text;
}

function formsOf(secret: string): string[] {
  const html = secret.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
  return [
    secret,
    encodeURIComponent(secret),
    encodeURI(secret),
    JSON.stringify(secret).slice(1, -1),
    base64(secret),
    html,
    html.replaceAll('"', '&quot;').replaceAll("'", '&#39;'),
    html.replaceAll('"', '&#34;').replaceAll("'", '&#x27;'),
  ];
}

function base64(text: string): string {
  return Buffer.from(text).toString('base64');
}

function printable(text: string): string {
  return text.replace(/[^\P{Cc}\n]/gu, ' ');
}
