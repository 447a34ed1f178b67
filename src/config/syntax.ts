import { faultsOfLine, type LineFault } from './line-fault.ts';
import { Lines } from './lines.ts';
import { type Finding, fault } from './problem.ts';
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

function wholeFile(text: string): Words | undefined {
  const conflict = /^(?:<{7}|={7}|>{7})(?:\s|$)/m.exec(text);
  if (conflict)
    return { message: 'a mark left over from a merge', expected: 'one version of these lines', span: spanOf(conflict) };
  if (/^\s*<(?:!doctype|html|\?xml)/i.test(text)) {
    return {
      message: 'a web page or XML, not YAML',
      expected: 'the satellite.yml that Harness generates',
      span: { start: 0, end: 1 },
    };
  }
  return undefined;
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
  const near = contentLinesUpTo(lines, last, 4);
  const missingColon = /multiline key|expected ':'/.test(reason);
  for (const line of near) {
    const found = faultsOfLine(lines.textOf(line)).find(({ sure }) => sure || missingColon);
    if (found) return wordsOf(found, lines, line);
  }
  const [here, above] = near;
  const faults = here === undefined ? [] : faultsOfLine(lines.textOf(here));
  const possible = faults[0] ?? (above === undefined ? undefined : faultsOfLine(lines.textOf(above))[0]);
  if (possible) return wordsOf(possible, lines, faults[0] ? (here ?? last) : (above ?? last));
  return here === undefined ? undefined : indentation(lines, here, above, column);
}

function indentation(lines: Lines, here: number, above: number | undefined, column: number): Words | undefined {
  const text = lines.textOf(here);
  const indent = text.search(/\S/);
  if (above === undefined || !/^\s*(?:- +)?["']?[\w.-]+["']?:(?:\s|$)|^\s*-(?:\s|$)/.test(text)) return undefined;
  const upper = lines.textOf(above);
  const { start } = lines.spanOf(here);
  const span = { start: start + indent, end: start + Math.max(column - 1, indent + 1) };
  const upperIndent = upper.search(/[^\s-]/);
  if (upper.trimStart().startsWith('- ') && indent === upper.indexOf('-') && !text.trimStart().startsWith('-')) {
    return {
      message: 'this key is outside of the list item above',
      expected: `${upperIndent} spaces before it, as the first key of the item has`,
      span,
    };
  }
  const deeper = indent > upperIndent;
  const message = deeper
    ? 'indented deeper than the line above, which has a value already'
    : 'indented unlike any line above';
  return { message, expected: `${upperIndent} spaces before it to be beside the line above`, span };
}

function contentLinesUpTo(lines: Lines, last: number, count: number): readonly number[] {
  const found: number[] = [];
  for (let line = last; line >= 1 && found.length < count; line--) {
    if (/^\s*(?:#|$)/.test(lines.textOf(line))) continue;
    found.push(line);
  }
  return found;
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

function spanOf(match: RegExpExecArray): Span {
  return { start: match.index, end: match.index + match[0].trimEnd().length };
}
