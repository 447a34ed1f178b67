import type { Lines } from './lines.ts';
import { MASK } from './secrecy.ts';
import type { Span } from './tree.ts';
import type { Visibility } from './visible.ts';

const MAX_WIDTH = 100;

/** What YAML itself is made of. */
const STRUCTURE = /[\s:=,[\]{}?"'|<>]/;

/** The line that a span begins on, with secrets masked and a caret below what is meant. */
export function excerptOf(text: string, lines: Lines, visibility: Visibility, span: Span): string {
  const { line } = lines.placeOf(span.start);
  const lineSpan = lines.spanOf(line);
  const { shown, columns } = maskLine(text, lineSpan, visibility);
  const from = columns[span.start - lineSpan.start] ?? shown.length;
  const to = columns[Math.min(span.end, lineSpan.end) - lineSpan.start] ?? shown.length;
  const cut = from > MAX_WIDTH - 20 ? from - 20 : 0;
  const rest = cut + MAX_WIDTH < shown.length ? '…' : '';
  const content = `${cut > 0 ? '…' : ''}${shown.slice(cut + (cut > 0 ? 1 : 0), cut + MAX_WIDTH)}${rest}`;
  const caret = '^'.repeat(Math.max(1, Math.min(to, cut + MAX_WIDTH) - from));
  const gutter = String(line);
  return `  ${gutter} | ${content.trimEnd()}\n  ${' '.repeat(gutter.length)} | ${' '.repeat(from - cut)}${caret}`;
}

/** `columns[i]` is where the i-th character of the line went; all of a masked piece go to where its mask begins. */
function maskLine(text: string, line: Span, visibility: Visibility): { shown: string; columns: readonly number[] } {
  const state = new Uint8Array(line.end - line.start);
  paint(state, line, visibility.open, OPEN);
  paint(state, line, visibility.hidden, HIDDEN);
  const columns: number[] = [];
  let shown = '';
  for (let index = 0; index < state.length; ) {
    const piece = pieceAt(text.slice(line.start, line.end), state, index);
    if (piece.comment) break;
    for (let at = 0; at < piece.length; at++) columns.push(shown.length + (piece.masked ? 0 : at));
    shown += piece.masked ? MASK : printable(text.slice(line.start + index, line.start + index + piece.length));
    index += piece.length;
  }
  while (columns.length <= state.length) columns.push(shown.length);
  return { shown, columns };
}

interface Piece {
  readonly length: number;
  readonly masked: boolean;
  readonly comment?: boolean;
}

function pieceAt(line: string, state: Uint8Array, index: number): Piece {
  const kind = state[index];
  let end = index + 1;
  if (kind === OPEN) return { length: 1, masked: false };
  if (kind === HIDDEN) {
    while (state[end] === HIDDEN) end++;
    return { length: end - index, masked: true };
  }
  const first = line[index] ?? '';
  if (first === '#' && /^$|\s/.test(line[index - 1] ?? '')) return { length: 1, masked: true, comment: true };
  if (STRUCTURE.test(first)) return { length: 1, masked: false };
  while (state[end] === 0 && !STRUCTURE.test(line[end] ?? '')) end++;
  return { length: end - index, masked: !/^-+$/.test(line.slice(index, end)) };
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

/** No control character reaches the terminal; a tab is made visible. */
function printable(text: string): string {
  return text.replaceAll('\t', '→').replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, '·');
}
