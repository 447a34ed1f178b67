import { type LoadedConfig, loadConfig } from '../config/load.ts';

export const configOption = [
  '-c, --config <file>',
  'the configuration (default: $CONFIG_FILE, /levelops/config.yml, ./satellite.yml, the first that there is)',
] as const;

export interface ConfigOption {
  readonly config?: string;
}

export async function load({ config }: ConfigOption, strict = false): Promise<LoadedConfig> {
  return loadConfig({
    env: process.env,
    cwd: process.cwd(),
    strict,
    ...(config === undefined ? {} : { path: config }),
  });
}
