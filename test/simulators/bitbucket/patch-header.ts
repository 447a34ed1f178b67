/**
 * The paths of a `diff --git src://a dst://b` line. It is ambiguous in general; the two halves of a rename differ but
 * then `rename from` and `rename to` follow and win, so here both may be taken for the same path.
 */
export function parseDiffHeader(line: string): { source: string; destination: string } {
  const rest = line.slice('diff --git '.length);
  const half = rest.slice(0, (rest.length - 1) / 2);
  const path = unquotedPath(half).replace(/^src:\/\//, '');
  return { source: path, destination: path };
}

const escapes: Readonly<Record<string, string>> = {
  a: '\x07',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
  '"': '"',
  '\\': '\\',
};

/** A path as git prints it: in C quotes with octal bytes when it holds anything unusual. */
export function unquotedPath(printed: string): string {
  if (!printed.startsWith('"')) return printed;
  const bytes: Buffer[] = [];
  for (const [token] of printed.slice(1, -1).matchAll(/\\[0-7]{3}|\\.|[^\\]+/g)) {
    if (!token.startsWith('\\')) bytes.push(Buffer.from(token));
    else if (token.length === 4) bytes.push(Buffer.from([Number.parseInt(token.slice(1), 8)]));
    else bytes.push(Buffer.from(escapes[token[1] ?? ''] ?? token.slice(1)));
  }
  return Buffer.concat(bytes).toString('utf8');
}
