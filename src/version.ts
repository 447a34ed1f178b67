import { readFileSync } from 'node:fs';

/** Of this program; `BUILD_VERSION` names a build of it, as in the vendor's image (sei-protocol §5.2). */
export function satelliteVersion(env: NodeJS.ProcessEnv): string {
  if (env.BUILD_VERSION) return env.BUILD_VERSION;
  const manifest = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as { version: string };
  return manifest.version;
}
