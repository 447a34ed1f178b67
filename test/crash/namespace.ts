import { spawnSync } from 'node:child_process';

/** A namespace of mounts of its own: only who may have one can try a full disk on a disk of its own. */
export const canMount = spawnSync('unshare', ['-m', 'true']).status === 0;

/** What lies on a disk that has no room left. */
export const ballast = 'ballast';

/** A command to put in front of another, which then sees a small disk in memory at `folder`; `from` is what lies on it. */
export function withDisk(
  folder: string,
  options: { readonly mib: number; readonly readOnly?: true; readonly full?: true; readonly from?: string },
): string[] {
  const flags = `size=${options.mib}m${options.readOnly ? ',ro' : ''}`;
  const copy = options.from === undefined ? '' : `cp "${options.from}"/* "$2"/;`;
  const fill = options.full ? `cat /dev/zero > "$2/${ballast}" 2> /dev/null;` : '';
  const script = `mount -t tmpfs -o "$1" tmpfs "$2" || exit; ${copy} ${fill} shift 2; exec "$@"`;
  return ['unshare', '-m', 'sh', '-c', script, 'sh', flags, folder];
}

/** Makes the small disk of a running process take nothing or take writes again. */
export function remount(pid: number | undefined, folder: string, mode: 'ro' | 'rw'): void {
  const args = ['-t', String(pid), '-m', 'mount', '-o', `remount,${mode}`, folder];
  const { status, stderr } = spawnSync('nsenter', args, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`remount,${mode}: ${stderr}`);
}

/** The same folder, as the process sees it. */
export function seenBy(pid: number | undefined, folder: string): string {
  return `/proc/${pid}/root${folder}`;
}
