import { spawnSync } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { basename } from 'node:path';

/** A namespace of mounts of its own: only who may have one can try a full disk on a disk of its own. */
export const canMount = spawnSync('unshare', ['-m', 'true']).status === 0;

/** Disks out of a file, with a filesystem that can be told to fail. */
export const canLoop =
  ['losetup', 'mkfs.ext4'].every((tool) => spawnSync('which', [tool]).status === 0) &&
  spawnSync('losetup', ['--find']).status === 0 &&
  existsSync('/sys/fs/ext4');

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
  run('nsenter', ...args);
}

/**
 * The same with a disk out of a file, which outlives the process. No namespace but its own has it mounted: with its end
 * the disk is free.
 */
export function withImage(folder: string): string[] {
  const image = `${folder}.img`;
  if (!existsSync(image)) {
    run('truncate', '--size=16M', image);
    run('mkfs.ext4', '-q', image);
  }
  const script = 'mount -o loop,errors=remount-ro "$1" "$2" || exit; shift 2; exec "$@"';
  return ['unshare', '-m', 'sh', '-c', script, 'sh', image, folder];
}

/** As a kernel does that cannot write to the disk any more. */
export function failDisk(pid: number | undefined, folder: string): void {
  const device = run('nsenter', '-t', String(pid), '-m', 'findmnt', '--noheadings', '--output=SOURCE', folder);
  writeFileSync(`/sys/fs/ext4/${basename(device.trim())}/trigger_fs_error`, '1');
}

function run(command: string, ...args: string[]): string {
  const { status, stdout, stderr } = spawnSync(command, args, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`${command} ${args.join(' ')}: ${stderr}`);
  return stdout;
}

/** The same folder, as the process sees it. */
export function seenBy(pid: number | undefined, folder: string): string {
  return `/proc/${pid}/root${folder}`;
}
