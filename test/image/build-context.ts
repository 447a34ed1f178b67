import { appendFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { cp } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';

/** Of a checkout: made anew by every build, or planted below. */
const leftOut = new Set(['.git', 'node_modules', 'dist', 'dist-package']);

/** What lies about in a checkout that is worked in, and has to stay out of the image. */
const planted = [
  '.env',
  '.git/config',
  '.git/objects/pack/pack-1.pack',
  'dist/stale.js',
  'node_modules/stale/package.json',
  'satellite.env',
  'satellite.yml',
  'test/planted.ts',
];

/** The project as a build is given it, with `canary` in everything that is not to get into the image. */
export async function fillContext(folder: string, projectFolder: string, canary: string): Promise<void> {
  await cp(projectFolder, folder, {
    recursive: true,
    filter: (source) => source === projectFolder || !leftOut.has(basename(source)),
  });
  for (const path of planted) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), `${canary}\n`);
  }
  // A login at the mirror, which npm needs and the image does not.
  appendFileSync(join(folder, '.npmrc'), `//mirror.example.com/:_authToken=${canary}\n`);
}
