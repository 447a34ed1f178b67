import fc from 'fast-check';

/** One slip of an editor, a script or a disk, on a text. */
type Slip = (text: string) => string;

const TOKENS = [
  '\nconstructor: x\n',
  '\n  constructor: x\n',
  '\n__proto__: {a: b}\n',
  `\${constructor}`,
  '\t',
  ':',
  ': ',
  '"',
  "'",
  '{',
  '}',
  '[',
  ']',
  '- ',
  ' #',
  '&a ',
  '*a',
  '!x ',
  '|',
  '>',
  '\n',
  '\r',
  '  ',
  '%',
  '@',
  '${',
  `\${X}`,
  '}',
  ',',
  '---\n',
  '<<: ',
  '<',
  'é',
  '“',
  '\u00a0',
  '\u0000',
  '\u001b[31m',
  '\ufeff',
  '\\',
  '=',
];

const VALUES = [
  'true',
  '42',
  '-1',
  '1e999',
  'null',
  '~',
  '[]',
  '{}',
  '[[]]',
  '{a: b}',
  '""',
  '<X>',
  `\${NOT_SET}`,
  '2024-01-01',
  'a'.repeat(300),
];

/** Places are fractions, so that one slip fits texts of any length and shrinks well. */
const place = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });

const slip: fc.Arbitrary<Slip> = fc.oneof(
  fc.tuple(place, fc.integer({ min: 1, max: 3 })).map(([at, count]) => (text: string) => {
    const start = Math.floor(at * text.length);
    return text.slice(0, start) + text.slice(start + count);
  }),
  fc.tuple(place, fc.constantFrom(...TOKENS)).map(([at, token]) => (text: string) => {
    const start = Math.floor(at * text.length);
    return text.slice(0, start) + token + text.slice(start);
  }),
  fc
    .tuple(place, fc.constantFrom(...VALUES))
    .map(([at, value]) => onLine(at, (line) => [line.replace(/: .*$/, `: ${value}`)])),
  place.map((at) => onLine(at, () => [])),
  place.map((at) => onLine(at, (line) => [line, line])),
  place.map((at) => onLine(at, (line) => [` ${line}`])),
  place.map((at) => onLine(at, (line) => [line.replace(/^ /, '')])),
  place.map((at) => onLine(at, (line) => [line.trimStart()])),
  fc.tuple(place, place).map(([one, other]) => swapLines(one, other)),
  place.map((at) => joinLines(at)),
  place.map((at) => (text: string) => text.slice(0, Math.floor(at * text.length))),
  fc.constant((text: string) => text.replaceAll('\n', '\r\n')),
  fc.constant((text: string) => text.replaceAll('  ', '\t')),
);

export const slips = fc.array(slip, { minLength: 1, maxLength: 4 });

function onLine(at: number, change: (line: string) => readonly string[]): Slip {
  return (text) => {
    const lines = text.split('\n');
    const index = Math.floor(at * lines.length);
    return lines.flatMap((line, number) => (number === index ? change(line) : [line])).join('\n');
  };
}

function swapLines(one: number, other: number): Slip {
  return (text) => {
    const lines = text.split('\n');
    const [first, second] = [Math.floor(one * lines.length), Math.floor(other * lines.length)];
    return lines
      .map((line, number) => (number === first ? lines[second] : number === second ? lines[first] : line))
      .join('\n');
  };
}

function joinLines(at: number): Slip {
  return (text) => {
    const ends = [...text.matchAll(/\n/g)].map(({ index }) => index);
    const end = ends[Math.floor(at * ends.length)];
    return end === undefined ? text : text.slice(0, end) + text.slice(end + 1);
  };
}
