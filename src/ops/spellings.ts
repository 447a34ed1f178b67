import { cutMark } from './cut.ts';

/** What follows a backslash where it does not mean itself. */
const controls: Readonly<Record<string, number>> = { b: 8, t: 9, n: 10, v: 11, f: 12, r: 13, '0': 0 };
const namedEntities: Readonly<Record<string, number>> = { amp: 38, lt: 60, gt: 62, quot: 34, apos: 39, nbsp: 160 };

// All of them are sticky: they look at one place, and none of them can go back more than a few characters.
const backslash = /\\|%(?:25)*5c/iy;
const unicodeEscape = /u(?:([0-9a-f]{4})|\{0*([0-9a-f]{1,6})\})/iy;
const hexEscape = /x([0-9a-f]{2})/iy;
const percent = /%(?:25)*([0-9a-f]{2})/iy;
const entity = /(?:&|%26|\\+u0026)(?:amp;)*(?:#x0*([0-9a-f]{1,6})|#0*([0-9]{1,7})|(amp|lt|gt|quot|apos|nbsp));/iy;
/** The beginning of any of the above, with nothing behind it but a cut or the end. */
const incomplete = new RegExp(
  `(?:${[
    '%(?:25)*[0-9a-f]?',
    '(?:\\\\|%(?:25)*5c)+(?:u\\{?[0-9a-f]{0,6}|x[0-9a-f]?)?',
    '(?:&|%26|\\\\+u0026)(?:amp;)*(?:#x?[0-9a-f]{0,7}|[a-z]{0,4})',
  ].join('|')})(?:$|${cutMark})`,
  'iy',
);

/** How a place in a text reads on. */
export interface Reading {
  /** Behind the character, for each spelling of it that stands there. */
  readonly ends: number[];
  /** The text ends before that can be told. */
  ranOut: boolean;
  /** Where it was cut before that can be told; -1: it was not. */
  cutAt: number;
}

/** The code units with which another spelling of a character may begin. */
export const escapeStarts = ['%', '\\', '&', '+'].map((start) => start.charCodeAt(0));

const plainEscape =
  /\\+(?:u00([0-9a-f]{2})|(["'/a-tv-wyz]))|%([0-7][0-9a-f])|&(?:#([0-9]{1,7})|#x([0-9a-f]{1,6})|(lt|gt|quot|apos));/iy;

/**
 * All that may be spelled out where an escape begins, so that nothing else has to be looked for there; undefined where
 * that takes a closer look: what is escaped repeatedly, more than one byte, or not complete.
 */
export function pointsAt(text: string, at: number): readonly number[] | undefined {
  const match = exec(plainEscape, text, at);
  if (match === null) return undefined;
  const start = text.charCodeAt(at);
  const [, unicode, letter, byte, decimal, hex, name] = match;
  if (letter !== undefined) return [start, letter.charCodeAt(0), controls[letter] ?? start];
  const point =
    name === undefined
      ? Number.parseInt(unicode ?? byte ?? hex ?? decimal ?? '', decimal === undefined ? 16 : 10)
      : (namedEntities[name.toLowerCase()] ?? start);
  // Of these begins another layer: `%25`, `%5C`, `%26`.
  if (point === 0x25 || point === 0x5c || point === 0x26) return undefined;
  return unicode === undefined ? [start, point] : [start, point, 'u'.charCodeAt(0), 'U'.charCodeAt(0)];
}

/**
 * Looks whether `point` stands at `at` in any of its spellings: as it is, percent-encoded (upper or lower case, of UTF-8
 * or Latin-1, `+` for a space), escaped as in JSON and most languages (`\"`, `\n`, `\u00e9`, `\xe9`), or as an entity of
 * HTML (named, decimal, hexadecimal); each of them repeatedly, too (`%2520`, `\\u00e9`, `&amp;lt;`).
 */
export function read(text: string, at: number, point: number, reading: Reading): void {
  if (at >= text.length) {
    reading.ranOut = true;
    return;
  }
  readPlain(text, at, point, reading);
  switch (text.charCodeAt(at)) {
    case 0x25:
      readPercent(text, at, point, reading);
      readEscape(text, at, point, reading);
      break;
    case 0x26:
      break;
    case 0x2b:
      if (point === 0x20) reading.ends.push(at + 1);
      return;
    case 0x5c:
      readEscape(text, at, point, reading);
      break;
    case 0x2026:
      reading.cutAt = at;
      return;
    default:
      return;
  }
  readEntity(text, at, point, reading);
  noteIncomplete(text, at, reading);
}

function readPlain(text: string, at: number, point: number, reading: Reading): void {
  if (text.codePointAt(at) === point) reading.ends.push(at + (point > 0xffff ? 2 : 1));
  // Half of a character is all that has come so far.
  else if (point > 0xffff && at === text.length - 1 && /[\ud800-\udbff]/.test(text.charAt(at))) reading.ranOut = true;
}

function noteIncomplete(text: string, at: number, reading: Reading): void {
  if (at >= text.length) reading.ranOut = true;
  else if (text[at] === cutMark) reading.cutAt = at;
  const match = exec(incomplete, text, at);
  if (match === null) return;
  if (match[0].endsWith(cutMark)) reading.cutAt = at + match[0].length - 1;
  else reading.ranOut = true;
}

function readPercent(text: string, at: number, point: number, reading: Reading): void {
  if (point === 0x25) {
    for (let end = at + 1; text.startsWith('25', end); end += 2) reading.ends.push(end + 2);
    return;
  }
  if (point >= 0x80 && point <= 0xff) readBytes(text, at, [point], reading);
  readBytes(text, at, Buffer.from(String.fromCodePoint(point)), reading);
}

function readBytes(text: string, at: number, bytes: ArrayLike<number>, reading: Reading): void {
  let end = at;
  for (let index = 0; index < bytes.length; index++) {
    const match = exec(percent, text, end);
    if (match === null || Number.parseInt(match[1] ?? '', 16) !== bytes[index]) {
      if (index > 0) noteIncomplete(text, end, reading);
      return;
    }
    end += match[0].length;
  }
  reading.ends.push(end);
}

/** A run of backslashes is read as one: how many there are says how often the text was escaped. */
function readEscape(text: string, at: number, point: number, reading: Reading): void {
  let end = at;
  let last = at;
  for (let match = exec(backslash, text, end); match !== null; match = exec(backslash, text, end)) {
    last = end;
    end += match[0].length;
  }
  if (point === 0x5c && end > at) {
    reading.ends.push(end);
    // The last one may belong to what comes next: `\\\u00e9`.
    if (last > at) reading.ends.push(last);
  }
  if (end === at) return;
  const letter = text[end];
  if (letter === undefined) {
    reading.ranOut = true;
    return;
  }
  if (controls[letter] === point) reading.ends.push(end + 1);
  readPlain(text, end, point, reading);
  if (letter === '%') {
    readPercent(text, end, point, reading);
    noteIncomplete(text, end, reading);
  } else if (letter === cutMark) reading.cutAt = end;
  const hex = exec(hexEscape, text, end);
  if (hex !== null && Number.parseInt(hex[1] ?? '', 16) === point) reading.ends.push(end + hex[0].length);
  const unicode = exec(unicodeEscape, text, end);
  if (unicode === null) return;
  const behind = end + unicode[0].length;
  const value = Number.parseInt(unicode[1] ?? unicode[2] ?? '', 16);
  const [high, low] = [0, 1].map((index) => String.fromCodePoint(point).charCodeAt(index));
  if (value === point) reading.ends.push(behind);
  else if (point > 0xffff && value === high && low !== undefined) read(text, behind, low, reading);
}

function readEntity(text: string, at: number, point: number, reading: Reading): void {
  // `&amp;lt;` may also be what became of a plain `&lt;`.
  if (point === 0x26) {
    for (let end = at + 1; text.startsWith('amp;', end); end += 4) reading.ends.push(end + 4);
  }
  const match = exec(entity, text, at);
  if (match === null) return;
  const [whole, hex, decimal, name = ''] = match;
  const named = decimal === undefined ? namedEntities[name.toLowerCase()] : Number(decimal);
  const value = hex === undefined ? named : Number.parseInt(hex, 16);
  if (value === point) reading.ends.push(at + whole.length);
}

function exec(pattern: RegExp, text: string, at: number): RegExpExecArray | null {
  pattern.lastIndex = at;
  return pattern.exec(text);
}
