import type { Problem } from './problem.ts';
import { formatPath } from './tree.ts';

/** More than that nobody reads at once. */
const MAX_SHOWN = 20;

/** `file:line:col path: problem`, one block each. */
export function formatProblems(file: string, text: string, problems: readonly Problem[]): string {
  const shown = problems.slice(0, MAX_SHOWN).map((problem) => formatProblem(file, text, problem));
  const more = problems.length - shown.length;
  return [...shown, ...(more > 0 ? [`and ${more} more`] : [])].join('\n');
}

export function formatProblem(file: string, text: string, problem: Problem): string {
  const place = problem.span ? `:${lineAndColumn(text, problem.span.start).join(':')}` : '';
  const path = formatPath(problem.path);
  const expected = problem.expected === undefined ? '' : `; expected ${problem.expected}`;
  return `${file}${place}${path && ` ${path}`}: ${problem.message}${expected}`;
}

function lineAndColumn(text: string, offset: number): readonly [number, number] {
  const before = text.slice(0, offset).split(/\r\n|\r|\n/);
  return [before.length, (before.at(-1) ?? '').length + 1];
}
