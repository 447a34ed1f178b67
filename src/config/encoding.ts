import { type Finding, fault } from './problem.ts';

export interface Decoded {
  /** What could be read; only for pointing at when there is a fault. */
  readonly text: string;
  readonly found?: Finding;
}

const UTF8 = 'a text file in UTF-8';

/** Bytes to text. UTF-8 with or without a byte order mark; everything else is named for what it is. */
export function decode(bytes: Uint8Array): Decoded {
  const utf16 = utf16Of(bytes);
  if (utf16)
    return {
      text: '',
      found: fault('ENCODING', [], `the file is in ${utf16}`, { expected: `${UTF8}: iconv -f ${utf16} -t UTF-8` }),
    };
  const binary = bytes.indexOf(0);
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    if (binary < 0) return { text };
    return { text: '', found: fault('ENCODING', [], 'the file is not text: it has null bytes', { expected: UTF8 }) };
  } catch {
    if (binary >= 0) return { text: '', found: fault('ENCODING', [], 'the file is not text', { expected: UTF8 }) };
    return notUtf8(bytes);
  }
}

function utf16Of(bytes: Uint8Array): string | undefined {
  const [first, second] = bytes;
  if (first === 0xff && second === 0xfe) return 'UTF-16LE';
  if (first === 0xfe && second === 0xff) return 'UTF-16BE';
  if (bytes.length < 4) return undefined;
  const head = bytes.subarray(0, 64 - (64 % 2));
  const zerosAt = (parity: number) => head.filter((byte, index) => index % 2 === parity && byte === 0).length;
  if (zerosAt(1) > head.length / 4 && zerosAt(0) === 0) return 'UTF-16LE';
  if (zerosAt(0) > head.length / 4 && zerosAt(1) === 0) return 'UTF-16BE';
  return undefined;
}

/** Old editors on Windows write the local code page: fine until the first umlaut. */
function notUtf8(bytes: Uint8Array): Decoded {
  const text = new TextDecoder('utf-8').decode(bytes);
  const at = text.indexOf('\uFFFD');
  const span = { start: at, end: at + 1 };
  return {
    text,
    found: fault('ENCODING', [], 'a character that is not UTF-8', {
      span,
      expected: `${UTF8}: iconv -f WINDOWS-1252 -t UTF-8`,
    }),
  };
}
