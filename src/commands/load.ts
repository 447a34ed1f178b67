import { type LoadedConfig, loadConfig } from '../config/load.ts';
import { passwordsInUrl } from '../config/secrets.ts';
import type { Redactor } from '../ops/redact.ts';

export const configOption = [
  '-c, --config <file>',
  'the configuration (default: $CONFIG_FILE, /levelops/config.yml, ./satellite.yml, the first that there is)',
] as const;

export interface ConfigOption {
  readonly config?: string;
}

/** Reads the configuration; the redactor knows every secret of it before anything is said about it. */
export async function load({ config }: ConfigOption, redactor: Redactor, strict = false): Promise<LoadedConfig> {
  return loadFrom({ path: config, env: process.env, strict }, redactor);
}

export async function loadFrom(
  { path, env, strict = false }: { path?: string | undefined; env: NodeJS.ProcessEnv; strict?: boolean },
  redactor: Redactor,
): Promise<LoadedConfig> {
  redactor.learn(secretsOfEnvironment(env));
  const loaded = await loadConfig({
    env,
    cwd: process.cwd(),
    strict,
    onSecrets: (secrets) => redactor.learn(secrets),
    ...(path === undefined ? {} : { path }),
  });
  redactor.learn(loginsOf(loaded));
  return loaded;
}

/** Passwords of proxies, and that of an encrypted file. */
function secretsOfEnvironment(env: NodeJS.ProcessEnv): string[] {
  const proxies = ['HTTP_PROXY', 'HTTPS_PROXY', 'ALL_PROXY'].flatMap((name) => [env[name], env[name.toLowerCase()]]);
  const urls = proxies
    .filter((value) => value !== undefined)
    .map((value) => (value.includes('://') ? value : `http://${value}`));
  return [...urls.flatMap(passwordsInUrl), env.ENCRYPTION_PASSWORD ?? '', env.ENCRYPTION_PASSWORD?.trim() ?? ''];
}

/** What stands in the header of a request is user and password in one, encoded. */
function loginsOf({ config: { satellite, integrations } }: LoadedConfig): string[] {
  const logins = integrations.flatMap(({ allCredentials }) =>
    allCredentials.map((login) => (login.kind === 'basic' ? `${login.username}:${login.password}` : login.token)),
  );
  const { username, password } = satellite.proxy ?? {};
  return password === undefined ? logins : [...logins, `${username}:${password}`];
}
