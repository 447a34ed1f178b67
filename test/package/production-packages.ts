import { existsSync } from 'node:fs';
import { join } from 'node:path';

interface LockedPackage {
  readonly version: string;
  readonly dev?: boolean;
  readonly devOptional?: boolean;
  readonly optional?: boolean;
}

export interface Lock {
  readonly packages: Readonly<Record<string, LockedPackage>>;
}

/**
 * The folders, relative to the project's, of what the program needs when it runs. The lock file says so and not the
 * content of node_modules, which may have anything in it.
 *
 * @throws Error where one is not installed
 */
export function productionPackages(lock: Lock, projectFolder: string): string[] {
  const folders: string[] = [];
  for (const [folder, { dev, devOptional, optional }] of Object.entries(lock.packages)) {
    if (folder === '' || dev === true || devOptional === true) continue;
    if (existsSync(join(projectFolder, folder))) folders.push(folder);
    else if (optional !== true) throw new Error(`${folder} is not there: run npm ci first`);
  }
  return folders;
}
