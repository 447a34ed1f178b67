import { relative } from 'node:path';
import { Excerpts } from './excerpt.ts';
import { Lines } from './lines.ts';
import type { Finding, Problem } from './problem.ts';
import { formatPath } from './tree.ts';
import type { Visibility } from './visible.ts';
import { visibleByGuess } from './visible-by-guess.ts';

/** More than that nobody reads at once. */
const MAX_SHOWN = 20;

/**
 * Findings with their places: what stops the start before the rest, both in the order of the file; one for each key,
 * and a note.
 */
export function locate(
  file: string,
  text: string,
  found: readonly Finding[],
  visibility?: Visibility,
): readonly Problem[] {
  const lines = new Lines(text);
  const visible = visibility ?? visibleByGuess(text, lines);
  const excerpts = new Excerpts(text, lines, visible);
  return firstOfEach(found.toSorted(byWeight))
    .toSorted((one, other) => byWeight(one, other) || (one.span?.start ?? -1) - (other.span?.start ?? -1))
    .map((finding) => {
      const { severity, code, expected, span } = finding;
      const meant = finding.suggestion !== undefined && visible.discretion.repeats(finding.suggestion);
      const message = meant ? `${finding.message}, did you mean ${finding.suggestion}?` : finding.message;
      const path = formatPath(
        finding.path.map((step) => (typeof step === 'string' ? visible.discretion.word(step) : step)),
      );
      return {
        severity,
        code,
        file,
        path,
        message: visible.discretion.scrub(message),
        ...(span && lines.placeOf(span.start)),
        ...(expected !== undefined && { expected: visible.discretion.scrub(expected) }),
        ...(span && { excerpt: excerpts.of(span) }),
      };
    });
}

function byWeight(one: Finding, other: Finding): number {
  return Number(other.severity === 'error') - Number(one.severity === 'error');
}

/** A value that is wrong in one way is often wrong in a second; whoever mends the first need not hear of the other. */
function firstOfEach(found: readonly Finding[]): readonly Finding[] {
  const seen = new Set<string>();
  return found.filter((finding) => {
    const place = finding.path.length === 0 ? `${finding.code} ${finding.span?.start}` : formatPath(finding.path);
    // A note is about what is done with the value as it is, which a warning leaves so.
    const key = finding.severity === 'note' ? `note ${place}` : place;
    if (seen.has(key)) return false;
    seen.add(key);
    return true;
  });
}

/** `file:line:column path: message` */
export function formatLine(problem: Problem): string {
  return `${placeOf(problem)}: ${problem.message}`;
}

function placeOf({ file, line, column, path }: Problem): string {
  return `${file}${line === undefined ? '' : `:${line}:${column}`}${path && ` ${path}`}`;
}

/** The line, what it is about, and what would be right. */
function formatProblem(problem: Problem): string {
  const expected = problem.expected === undefined ? [] : [`  expected ${problem.expected}`];
  const head = `${placeOf(problem)}: ${problem.severity === 'error' ? '' : `${problem.severity}: `}${problem.message}`;
  return [head, ...(problem.excerpt === undefined ? [] : [problem.excerpt]), ...expected].join('\n');
}

export function formatProblems(problems: readonly Problem[]): string {
  const shown = problems.slice(0, MAX_SHOWN).map(formatProblem);
  const more = problems.length - shown.length;
  return [...shown, ...(more > 0 ? [`and ${more} more`] : [])].join('\n\n');
}

/** As short as it can be typed: relative where the file is in or below the working directory. */
export function displayPath(path: string, cwd: string): string {
  const short = relative(cwd, path);
  return short === '' || short.startsWith('..') ? path : short;
}
