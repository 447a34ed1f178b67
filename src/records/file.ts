import type { FileChange } from '../bitbucket/file-change.ts';
import type { AbsentPathRecord, FileRecord, PathRecord } from './types.ts';

export function fileRecord(change: FileChange): FileRecord {
  const source = pathRecord(change.sourcePath);
  const destination = change.destinationPath === change.sourcePath ? source : pathRecord(change.destinationPath);
  return {
    fileName: destination.name ?? source.name ?? '',
    source,
    destination,
    linesRemoved: change.linesRemoved,
    linesAdded: change.linesAdded,
  };
}

/** A path as Bitbucket itself writes it: a dot file is all extension, a name without a dot has none. */
function pathRecord(path: string | null): PathRecord | AbsentPathRecord {
  if (path === null) return {};
  const fullPath = path.toWellFormed();
  const components = fullPath.split('/');
  const name = components.at(-1) ?? '';
  const dot = name.lastIndexOf('.');
  return {
    components,
    parent: components.slice(0, -1).join('/'),
    name,
    ...(dot >= 0 && { extension: name.slice(dot + 1) }),
    toString: fullPath,
  };
}
