import type { Step, StepStatus } from '../check/step.ts';
import { wantsColour } from '../ops/colour.ts';

export interface DisplayStyle {
  /** ✓ and ✗; where they may come out as something else, words. */
  readonly unicode: boolean;
  readonly colour: boolean;
}

/** Signs and colours are for people: pipes, logs and terminals that cannot show them get plain words. */
export function styleFor(
  stdout: { readonly isTTY?: boolean | undefined },
  env: Readonly<Record<string, string | undefined>>,
): DisplayStyle {
  const colour = wantsColour(stdout, env);
  const locale = env.LC_ALL || env.LC_CTYPE || env.LANG || '';
  return { unicode: colour && /utf-?8/i.test(locale), colour };
}

const signs: Readonly<Record<StepStatus, { readonly sign: string; readonly word: string; readonly colour: number }>> = {
  ok: { sign: '✓', word: 'ok  ', colour: 32 },
  warning: { sign: '!', word: 'WARN', colour: 33 },
  failed: { sign: '✗', word: 'FAIL', colour: 31 },
  skipped: { sign: '-', word: 'skip', colour: 2 },
};

const titleWidth = 18;
const timeWidth = 7;

export function formatHeading(heading: string, style: DisplayStyle): string {
  return `\n${paint(plain(heading, style), 1, style)}\n`;
}

/** A line with sign, name, time and finding; lines below it for the rest, and for what to do next. */
export function formatStep(step: Step, style: DisplayStyle): string {
  const { sign, word, colour } = signs[step.status];
  const mark = style.unicode ? sign : word;
  const time = step.status === 'skipped' ? '' : formatMs(step.ms);
  const indent = ' '.repeat(2 + mark.length + 1);
  const [first = '', ...more] = (step.detail ?? '').split('\n');
  const said = step.status === 'skipped' ? `left out: ${first}` : first;
  const head = `  ${paint(mark, colour, style)} ${step.title.padEnd(titleWidth)} ${time.padStart(timeWidth)}  ${said}`;
  const code = step.code === undefined ? '' : ` [${step.code}]`;
  const detailIndent = ' '.repeat(indent.length + titleWidth + 1 + timeWidth + 2);
  const [firstHint, ...moreHints] = step.hint?.split('\n') ?? [];
  const arrow = style.unicode ? '→' : '->';
  const lines = [
    `${head.trimEnd()}${paint(code, 2, style)}`,
    ...more.map((line) => `${isReport(step) ? indent : detailIndent}${line}`),
    ...(firstHint === undefined ? [] : [`${indent}${arrow} ${firstHint}`]),
    ...moreHints.map((line) => `${indent}${' '.repeat(arrow.length)} ${line}`),
  ];
  return `${plain(lines.join('\n'), style)}\n`;
}

export function formatSummary(steps: readonly Step[], exitCode: number, style: DisplayStyle): string {
  const number = (status: StepStatus) => steps.filter((step) => step.status === status).length;
  const warnings = number('warning') === 1 ? '1 warning' : `${number('warning')} warnings`;
  const parts = [`${number('ok')} ok`, warnings, `${number('failed')} failed`, `${number('skipped')} left out`];
  const totalMs = steps.reduce((sum, { ms }) => sum + ms, 0);
  return `\n${paint(parts.join(', '), exitCode === 0 ? 32 : 31, style)} in ${formatMs(totalMs)}; exit code ${exitCode}\n`;
}

/** The messages about a file are laid out with carets of their own. */
function isReport({ id, status }: Step): boolean {
  return id === 'config' && status === 'failed';
}

function formatMs(ms: number): string {
  return ms < 1000 ? `${ms} ms` : `${(ms / 1000).toFixed(1)} s`;
}

/** Quotation marks are the only other letters of ours that are not ASCII. */
function plain(text: string, { unicode }: DisplayStyle): string {
  return unicode ? text : text.replace(/[“”]/g, '"');
}

function paint(text: string, colour: number, style: DisplayStyle): string {
  return style.colour && text !== '' ? `\u001b[${colour}m${text}\u001b[0m` : text;
}
