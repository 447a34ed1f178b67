/**
 * Names and messages come from other servers: characters that steer a terminal, or that turn the direction of what
 * follows and make a name look like another, are shown as what cannot be shown.
 */
export function withoutControls(text: string): string {
  return text.replace(/(?![\t\n])[\p{Cc}\p{Cf}\u2028\u2029]/gu, '\ufffd');
}
