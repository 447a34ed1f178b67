const blockBytes = 512;

export interface TarFile {
  /** At most 100 bytes of ASCII. */
  readonly name: string;
  readonly content: Buffer;
}

/** A tar archive (POSIX ustar) of files that only their owner may read. */
export function tarOf(files: readonly TarFile[], modifiedAtMs: number): Buffer {
  const blocks = files.flatMap(({ name, content }) => [
    header(name, content.length, modifiedAtMs),
    content,
    Buffer.alloc((blockBytes - (content.length % blockBytes)) % blockBytes),
  ]);
  return Buffer.concat([...blocks, Buffer.alloc(2 * blockBytes)]);
}

function header(name: string, size: number, modifiedAtMs: number): Buffer {
  const block = Buffer.alloc(blockBytes);
  const octal = (value: number, at: number, digits: number) =>
    block.write(value.toString(8).padStart(digits, '0'), at, 'ascii');
  block.write(name, 0, 100, 'ascii');
  octal(0o600, 100, 7);
  octal(0, 108, 7);
  octal(0, 116, 7);
  octal(size, 124, 11);
  octal(Math.floor(modifiedAtMs / 1000), 136, 11);
  block.write('        0', 148, 'ascii');
  block.write('ustar\u000000', 257, 'ascii');
  octal(
    block.reduce((sum, byte) => sum + byte, 0),
    148,
    6,
  );
  block[154] = 0;
  return block;
}
