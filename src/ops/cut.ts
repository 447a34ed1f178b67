/** Stands where a text was cut: a secret may have been cut in two with it, and the redactor looks for its beginning here. */
export const cutMark = '…';

/** Of a text that came from elsewhere, as much as fits into a message. */
export function cut(text: string, maxLength: number): string {
  return text.length <= maxLength ? text : `${text.slice(0, maxLength)}${cutMark}`;
}
