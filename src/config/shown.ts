import type { Config, Credentials, IntegrationConfig, ProxyConfig } from './config.ts';
import { MASK } from './secrecy.ts';

/** The configuration as it was understood, for people who shall not know its secrets. */
export function shownConfig({ path, satellite, integrations }: Config): object {
  const { apiKey: _apiKey, proxy, ...rest } = satellite;
  return {
    path,
    satellite: { ...rest, apiKey: MASK, ...(proxy === undefined ? {} : { proxy: shownProxy(proxy) }) },
    integrations: integrations.map(shownIntegration),
  };
}

function shownProxy({ password, ...rest }: ProxyConfig): object {
  return { ...rest, ...(password === undefined ? {} : { password: MASK }) };
}

function shownIntegration({ credentials: _first, allCredentials, ...rest }: IntegrationConfig): object {
  return { ...rest, allCredentials: allCredentials.map(shownCredentials) };
}

function shownCredentials(credentials: Credentials): object {
  return credentials.kind === 'basic'
    ? { kind: 'basic', username: credentials.username, password: MASK }
    : { kind: 'bearer', token: MASK };
}
