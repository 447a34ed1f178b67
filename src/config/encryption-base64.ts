/**
 * Strict base64: the standard alphabet, padded, no stray bits in the last character. Node's own decoder skips what it
 * does not know, so a damaged character would shift all that follows and look like a wrong password.
 */
export function decodeBase64(text: string): Buffer | undefined {
  if (text.length % 4 !== 0 || !/^[A-Za-z0-9+/]*={0,2}$/.test(text)) return undefined;
  const bytes = Buffer.from(text, 'base64');
  return bytes.toString('base64') === text ? bytes : undefined;
}

/** The text without its line breaks, without the white space around them, and without a byte order mark. */
export function unwrapLines(text: string): string {
  return text
    .split(/\r\n|\n|\r/)
    .map((line) => line.trim())
    .join('');
}

export function wrapLines(text: string, width: number): string[] {
  const lines: string[] = [];
  for (let at = 0; at < text.length; at += width) lines.push(text.slice(at, at + width));
  return lines;
}
