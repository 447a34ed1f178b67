import { isDistinct, shortestSecret } from '../config/secrets.ts';
import { escapeStarts, pointsAt, type Reading, read } from './spellings.ts';

const mask = '***';

/** Text that comes in pieces: what may be the beginning of a secret is held back until it is known. */
export interface RedactingStream {
  /** @returns what can be let go */
  write(piece: string): string;
  /** @returns what was held back; the stream begins anew */
  end(): string;
}

interface Form {
  /** Code points. */
  readonly points: readonly number[];
  /** Its first two code units. */
  readonly first: number;
  readonly second: number;
}

/**
 * Takes secrets out of what leaves the process, by their values: raw, and as any of the spellings of `spellings.ts`,
 * base64 (also in the middle of something longer, URL-safe, without padding) and hex. It only ever learns: after a rotation
 * the old secrets are still known.
 *
 * Twice: `text` and `value` take each secret out of what others said (messages, names, urls), before it is put into
 * something of ours. `finished` and `stream` are the net under that, the last step before the bytes leave: as they would
 * spoil a number, a time, a key or a word of ours that a secret happens to be like, they take out distinct ones only
 * (`isDistinct`; `validate` warns of the others).
 *
 * Where a text was cut (`cut.ts`), what is left of a secret counts as one from `shortestSecret` characters on. Shorter
 * secrets are left alone, as they are parts of ordinary words; `validate` warns of them.
 */
export class Redactor {
  readonly #known = new Set<string>();
  #all = new Forms([]);
  #distinct = new Forms([]);

  learn(secrets: Iterable<string>): void {
    const before = this.#known.size;
    for (const secret of secrets) if (secret.length >= shortestSecret) this.#known.add(secret);
    if (this.#known.size === before) return;
    const known = [...this.#known];
    this.#all = new Forms(known.flatMap(formsOf));
    // A common word in base64 is none.
    this.#distinct = new Forms(
      known.flatMap((secret) => formsOf(secret).filter((form) => isDistinct(secret) || isDistinct(form))),
    );
  }

  /** @returns the text with a mask in the place of each secret */
  text(text: string): string {
    return this.#all.masked(text);
  }

  /** A text that is ready to leave, with a mask in the place of each secret that it cannot have but by mistake. */
  finished(text: string): string {
    return this.#distinct.masked(text);
  }

  /**
   * A copy of plain data with a mask in the place of each secret in a text. Keys, numbers and booleans are ours, and so are
   * times: they stay.
   */
  value(value: unknown): unknown {
    if (typeof value === 'string') return isTime.test(value) ? value : this.text(value);
    if (typeof value !== 'object' || value === null || value instanceof Date) return value;
    if (Array.isArray(value)) return value.map((item) => this.value(item));
    if (Object.getPrototypeOf(value) === Object.prototype) {
      return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, this.value(inner)]));
    }
    const plain = JSON.stringify(value);
    const redacted = plain && this.text(plain);
    return redacted === plain ? value : redacted;
  }

  stream(): RedactingStream {
    let held = '';
    return {
      write: (piece) => {
        const { done, rest } = this.#distinct.scan(held + piece, true);
        held = rest;
        return done;
      },
      end: () => {
        const last = this.finished(held);
        held = '';
        return last;
      },
    };
  }
}

const isTime = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z$/;

/** All that is looked for, made ready to be found in one pass. */
class Forms {
  readonly #isEmpty: boolean;
  readonly #byFirstPoint: ReadonlyMap<number, readonly Form[]>;
  /** By the code unit that a form may begin with; undefined: none. */
  readonly #starts: readonly (readonly Form[] | undefined)[];

  constructor(texts: Iterable<string>) {
    const forms = [...new Set(texts)].map((text) => ({
      points: pointsOf(text),
      first: text.charCodeAt(0),
      second: text.charCodeAt(1),
    }));
    const starts = new Map<number, Form[]>();
    const add = (unit: number, form: Form) => {
      const begun = starts.get(unit);
      if (begun === undefined) starts.set(unit, [form]);
      else if (!begun.includes(form)) begun.push(form);
    };
    for (const form of forms) {
      add(form.first, form);
      for (const unit of escapeStarts) add(unit, form);
    }
    this.#isEmpty = forms.length === 0;
    this.#byFirstPoint = Map.groupBy(forms, ({ points }) => points[0] ?? 0);
    const byUnit = this.#isEmpty ? [] : new Array<readonly Form[] | undefined>(0x10000).fill(undefined);
    for (const [unit, begun] of starts) byUnit[unit] = begun;
    this.#starts = byUnit;
  }

  masked(text: string): string {
    if (this.#isEmpty) return text;
    // A mask beside what was left may look like a secret with asterisks in it: each round makes the text shorter.
    for (let before = text; ; ) {
      const { done } = this.scan(before, false);
      if (done === before) return done;
      before = done;
    }
  }

  #formsAtEscape(text: string, at: number, all: readonly Form[]): readonly Form[] {
    const points = pointsAt(text, at);
    if (points === undefined) return all;
    return [...new Set(points)].flatMap((point) => this.#byFirstPoint.get(point) ?? []);
  }

  /** @param isOpen more may follow: from the first place on that may become a secret, the text is given back as rest */
  scan(text: string, isOpen: boolean): { done: string; rest: string } {
    let done = '';
    let from = 0;
    for (let at = 0; at < text.length; ) {
      const unit = text.charCodeAt(at);
      const forms = this.#starts[unit];
      if (forms === undefined || (unit === backslash && text.charCodeAt(at - 1) === backslash && at > from)) {
        at++;
        continue;
      }
      let end = at;
      const next = text.charCodeAt(at + 1);
      for (const form of isEscape[unit] ? this.#formsAtEscape(text, at, forms) : forms) {
        // Most places that begin like a form end there.
        if (unit === form.first && next !== form.second && isLetterOrDigit(next) && !isEscape[unit]) continue;
        const found = match(text, at, form);
        if (found.ranOut && isOpen) return { done: done + text.slice(from, at), rest: text.slice(at) };
        end = Math.max(end, found.end);
      }
      if (end > at) {
        done += text.slice(from, at) + mask;
        from = end;
        at = end;
      } else {
        at++;
      }
    }
    return { done: from === 0 ? text : done + text.slice(from), rest: '' };
  }
}

const backslash = 0x5c;
const isEscape = Object.fromEntries(escapeStarts.map((unit) => [unit, true]));

/** None of which begins another spelling of a character. */
function isLetterOrDigit(unit: number): boolean {
  return (unit >= 0x61 && unit <= 0x7a) || (unit >= 0x41 && unit <= 0x5a) || (unit >= 0x30 && unit <= 0x39);
}

/** Backslashes in a row are read as one (`spellings.ts`). */
function pointsOf(text: string): number[] {
  const points = [...text].map((character) => character.codePointAt(0) ?? 0);
  return points.filter((point, index) => point !== backslash || points[index - 1] !== backslash);
}

/** The longest reading of a form that begins at `at`; all are followed at once, so that none makes it slow. */
function match(text: string, at: number, { points }: Form): { readonly end: number; readonly ranOut: boolean } {
  let places = [at];
  let cutAt = -1;
  let ranOut = false;
  for (const [index, point] of points.entries()) {
    const reading: Reading = { ends: [], ranOut: false, cutAt: -1 };
    for (const place of places) read(text, place, point, reading);
    // Backslashes in a row are one in the form, and may be spelled out one by one here.
    if (point === backslash)
      for (const end of reading.ends) if (reading.ends.length < 1000) read(text, end, point, reading);
    ranOut ||= reading.ranOut;
    if (index >= shortestSecret) cutAt = Math.max(cutAt, reading.cutAt);
    if (reading.ends.length === 0) return { end: cutAt, ranOut };
    places = reading.ends.length > 1 ? [...new Set(reading.ends)] : reading.ends;
  }
  return { end: Math.max(...places), ranOut };
}

/** All that one character after the other spells out; what spells out characters is in `spellings.ts`. */
function formsOf(secret: string): string[] {
  const bytes = Buffer.from(secret);
  const hex = bytes.toString('hex');
  return [secret, ...base64Forms(bytes), hex, hex.toUpperCase()];
}

/** In base64 each three bytes are four letters, so there are three ways in which a secret may stand in something longer. */
function base64Forms(bytes: Buffer): string[] {
  const whole = bytes.toString('base64');
  const forms = [whole, whole.replace(/=+$/, '')];
  for (const before of [0, 1, 2]) {
    const text = Buffer.concat([Buffer.alloc(before), bytes]).toString('base64');
    // Letters at either end that other bytes have a part in.
    const first = Math.ceil((before * 8) / 6);
    const last = Math.floor(((before + bytes.length) * 8) / 6);
    forms.push(text.slice(first, last));
  }
  return [...forms, ...forms.map((form) => form.replaceAll('+', '-').replaceAll('/', '_'))].filter(
    (form) => form.length >= shortestSecret,
  );
}
