import { createReadStream, existsSync, lstatSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

/** Paths of the regular files below a folder, relative to it. No link is followed. */
export function filesIn(root: string, folder = ''): string[] {
  return readdirSync(join(root, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return filesIn(root, path);
    return entry.isFile() ? [path] : [];
  });
}

export function bytesOf(root: string): number {
  return filesIn(root).reduce((sum, file) => sum + lstatSync(join(root, file)).size, 0);
}

/** Folders of packages, those within packages included: `node_modules/a/node_modules/@b/c`. */
export function installedPackages(root: string, folder = 'node_modules'): string[] {
  if (!existsSync(join(root, folder))) return [];
  const names = readdirSync(join(root, folder))
    .filter((name) => !name.startsWith('.'))
    .flatMap((name) =>
      name.startsWith('@') ? readdirSync(join(root, folder, name)).map((own) => `${name}/${own}`) : [name],
    );
  return names.flatMap((name) => {
    const own = join(folder, name);
    return [own, ...installedPackages(root, join(own, 'node_modules'))];
  });
}

/** Files that have the text in them. */
export async function filesWith(root: string, text: string): Promise<string[]> {
  const found: string[] = [];
  for (const file of filesIn(root)) {
    if (await contains(join(root, file), text)) found.push(file);
  }
  return found;
}

async function contains(path: string, text: string): Promise<boolean> {
  let tail = '';
  for await (const chunk of createReadStream(path, { encoding: 'latin1', highWaterMark: 2 ** 20 })) {
    const seen = tail + chunk;
    if (seen.includes(text)) return true;
    tail = seen.slice(-text.length);
  }
  return false;
}
