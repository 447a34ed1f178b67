import { dirname } from 'node:path';

/**
 * What the relative paths of a configuration are relative to: its folder, or the working directory where it comes out of
 * a pipe (`--config <(…)` is /dev/fd/63) and nothing can be beside it. /dev/shm holds files as any folder does.
 */
export function baseFolder(configPath: string, cwd: string): string {
  return /^\/(?:dev\/(?!shm\/)|proc\/)/.test(configPath) ? cwd : dirname(configPath);
}
