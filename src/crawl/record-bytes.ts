import type { AbsentPathRecord, CommitRecord, FileRecord, PathRecord } from '../records/types.ts';

/** Ids, dates, two people and the URL of a commit. */
const ownBytes = 1_000;
const fileBytes = 250;

/** About as many as the record takes as JSON, and in memory; counting them costs next to nothing. */
export function commitBytes({ message = '', files = [] }: CommitRecord): number {
  return ownBytes + message.length + filesBytes(files);
}

/** Of the list of its files alone. */
export function filesBytes(files: readonly FileRecord[] = []): number {
  let bytes = 0;
  for (const { source, destination } of files) bytes += fileBytes + pathBytes(source) + pathBytes(destination);
  return bytes;
}

/** A path stands in its record whole, in two halves, and in its parts. */
function pathBytes(path: PathRecord | AbsentPathRecord): number {
  return typeof path.toString === 'string' ? 3 * path.toString.length : 0;
}
