import type { Config, IntegrationConfig, SatelliteConfig } from '../../../src/config/config.ts';
import { integration } from '../crawl/integration.ts';

export function satellite(overrides: Partial<SatelliteConfig> = {}): SatelliteConfig {
  return {
    tenant: 'acme',
    apiKey: 'sei-key',
    url: 'https://sei.example.org/gratis/sei/api',
    schedulingIntervalSeconds: 60,
    dataDir: '/nowhere',
    log: { level: 'error', format: 'json' },
    push: { maxPageBytes: 2 * 1024 * 1024 },
    store: { maxBytes: 2 ** 31 },
    tls: {},
    ...overrides,
  };
}

export function config(integrations: readonly IntegrationConfig[] = [integration()]): Config {
  return { path: '/etc/satellite.yml', satellite: satellite(), integrations };
}
