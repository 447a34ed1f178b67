import { spawnSync } from 'node:child_process';

/** A namespace of mounts of its own: only who may have one can try a full disk on a disk of its own. */
export const canMount = spawnSync('unshare', ['-m', 'true']).status === 0;

/** What lies on a disk that has no room left. */
export const ballast = 'ballast';

/** A command to put in front of another, which then sees a small disk in memory at `folder`. */
export function withDisk(
  folder: string,
  options: { readonly mib: number; readonly readOnly?: true; readonly full?: true },
): string[] {
  const flags = `size=${options.mib}m${options.readOnly ? ',ro' : ''}`;
  const fill = options.full ? `cat /dev/zero > "$2/${ballast}" 2> /dev/null;` : '';
  const script = `mount -t tmpfs -o "$1" tmpfs "$2" || exit; ${fill} shift 2; exec "$@"`;
  return ['unshare', '-m', 'sh', '-c', script, 'sh', flags, folder];
}

/** The same folder, as the process sees it. */
export function seenBy(pid: number | undefined, folder: string): string {
  return `/proc/${pid}/root${folder}`;
}
