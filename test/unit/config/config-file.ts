import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from '@jest/globals';
import { type LoadedConfig, type LoadOptions, loadConfig } from '../../../src/config/load.ts';
import { ConfigError } from '../../../src/config/problem.ts';

const dirs: string[] = [];
afterAll(() => Promise.all(dirs.map((dir) => rm(dir, { recursive: true, force: true }))));

/** A folder of its own with a satellite.yml in it. */
export async function configFile(content: string | Uint8Array, mode = 0o600): Promise<{ dir: string; path: string }> {
  const dir = await mkdtemp(join(tmpdir(), 'satellite-config-'));
  dirs.push(dir);
  const path = join(dir, 'satellite.yml');
  await writeFile(path, content, { mode });
  return { dir, path };
}

export async function load(content: string | Uint8Array, options: Partial<LoadOptions> = {}): Promise<LoadedConfig> {
  const { dir, path } = await configFile(content);
  return loadConfig({ path, cwd: dir, env: {}, ...options });
}

/** The report that the file is refused with. */
export async function refusal(content: string | Uint8Array, options: Partial<LoadOptions> = {}): Promise<ConfigError> {
  try {
    await load(content, options);
  } catch (error) {
    if (error instanceof ConfigError) return error;
    throw error;
  }
  throw new Error('the file was accepted');
}

/** The smallest file that runs, with more lines for the integration. */
export function minimal(integration = '', satellite = ''): string {
  const indent = (text: string, by: string) => text.replace(/^(?=.)/gm, by);
  return `satellite:
  tenant: acme
  api_key: sei-key-1
  url: https://app.harness.io/gratis/sei/api
${indent(satellite, '  ')}
integrations:
  - id: '1'
    application: bitbucket_server
    url: https://bitbucket.example.com
    username: reader
    api_key: secret-1
${indent(integration, '    ')}
`;
}
