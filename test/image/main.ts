/**
 * Builds the Dockerfile with buildah on a base made of this machine's own files, and runs the image as an operator would:
 * `npm run test:image`. One line for each check; 0 where all are well, or where there is no way to build here.
 *
 * What mounts and runs does so in namespaces of its own (`image.ts`), so that both are gone with them however this ends,
 * and the folder can be deleted without reaching through a mount.
 */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ownNamespaces = ['--mount', '--pid', '--mount-proc', '--fork', '--kill-child', '--propagation', 'private'];

function reasonToSkip(): string | undefined {
  if (process.platform !== 'linux') return `this is ${process.platform}, not Linux`;
  if (process.getuid?.() !== 0) return 'this user is not root, and may not make a root file system';
  const buildah = spawnSync('buildah', ['--version'], { encoding: 'utf8' });
  if (buildah.status !== 0) return 'buildah is not installed';
  const unshare = spawnSync('unshare', [...ownNamespaces, 'true'], { encoding: 'utf8' });
  return unshare.status === 0 ? undefined : `namespaces are not to be had here: ${unshare.stderr?.trim()}`;
}

async function main(): Promise<number> {
  const reason = reasonToSkip();
  if (reason !== undefined) {
    process.stdout.write(`skipped: the container image, since ${reason}\n`);
    return 0;
  }
  const folder = mkdtempSync(join(tmpdir(), 'satellite-image-'));
  try {
    const inner = fileURLToPath(new URL('image.ts', import.meta.url));
    const child = spawn('unshare', [...ownNamespaces, process.execPath, inner, folder], { stdio: 'inherit' });
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => child.kill('SIGKILL'));
    const [exitCode] = (await once(child, 'close')) as [number | null];
    return exitCode ?? 1;
  } finally {
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  }
}

process.exitCode = await main();
