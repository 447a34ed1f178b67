/**
 * The object with the fields that have a value: SEI's wire form leaves the others out. The type asks for every field of
 * the record, so one that is forgotten does not compile.
 */
export function fields<T extends object>(values: { readonly [K in keyof T]-?: T[K] | undefined }): T {
  // The keys that remain are those of T, and only optional ones can be missing.
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as T;
}

/** Text that survives the way through UTF-8: half a surrogate pair, which nothing can encode, becomes U+FFFD. */
export function text(value: string | null | undefined): string | undefined {
  return typeof value === 'string' ? value.toWellFormed() : undefined;
}

export function wholeNumber(value: number | null | undefined): number | undefined {
  return typeof value === 'number' && Number.isSafeInteger(value) ? value : undefined;
}

export function flag(value: boolean | null | undefined): boolean | undefined {
  return typeof value === 'boolean' ? value : undefined;
}
