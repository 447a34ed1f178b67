/** `<ACCOUNT_ID>` and the like, left in from a sample, alone or inside an address. */
export function isPlaceholder(text: string): boolean {
  return /^<[^<>]*>$/.test(text.trim()) || /:\/\/[^/]*<[^<>]*>/.test(text);
}
