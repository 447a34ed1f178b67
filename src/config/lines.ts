/** Where lines begin and end; Windows, Unix and old Mac line ends, as YAML has them. */
export class Lines {
  readonly #text: string;
  readonly #starts: readonly number[];

  constructor(text: string) {
    this.#text = text;
    this.#starts = [0, ...[...text.matchAll(/\r\n|\r|\n/g)].map((end) => end.index + end[0].length)];
  }

  get count(): number {
    return this.#starts.length;
  }

  /** Both from 1; columns count UTF-16 units, as editors do. */
  placeOf(offset: number): { readonly line: number; readonly column: number } {
    let low = 0;
    let high = this.#starts.length - 1;
    while (low < high) {
      const middle = Math.ceil((low + high) / 2);
      if ((this.#starts[middle] ?? 0) <= offset) low = middle;
      else high = middle - 1;
    }
    return { line: low + 1, column: offset - (this.#starts[low] ?? 0) + 1 };
  }

  /** Offsets of a line (from 1) without its end. */
  spanOf(line: number): { readonly start: number; readonly end: number } {
    const start = this.#starts[line - 1] ?? this.#text.length;
    const next = this.#starts[line] ?? this.#text.length;
    const end = start + this.#text.slice(start, next).replace(/[\r\n]+$/, '').length;
    return { start, end };
  }

  textOf(line: number): string {
    const { start, end } = this.spanOf(line);
    return this.#text.slice(start, end);
  }
}
