/** Of a mode as `stat` gives it; Windows has no such bits and says 0666 for everything. */
export function writableByOthers(mode: number): boolean {
  return process.platform !== 'win32' && (mode & 0o022) !== 0;
}

export function readableByOthers(mode: number): boolean {
  return process.platform !== 'win32' && (mode & 0o004) !== 0;
}
