/** Without the line ends behind it, which editors, `echo` and YAML blocks add to a secret. */
export function withoutLineEnd(text: string): string {
  let end = text.length;
  while (end > 0 && /[\r\n]/.test(text[end - 1] ?? '')) end--;
  return text.slice(0, end);
}
