import type { Config, IntegrationConfig } from '../config/config.ts';
import { SatelliteError } from '../errors.ts';

/** @throws SatelliteError `INTEGRATION_UNKNOWN` */
export function integrationOf(config: Config, id: string): IntegrationConfig {
  const integration = config.integrations.find((candidate) => candidate.id === id);
  if (integration !== undefined) return integration;
  throw new SatelliteError(`There is no integration ${id} in ${config.path}`, {
    code: 'INTEGRATION_UNKNOWN',
    kind: 'config',
    hint: `It has ${config.integrations.map((candidate) => candidate.id).join(', ') || 'none for bitbucket_server'}.`,
  });
}
