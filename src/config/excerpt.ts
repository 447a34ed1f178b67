import type { Lines } from './lines.ts';
import { MASK } from './secrecy.ts';
import type { Span } from './tree.ts';
import type { Visibility } from './visible.ts';

const MAX_WIDTH = 100;

/** What YAML itself is made of. */
const STRUCTURE = /[\s:=,[\]{}?"'|<>]/;

/** Shows lines of one file with its secrets masked. */
export class Excerpts {
  readonly #text: string;
  readonly #lines: Lines;
  readonly #open: ReadonlyMap<number, readonly Span[]>;
  readonly #hidden: ReadonlyMap<number, readonly Span[]>;

  constructor(text: string, lines: Lines, visibility: Visibility) {
    this.#text = text;
    this.#lines = lines;
    this.#open = byLine(visibility.open, lines);
    this.#hidden = byLine(visibility.hidden, lines);
  }

  /** The line that a span begins on, and a caret below what is meant. */
  of(span: Span): string {
    const { line } = this.#lines.placeOf(span.start);
    const { start, end } = this.#lines.spanOf(line);
    const { shown, columns } = this.#masked(line);
    const from = columns[span.start - start] ?? shown.length;
    const to = columns[Math.min(span.end, end) - start] ?? shown.length;
    const cut = from > MAX_WIDTH - 20 ? from - 20 : 0;
    const rest = cut + MAX_WIDTH < shown.length ? '…' : '';
    const content = `${cut > 0 ? '…' : ''}${shown.slice(cut + (cut > 0 ? 1 : 0), cut + MAX_WIDTH)}${rest}`;
    const caret = '^'.repeat(Math.max(1, Math.min(to, cut + MAX_WIDTH) - from));
    const gutter = String(line);
    return `  ${gutter} | ${content.trimEnd()}\n  ${' '.repeat(gutter.length)} | ${' '.repeat(from - cut)}${caret}`;
  }

  /** `columns[i]` is where the i-th character of the line went; all of a masked piece go to where its mask begins. */
  #masked(number: number): { shown: string; columns: readonly number[] } {
    const { start, end } = this.#lines.spanOf(number);
    const line = this.#text.slice(start, end);
    const state = new Uint8Array(line.length);
    paint(state, start, this.#open.get(number) ?? [], OPEN);
    paint(state, start, this.#hidden.get(number) ?? [], HIDDEN);
    const columns: number[] = [];
    let shown = '';
    for (let index = 0; index < state.length; ) {
      const piece = pieceAt(line, state, index);
      if (piece.comment) break;
      for (let at = 0; at < piece.length; at++) columns.push(shown.length + (piece.masked ? 0 : at));
      shown += piece.masked ? MASK : printable(line.slice(index, index + piece.length));
      index += piece.length;
    }
    while (columns.length <= state.length) columns.push(shown.length);
    return { shown, columns };
  }
}

function byLine(spans: readonly Span[], lines: Lines): ReadonlyMap<number, readonly Span[]> {
  const found = new Map<number, Span[]>();
  for (const span of spans) {
    const last = lines.placeOf(Math.max(span.start, span.end - 1)).line;
    for (let { line } = lines.placeOf(span.start); line <= last; line++) {
      const there = found.get(line);
      if (there) there.push(span);
      else found.set(line, [span]);
    }
  }
  return found;
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

function paint(state: Uint8Array, lineStart: number, spans: readonly Span[], value: number): void {
  for (const { start, end } of spans) {
    state.fill(value, Math.max(0, start - lineStart), Math.max(0, Math.min(state.length, end - lineStart)));
  }
}

/** No control character reaches the terminal; a tab is made visible. */
function printable(text: string): string {
  return text.replaceAll('\t', '→').replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, '·');
}
