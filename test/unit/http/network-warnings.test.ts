import { expect, test } from '@jest/globals';
import type { Config } from '../../../src/config/config.ts';
import { checkNetworkConfig, networkWarnings } from '../../../src/http/network-warnings.ts';
import { integration } from '../crawl/integration.ts';

const config: Config = {
  path: '/etc/satellite.yml',
  satellite: {
    tenant: 't',
    apiKey: 'k',
    url: 'https://app.harness.io/gratis/sei/api',
    schedulingIntervalSeconds: 60,
    dataDir: '/var/lib/satellite',
    log: { level: 'info', format: 'auto' },
    push: { maxPageBytes: 1 },
    store: { maxBytes: 2 ** 31 },
    tls: {},
  },
  integrations: [
    integration({ id: '1' }),
    integration({ id: '2', url: 'https://old.example.com:8443', tls: { insecure: true } }),
  ],
};
const safe: Config = { ...config, integrations: [integration()] };

test('nothing to warn about', () => {
  expect(networkWarnings(safe, { HTTPS_PROXY: 'http://u:p@proxy.example', NODE_EXTRA_CA_CERTS: '/x' })).toEqual([]);
});

test('each integration whose server is not verified', () => {
  expect(networkWarnings(config, {})).toEqual([
    'integration 2: tls.insecure is on, so the certificate of old.example.com:8443 is not verified: whoever stands in between can read the credentials and change what is read. Use tls.ca_file instead.',
  ]);
});

test.each(['0', '1', ''])('NODE_TLS_REJECT_UNAUTHORIZED=%s', (value) => {
  expect(networkWarnings(safe, { NODE_TLS_REJECT_UNAUTHORIZED: value })).toEqual([
    expect.stringMatching(/^NODE_TLS_REJECT_UNAUTHORIZED is set .* ignored/),
  ]);
});

test('a proxy variable that is no url is found before the first connection', () => {
  expect(() => checkNetworkConfig(safe, { HTTPS_PROXY: 'nonsense://' })).toThrow(
    expect.objectContaining({ code: 'PROXY_URL_INVALID' }),
  );
});

test('a CA file of an integration that is missing is found before the first connection', () => {
  const broken = { ...safe, integrations: [integration({ tls: { insecure: false, caFile: '/nonexistent/ca.pem' } })] };
  expect(() => checkNetworkConfig(broken, {})).toThrow(/nonexistent.*cannot be read/);
  expect(() => checkNetworkConfig(safe, {})).not.toThrow();
});
