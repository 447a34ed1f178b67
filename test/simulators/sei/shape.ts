/** Called with one sentence for each deviation found. */
export type Complain = (deviation: string) => void;

/**
 * Checks a value completely and complains of each deviation at its place. True when the value can be worked with: what a
 * reader would not notice (an unknown field, a broken rule across fields) is a deviation all the same.
 */
export type Shape<T> = (value: unknown, at: string, complain: Complain) => value is T;

export type Shaped<S> = S extends Shape<infer T> ? T : never;

type Fields = Readonly<Record<string, Shape<unknown>>>;
type Simplify<T> = { [K in keyof T]: T[K] };

const scalar =
  <T>(kind: string, test: (value: unknown) => boolean): Shape<T> =>
  (value, at, complain): value is T => {
    if (test(value)) return true;
    complain(`${at} is ${shown(value)}, wanted ${kind}`);
    return false;
  };

export const string = scalar<string>('a string', (value) => typeof value === 'string');
export const nonBlank = scalar<string>(
  'a string that is not blank',
  (value) => typeof value === 'string' && value.trim() !== '',
);
export const boolean = scalar<boolean>('a boolean', (value) => typeof value === 'boolean');
export const number = scalar<number>('a number', (value) => typeof value === 'number' && Number.isFinite(value));
/** A Java int. */
export const int = scalar<number>(
  'an int',
  (value) => Number.isInteger(value) && Math.abs(Number(value)) <= 2 ** 31 - 1,
);
/** A Java long, as far as JSON carries it. */
export const long = scalar<number>('a long', Number.isSafeInteger);
/** Epoch milliseconds of our days: a number of seconds would lie in 1970. */
export const epochMs = scalar<number>(
  'epoch milliseconds',
  (value) => Number.isSafeInteger(value) && Number(value) > 100_000_000_000,
);

export const literal = <const T extends string | number | boolean>(...wanted: readonly T[]): Shape<T> =>
  scalar<T>(wanted.map((each) => JSON.stringify(each)).join(' or '), (value) => wanted.some((each) => each === value));

export const matching = (kind: string, pattern: RegExp): Shape<string> =>
  scalar<string>(kind, (value) => typeof value === 'string' && pattern.test(value));

/** A list; `atLeast` and `atMost` bound its length. */
export const list =
  <T>(item: Shape<T>, { atLeast = 0, atMost = Number.POSITIVE_INFINITY } = {}): Shape<T[]> =>
  (value, at, complain): value is T[] => {
    if (!Array.isArray(value)) {
      complain(`${at} is ${shown(value)}, wanted a list`);
      return false;
    }
    let good = true;
    if (value.length < atLeast || value.length > atMost) {
      complain(`${at} has ${value.length} items, wanted ${atLeast} to ${atMost}`);
      good = false;
    }
    value.forEach((each, index) => {
      good = item(each, `${at}[${index}]`, complain) && good;
    });
    return good;
  };

/** An object with exactly these fields: an unknown field is a deviation, and so is a null (nulls are left out). */
export const object =
  <R extends Fields, O extends Fields = Record<never, never>>(
    required: R,
    optional?: O,
  ): Shape<Simplify<{ [K in keyof R]: Shaped<R[K]> } & { [K in keyof O]?: Shaped<O[K]> }>> =>
  (value, at, complain): value is Simplify<{ [K in keyof R]: Shaped<R[K]> } & { [K in keyof O]?: Shaped<O[K]> }> => {
    if (!isObject(value)) {
      complain(`${at} is ${shown(value)}, wanted an object`);
      return false;
    }
    let good = true;
    for (const name of Object.keys(required)) {
      if (Object.hasOwn(value, name)) continue;
      complain(`${at}.${name} is missing`);
      good = false;
    }
    for (const [name, field] of Object.entries(value)) {
      const shape = ownField(required, name) ?? ownField(optional ?? {}, name);
      if (shape === undefined) {
        complain(`${at}.${name} is not a known field`);
      } else good = shape(field, `${at}.${name}`, complain) && good;
    }
    return good;
  };

/** The list wrapper of every list that SEI reads and writes: `count` has to be what `records` holds. */
export const listWrapper = <T>(
  item: Shape<T>,
  bounds?: { atLeast?: number; atMost?: number },
): Shape<{ records: T[]; count: number }> =>
  and(object({ records: list(item, bounds), count: int }), (wrapper, at, complain) => {
    if (wrapper.count !== wrapper.records.length) {
      complain(`${at}.count is ${wrapper.count}, but there are ${wrapper.records.length} records`);
    }
  });

/** A shape with a rule across its fields, which is asked only when the fields are right by themselves. */
export const and =
  <T>(shape: Shape<T>, rule: (value: T, at: string, complain: Complain) => void): Shape<T> =>
  (value, at, complain): value is T => {
    if (!shape(value, at, complain)) return false;
    rule(value, at, complain);
    return true;
  };

/** For shapes that contain themselves. */
export const lazy =
  <T>(shape: () => Shape<T>): Shape<T> =>
  (value, at, complain): value is T =>
    shape()(value, at, complain);

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Any value in a few characters. */
function shown(value: unknown): string {
  const text = value === undefined ? 'missing' : (JSON.stringify(value) ?? typeof value);
  return text.length > 80 ? `${text.slice(0, 80)}…` : text;
}

function ownField(fields: Fields, name: string): Shape<unknown> | undefined {
  // A record may hold a field called `toString` or `constructor`: only own properties count.
  return Object.hasOwn(fields, name) ? fields[name] : undefined;
}
