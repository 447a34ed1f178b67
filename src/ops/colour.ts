type Env = Readonly<Record<string, string | undefined>>;

/** Colours are for people at a terminal; `FORCE_COLOR` and `NO_COLOR` say otherwise, and the former is the stronger one. */
export function wantsColour(stream: { readonly isTTY?: boolean | undefined }, env: Env): boolean {
  if (env.FORCE_COLOR !== undefined) return !/^(?:0|false)$/.test(env.FORCE_COLOR);
  return stream.isTTY === true && !env.NO_COLOR && env.TERM !== 'dumb';
}
