import type { Lines } from './lines.ts';
import { MASK } from './secrecy.ts';
import type { Span } from './tree.ts';
import type { Visibility } from './visible.ts';

const MAX_WIDTH = 100;

/** The line that a span begins on, with secrets masked and a caret below what is meant. */
export function excerptOf(text: string, lines: Lines, visibility: Visibility, span: Span): string {
  const { line } = lines.placeOf(span.start);
  const lineSpan = lines.spanOf(line);
  const { shown, columns } = maskLine(text, lineSpan, visibility);
  const from = columns[span.start - lineSpan.start] ?? shown.length;
  const to = columns[Math.min(span.end, lineSpan.end) - lineSpan.start] ?? shown.length;
  const cut = from > MAX_WIDTH - 20 ? from - 20 : 0;
  const content = `${cut > 0 ? '…' : ''}${shown.slice(cut + (cut > 0 ? 1 : 0), cut + MAX_WIDTH)}`;
  const caret = '^'.repeat(Math.max(1, Math.min(to, cut + MAX_WIDTH) - from));
  const gutter = String(line);
  return `  ${gutter} | ${content.trimEnd()}\n  ${' '.repeat(gutter.length)} | ${' '.repeat(from - cut)}${caret}`;
}

/** `columns[i]` is where the i-th character of the line went. */
function maskLine(text: string, line: Span, visibility: Visibility): { shown: string; columns: readonly number[] } {
  const state = new Uint8Array(line.end - line.start);
  paint(state, line, visibility.open, OPEN);
  paint(state, line, visibility.hidden, HIDDEN);
  let shown = '';
  const columns: number[] = [];
  for (let index = 0; index < state.length; index++) {
    columns.push(shown.length);
    const character = text[line.start + index] ?? '';
    const before = index === 0 ? ' ' : (text[line.start + index - 1] ?? '');
    if (state[index] === OPEN) shown += printable(character);
    else if (state[index] === HIDDEN) shown += state[index - 1] === HIDDEN ? '' : MASK;
    else if (character === '#' && /\s/.test(before)) break;
    else if (/[\s\-:=,[\]{}?"'|>&*!@`%]/.test(character)) shown += printable(character);
    else if (!isMaskedWord(text, state, line.start, index - 1)) shown += MASK;
  }
  while (columns.length <= state.length) columns.push(shown.length);
  return { shown, columns };
}

const OPEN = 1;
const HIDDEN = 2;

function paint(state: Uint8Array, line: Span, spans: readonly Span[], value: number): void {
  for (const span of spans) {
    if (span.end > line.start && span.start < line.end) {
      state.fill(value, Math.max(0, span.start - line.start), Math.min(state.length, span.end - line.start));
    }
  }
}

/** Whether the character before is the part of a word that has its mask already. */
function isMaskedWord(text: string, state: Uint8Array, lineStart: number, index: number): boolean {
  if (index < 0 || state[index] !== 0) return false;
  return !/[\s\-:=,[\]{}?"'|>&*!@`%]/.test(text[lineStart + index] ?? '');
}

/** No control character reaches the terminal; a tab is made visible. */
function printable(character: string): string {
  if (character === '\t') return '→';
  return /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u.test(character) ? '·' : character;
}
