import type { AddressFault } from './http-url.ts';

/** `~/data` is a shell's word: taken as it stands, it is a folder of the name ~ beside the file. */
export function pathFault(text: string): AddressFault | undefined {
  if (!/^~(?:[^/]*\/|$)/.test(text)) return undefined;
  return {
    problem: 'a ~ is not filled in here',
    // biome-ignore lint/suspicious/noTemplateCurlyInString: as it is written in the file
    expected: 'the path in full, or one that begins with ${HOME}',
    ...(/^~(?:\/|$)/.test(text) && { suggestion: `\${HOME}${text.slice(1)}` }),
  };
}
