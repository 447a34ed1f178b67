import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from '@jest/globals';
import { load } from 'js-yaml';

// npm has no schema of Compose files that is kept up to date, so what matters is written out here.

interface Compose {
  readonly services: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  readonly secrets: unknown;
  readonly volumes: unknown;
}

const path = fileURLToPath(new URL('../../../config/compose.yaml', import.meta.url));
const compose = load(readFileSync(path, 'utf8')) as Compose;

test('the container may do nothing but its work', () => {
  expect(Object.keys(compose.services)).toEqual(['satellite']);
  expect(compose.services.satellite).toMatchObject({
    user: '65532:65532',
    read_only: true,
    cap_drop: ['ALL'],
    security_opt: ['no-new-privileges:true'],
    tmpfs: ['/tmp:size=16m,mode=1777,noexec,nosuid,nodev'],
    mem_limit: '256m',
    memswap_limit: '256m',
    pids_limit: 64,
    restart: 'unless-stopped',
  });
});

test('nothing is given that takes this back', () => {
  const forbidden = ['privileged', 'cap_add', 'devices', 'network_mode', 'pid', 'ipc', 'userns_mode', 'ports'];
  expect(Object.keys(compose.services.satellite ?? {}).filter((key) => forbidden.includes(key))).toEqual([]);
});

test('the configuration is a secret at the place where the image looks, the data a named volume', () => {
  expect(compose.services.satellite).toMatchObject({
    secrets: [{ source: 'config', target: '/levelops/config.yml' }],
    volumes: ['data:/var/lib/satellite'],
  });
  expect(compose.secrets).toEqual({ config: { file: '../satellite.yml' } });
  expect(compose.volumes).toEqual({ data: null });
});

test('it is unhealthy where it has to be started anew, and not where another server is away', () => {
  expect(compose.services.satellite?.healthcheck).toMatchObject({
    test: [
      'CMD',
      'node',
      '--max-old-space-size=32',
      '--max-semi-space-size=1',
      '/app/dist/main.js',
      'status',
      '--probe',
    ],
    timeout: '15s',
    start_period: '30s',
  });
});

test('it is given time to stop: longer than the satellite takes', () => {
  expect(compose.services.satellite?.stop_grace_period).toBe('20s');
});
