import { faultsOfLine, type LineFault } from './line-fault.ts';
import { Lines } from './lines.ts';
import { canonicalKey } from './names.ts';
import { type Finding, fault } from './problem.ts';
import { configSchema } from './schema.ts';
import type { Span } from './tree.ts';

/**
 * The parser says where it gave up, which is often a line or more below what is wrong. So its reason decides only what
 * to look for; the lines around it say where. Its own text is never shown: it may quote the file.
 */
export function explainSyntax(text: string, reason: string, position: number): Finding {
  const lines = new Lines(text);
  const words =
    wholeFile(text) ??
    byReason(text, lines, reason, position) ??
    byLines(lines, position, reason) ??
    fallback(text, lines, position);
  return fault('SYNTAX', [], words.message, { span: words.span, expected: words.expected });
}

interface Words {
  readonly message: string;
  readonly expected?: string;
  readonly span: Span;
}

/** A file that is one piece of text to YAML: something else altogether, or keys without colons. */
export function explainText(text: string): Finding {
  const lines = new Lines(text);
  const first = contentLines(lines, 1, lines.count)[0] ?? 1;
  const words = wholeFile(text) ?? {
    message: /^[ \t]*(?:export )?[\w.-]+ *=/m.test(text)
      ? 'lines of key=value, not YAML'
      : 'the file is one piece of text',
    expected: 'the sections satellite and integrations',
    span: lines.spanOf(first),
  };
  return fault('SYNTAX', [], words.message, { span: words.span, expected: words.expected });
}

function wholeFile(text: string): Words | undefined {
  const conflict = /^(?:<{7}|={7}|>{7})(?=\s|$)/m.exec(text);
  if (conflict) {
    const span = { start: conflict.index, end: conflict.index + 7 };
    return { message: 'a mark left over from a merge', expected: 'one version of these lines', span };
  }
  if (!/^\s*<(?:!doctype|html|\?xml)/i.test(text)) return undefined;
  const expected = 'the satellite.yml that Harness generates';
  return { message: 'a web page or XML, not YAML', expected, span: { start: 0, end: 1 } };
}

function byReason(text: string, lines: Lines, reason: string, position: number): Words | undefined {
  const here = { start: position, end: position + 1 };
  if (/^tab characters/.test(reason)) return { message: 'a tab in the indentation', expected: 'spaces', span: here };
  if (/escape sequence|hexadecimal/.test(reason)) {
    const start = Math.max(text.lastIndexOf('\\', position), 0);
    return {
      message: 'a backslash in double quotes begins an escape',
      expected: 'single quotes, or \\\\ for each backslash',
      span: { start, end: start + 1 },
    };
  }
  if (/non-printable|null byte|valid JSON character/.test(reason)) {
    return { message: 'a control character', expected: 'printable text', span: here };
  }
  if (/maxDepth/.test(reason))
    return { message: 'too deeply nested', expected: 'quotes around a value full of [ or {', span: here };
  if (/YAML version|YAML directive|TAG directive|directive name/.test(reason)) {
    return {
      message: 'a directive that is not understood',
      expected: 'nothing above the first key',
      span: lineSpanAt(lines, position - 1),
    };
  }
  if (/missed comma/.test(reason)) return { message: 'a comma or closing bracket is missing before this', span: here };
  if (/end of the (?:stream|document) within|deficient indentation/.test(reason))
    return unclosed(text, lines, position);
  return undefined;
}

/** The nearest line above whose value opens a quote or bracket and does not close it. */
function unclosed(text: string, lines: Lines, position: number): Words | undefined {
  const { line: last } = lines.placeOf(Math.min(position, text.length));
  for (let line = last; line >= 1; line--) {
    const content = lines.textOf(line);
    const opening = /^(?:\s*-\s+)*\s*(?:["']?[\w.-]+["']?\s*:\s+|)(["'[{])/.exec(content);
    const sign = opening?.[1];
    if (!opening || sign === undefined) continue;
    const rest = content.slice(opening[0].length);
    const close = CLOSING[sign] ?? sign;
    if (rest.includes(close)) continue;
    const start = lines.spanOf(line).start + opening[0].length - 1;
    return {
      message: `this ${sign} is not closed`,
      expected: `a ${close} at the end of the value`,
      span: { start, end: start + 1 },
    };
  }
  return undefined;
}

const CLOSING: Readonly<Record<string, string>> = { '[': ']', '{': '}' };

/** The line where reading stopped and those right above it, the surest signs first. */
function byLines(lines: Lines, position: number, reason: string): Words | undefined {
  const { line: last, column } = lines.placeOf(position);
  const near = contentLines(lines, last, 1).slice(0, 4);
  const missingColon = /multiline key|expected ':'/.test(reason);
  const look = (from: readonly number[], wanted: (fault: LineFault) => boolean) => {
    for (const line of from) {
      const found = faultsOfLine(lines.textOf(line)).find(wanted);
      if (found) return wordsOf(found, lines, line);
    }
    return undefined;
  };
  return (
    look(near, ({ sure }) => sure || missingColon) ??
    indentation(lines, near, column) ??
    look(near.slice(0, 2), () => true)
  );
}

/** What an indented line may be beside: `near` is the line itself and those above it. */
function indentation(lines: Lines, [here, ...above]: readonly number[], column: number): Words | undefined {
  const [upperLine] = above;
  if (here === undefined || upperLine === undefined) return undefined;
  const text = lines.textOf(here);
  const indent = text.search(/\S/);
  const { start } = lines.spanOf(here);
  const span = { start: start + indent, end: start + Math.max(column - 1, indent + 1) };
  const key = /^\s*["']?([\w.-]+)["']?\s*:(?:\s|$)/.exec(text)?.[1];
  const isItem = /^\s*-(?:\s|$)/.test(text);
  if (key === undefined && !isItem) return undefined;
  const upper = lines.textOf(upperLine);
  const upperIndent = upper.search(/[^\s-]/);
  if (key !== undefined && isRootKey(key)) return besideRoot(lines, here, span);
  if (key !== undefined && /^\s*- /.test(upper) && indent === upper.indexOf('-')) {
    const expected = `${spaces(upperIndent)} before it, as the first key of the item has`;
    return { message: 'this key is outside of the list item above', expected, span };
  }
  const sibling = isItem
    ? contentLines(lines, here - 1, 1).find((line) => /^\s*-(?:\s|$)/.test(lines.textOf(line)))
    : undefined;
  const wanted = sibling === undefined ? upperIndent : lines.textOf(sibling).indexOf('-');
  if (indent > upperIndent && !isItem) {
    const message = 'indented deeper than the line above, which has a value already';
    return { message, expected: `${spaces(wanted)} before it to be beside the line above`, span };
  }
  return { message: 'indented unlike any line above', expected: `${spaces(wanted)} before it`, span };
}

function besideRoot(lines: Lines, here: number, span: Span): Words {
  const first = contentLines(lines, 1, here).find((line) => /^\s*\w+\s*:/.test(lines.textOf(line))) ?? here;
  const wanted = lines.textOf(first).search(/\S/);
  const expected =
    wanted === 0 || first === here ? 'no space before it' : `${spaces(wanted)} before it, or none before the first key`;
  return { message: 'indented unlike the other sections', expected, span };
}

function isRootKey(key: string): boolean {
  return key.toLowerCase() === 'levelops' || canonicalKey(key, configSchema()) !== undefined;
}

function spaces(count: number): string {
  return count === 1 ? 'one space' : count === 0 ? 'no space' : `${count} spaces`;
}

/** Numbers of the lines that are more than a comment, downwards or upwards. */
function contentLines(lines: Lines, from: number, to: number): readonly number[] {
  const step = from <= to ? 1 : -1;
  const all = Array.from({ length: Math.abs(to - from) + 1 }, (_, index) => from + index * step);
  return all.filter((line) => line >= 1 && !/^\s*(?:#|$|---)/.test(lines.textOf(line)));
}

function wordsOf({ start, end, message, expected }: LineFault, lines: Lines, line: number): Words {
  const offset = lines.spanOf(line).start;
  return { message, expected, span: { start: offset + start, end: offset + end } };
}

function fallback(text: string, lines: Lines, position: number): Words {
  const end = Math.min(position, text.length);
  return { message: 'this is not YAML', expected: 'key: value', span: lineSpanAt(lines, end) };
}

function lineSpanAt(lines: Lines, position: number): Span {
  const { start, end } = lines.spanOf(lines.placeOf(Math.max(0, position)).line);
  return { start, end: Math.max(end, start + 1) };
}
