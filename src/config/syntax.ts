import type { Problem } from './problem.ts';

/** The parser's reason in words that help whoever edits the file. Its own text is never shown: it may quote the file. */
export function explainSyntax(_text: string, reason: string, position: number): Problem {
  return {
    severity: 'error',
    code: 'SYNTAX',
    path: [],
    message: /tab characters/.test(reason) ? 'a tab in the indentation' : 'this is not valid YAML',
    span: { start: position, end: position + 1 },
  };
}
