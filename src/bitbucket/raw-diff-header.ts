import { Buffer } from 'node:buffer';

/**
 * The lines above the hunks of one file in a git diff: what happened to the file, and under which names.
 *
 * They come in as latin1, one character per byte: git quotes and measures by bytes, and a name need not be UTF-8. Only
 * the finished path is decoded.
 */
export interface DiffHeader {
  /** What follows `diff --git `: both names in one text. */
  readonly names: string;
  isNew?: boolean;
  isDeleted?: boolean;
  /** Of a rename or a copy. */
  from?: string;
  to?: string;
  isExactCopy?: boolean;
  /** Of the `---` and `+++` lines; null for `/dev/null`. */
  oldFile?: string | null;
  newFile?: string | null;
  /** Nothing has to follow any more: no hunks are due. */
  isComplete?: boolean;
  /** Of a binary patch, whose two halves, forward and backward, end in an empty line each. */
  patchHalvesLeft?: number;
}

export interface DiffPaths {
  readonly sourcePath: string | null;
  readonly destinationPath: string | null;
}

/** Takes in one more line. One that nobody here knows is ignored: git may come to say more about a file. */
export function readHeaderLine(header: DiffHeader, line: string): void {
  if (header.patchHalvesLeft) {
    if (line === '') header.patchHalvesLeft -= 1;
    header.isComplete = header.patchHalvesLeft === 0;
    return;
  }
  const known = READERS.find(([prefix]) => line.startsWith(prefix));
  if (known) known[1](header, line.slice(known[0].length));
}

/** Where the file was and where it is; undefined when the header does not say, which git's own headers always do. */
export function headerPaths(header: DiffHeader): DiffPaths | undefined {
  // A rename or a copy names its sides on lines of their own; all else has one name, twice on the first line.
  const name = sameName(header.names);
  const source = header.isNew || header.oldFile === null ? null : (header.from ?? name ?? header.oldFile);
  const destination = header.isDeleted || header.newFile === null ? null : (header.to ?? name ?? header.newFile);
  if (source === undefined || destination === undefined) return undefined;
  const sourcePath = decoded(source);
  // One string for both sides where it is the same: the first commit of a repository may have 100,000 files.
  const destinationPath = destination === source ? sourcePath : decoded(destination);
  return sourcePath === null && destinationPath === null ? undefined : { sourcePath, destinationPath };
}

type HeaderReader = (header: DiffHeader, value: string) => void;

const READERS: readonly (readonly [prefix: string, read: HeaderReader])[] = [
  ['index ', readIndex],
  ['--- ', readOldFile],
  ['+++ ', readNewFile],
  ['new file mode ', readNewFileMode],
  ['deleted file mode ', readDeletedFileMode],
  ['new mode ', readNewMode],
  ['similarity index ', readSimilarity],
  ['rename from ', readFrom],
  ['copy from ', readFrom],
  ['rename to ', readTo],
  ['copy to ', readTo],
  ['Binary files ', readBinary],
  ['GIT binary patch', readBinaryPatch],
];

function readNewFileMode(header: DiffHeader): void {
  header.isNew = true;
}

function readDeletedFileMode(header: DiffHeader): void {
  header.isDeleted = true;
}

function readNewMode(header: DiffHeader): void {
  header.isComplete = true;
}

function readSimilarity(header: DiffHeader, value: string): void {
  header.isExactCopy = value === '100%';
  header.isComplete = false;
}

function readFrom(header: DiffHeader, value: string): void {
  header.from = withoutPrefix(unquoted(value), 'src://');
}

function readTo(header: DiffHeader, value: string): void {
  header.to = withoutPrefix(unquoted(value), 'dst://');
  header.isComplete = header.isExactCopy === true;
}

/** An `index` line stands for a change of content, so hunks are due, except where an empty file comes or goes. */
function readIndex(header: DiffHeader, value: string): void {
  const [oldBlob = '', newBlob = ''] = value.split(' ', 1)[0]?.split('..') ?? [];
  header.isComplete = header.isNew ? isEmptyBlob(newBlob) : header.isDeleted ? isEmptyBlob(oldBlob) : false;
}

function readOldFile(header: DiffHeader, value: string): void {
  const name = fileLineName(value);
  header.oldFile = name === '/dev/null' ? null : withoutPrefix(name, 'src://', 'a/');
  header.isComplete = false;
}

function readNewFile(header: DiffHeader, value: string): void {
  const name = fileLineName(value);
  header.newFile = name === '/dev/null' ? null : withoutPrefix(name, 'dst://', 'b/');
}

function readBinary(header: DiffHeader): void {
  header.isComplete = true;
}

function readBinaryPatch(header: DiffHeader): void {
  header.patchHalvesLeft = 2;
}

/** The name of an empty file's content under SHA-1 and SHA-256; git shortens it as it likes. */
const EMPTY_BLOBS = [
  'e69de29bb2d1d6434b8b29ae775ad8c2e48c5391',
  '473a0f4c3be8a93681a267e3b1e9a7dcda1185436fe141f7749120a303721813',
];

function isEmptyBlob(blob: string): boolean {
  return blob !== '' && EMPTY_BLOBS.some((empty) => empty.startsWith(blob));
}

/** A name with a space in it is followed by a TAB in `---` and `+++` lines; a TAB of its own would make git quote it. */
function fileLineName(value: string): string {
  return unquoted(value.endsWith('\t') ? value.slice(0, -1) : value);
}

/**
 * The name that `src://name dst://name` says twice. Names may hold spaces, and even ` dst://`, so no separator can be
 * searched for; but both halves are equally long, which leaves only one place to cut.
 */
function sameName(names: string): string | undefined {
  const middle = (names.length - 1) / 2;
  if (names[middle] !== ' ') return undefined;
  const source = unquoted(names.slice(0, middle));
  const destination = unquoted(names.slice(middle + 1));
  if (source === destination) return source;
  const name = withoutPrefix(source, 'src://', 'a/');
  return name === withoutPrefix(destination, 'dst://', 'b/') ? name : undefined;
}

function withoutPrefix(name: string, ...prefixes: string[]): string {
  const prefix = prefixes.find((candidate) => name.startsWith(candidate));
  return prefix === undefined ? name : name.slice(prefix.length);
}

const ESCAPES: Readonly<Record<string, string>> = {
  a: '\x07',
  b: '\b',
  t: '\t',
  n: '\n',
  v: '\v',
  f: '\f',
  r: '\r',
};

/** Undoes git's quoting of names in the manner of C: `"a\tb"`, `"caf\303\251"`. */
function unquoted(name: string): string {
  if (name.length < 2 || !name.startsWith('"') || !name.endsWith('"')) return name;
  return name
    .slice(1, -1)
    .replace(/\\([0-7]{1,3}|.)/gs, (_match, code: string) =>
      /^\d/.test(code) ? String.fromCharCode(Number.parseInt(code, 8) & 0xff) : (ESCAPES[code] ?? code),
    );
}

function decoded(name: string | null): string | null {
  return name === null ? null : Buffer.from(name, 'latin1').toString('utf8');
}
