import { isKnownKey } from './secrecy.ts';

/** What is wrong with one line, seen for itself. Columns are offsets into the line. */
export interface LineFault {
  readonly start: number;
  readonly end: number;
  readonly message: string;
  readonly expected: string;
  /** False: a fault only if nothing else explains why the file cannot be read. */
  readonly sure: boolean;
}

/** Whoever writes longer lines than that does not do it by hand. */
const MAX_LENGTH = 1000;

/** The usual slips of whoever writes YAML by hand. */
export function faultsOfLine(line: string): readonly LineFault[] {
  const text = line.slice(0, MAX_LENGTH);
  return [spaceFault, templateFault, valueFault, keyFault].flatMap((look) => look(text) ?? []);
}

/** Copied from a web page or a chat: looks like a space and is none. */
function spaceFault(line: string): LineFault | undefined {
  const match = /^[ -]*([\u00a0\u2000-\u200b\u202f\u3000]+)/.exec(line);
  if (!match) return undefined;
  return at(
    match[0].length - (match[1]?.length ?? 0),
    match[1]?.length ?? 0,
    'not a plain space in the indentation',
    'spaces',
    true,
  );
}

function templateFault(line: string): LineFault | undefined {
  const match = /\{\{.*?\}\}/.exec(line);
  if (!match) return undefined;
  return at(
    match.index,
    match[0].length,
    'an expression of a template was left in',
    `the value, or \${NAME} for the environment`,
    true,
  );
}

const KEY = /^(\s*(?:- +)*)(["']?)([\w.-]+)\2(\s*):(\s+|$)/;

function valueFault(line: string): LineFault | undefined {
  const match = KEY.exec(line);
  const start = match ? match[0].length : /^\s*- +/.exec(line)?.[0].length;
  if (start === undefined) return undefined;
  const value = line
    .slice(start)
    .replace(/\s+#.*$/, '')
    .trimEnd();
  const [first = ''] = value;
  const quotes = 'single quotes around the value';
  if (/^[@`%]/.test(value) || /^[&*!](?:\W|.*[\s{}[\],!])/.test(value) || /^[&*!]$/.test(value)) {
    return at(start, value.length, `a value cannot begin with ${first}`, quotes, true);
  }
  if (/^[|>][^\s\d+-]/.test(value)) return at(start, value.length, `${first} begins a block of lines`, quotes, true);
  if (/^(?:\{[^{}]*\}|\[[^[\]]*\])\S/.test(value) && !/^[[{].*[\]}],?$/.test(value)) {
    return at(start, value.length, `a value that begins with ${first} is a list or a section`, quotes, true);
  }
  const quoted = /^(?:"(?:[^"\\]|\\.)*"|'(?:[^']|'')*')/.exec(value);
  if (quoted && value.length > quoted[0].length && !/^\s*[:,\]}]/.test(value.slice(quoted[0].length))) {
    const expected =
      first === "'"
        ? "the quote inside the value doubled (''), or double quotes around it"
        : 'nothing behind the closing quote';
    return at(
      start + quoted[0].length,
      value.length - quoted[0].length,
      'the value ends at the quote before this',
      expected,
      true,
    );
  }
  const colon = quoted || /^[[{]/.test(value) ? -1 : value.search(/:(?:\s|$)/);
  if (match && colon >= 0)
    return at(start + colon, 1, 'a second ": " in this line', 'quotes around the value, or one key in each line', true);
  return undefined;
}

function keyFault(line: string): LineFault | undefined {
  const dash = /^(\s*)-([A-Za-z_][\w.-]*\s*:(?:\s|$))/.exec(line);
  if (dash) return at(dash[1]?.length ?? 0, 1, 'the space behind - is missing', `- ${dash[2]?.split(':')[0]}:`, true);
  const text = line.trim();
  if (KEY.test(line) || text === '' || /^(?:#|- |-$|---|\.\.\.|[[\]{}"'])/.test(text)) return undefined;
  const start = line.indexOf(text);
  const glued = /^([\w.-]+):(\S)/.exec(text);
  if (glued && (isKnownKey(glued[1] ?? '') || !text.includes('//'))) {
    return at(
      start + (glued[1]?.length ?? 0),
      1,
      'the space behind : is missing',
      'key: value',
      isKnownKey(glued[1] ?? ''),
    );
  }
  const [word = ''] = text.split(/[\s=]/, 1);
  if (/^[\w.-]+\s*=/.test(text))
    return at(start + text.indexOf('='), 1, 'a = instead of :', 'key: value', isKnownKey(word));
  return at(start, word.length, 'a line without a colon', 'key: value', isKnownKey(word));
}

function at(start: number, length: number, message: string, expected: string, sure: boolean): LineFault {
  return { start, end: start + Math.max(1, length), message, expected, sure };
}
