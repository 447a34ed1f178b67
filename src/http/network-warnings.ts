import type { Config } from '../config/config.ts';
import { bitbucketProxy, type Env, seiProxy } from './proxy-server.ts';
import { trustOf } from './trust.ts';

/** What weakens the protection of the connections, one line each, to be logged at each start. */
export function networkWarnings({ integrations }: Config, env: Env): string[] {
  const warnings = integrations
    .filter(({ tls }) => tls.insecure)
    .map(
      ({ id, url }) =>
        `integration ${id}: tls.insecure is on, so the certificate of ${new URL(url).host} is not verified: whoever stands in between can read the credentials and change what is read. Use tls.ca_file instead.`,
    );
  if (env.NODE_TLS_REJECT_UNAUTHORIZED !== undefined) {
    warnings.push(
      'NODE_TLS_REJECT_UNAUTHORIZED is set in the environment and ignored: certificates are verified. Unset it, and name your own authority in tls.ca_file.',
    );
  }
  return warnings;
}

/**
 * Everything about the connections that can be known before the first one: the proxies, the certificate files.
 *
 * @throws SatelliteError of kind `config`, the first that is found
 */
export function checkNetworkConfig({ satellite, integrations }: Config, env: Env): void {
  seiProxy(satellite, env);
  trustOf(satellite.tls);
  for (const integration of integrations) {
    bitbucketProxy(integration, satellite, env);
    trustOf(integration.tls);
  }
}
