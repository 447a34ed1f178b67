import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { DatabaseSync, StatementSync } from 'node:sqlite';

/**
 * Loaded before the program: CRASH_KILL_AT_WRITE, `<n> <statement>`, kills the process after it has run that statement on
 * its store for the n-th time, in whatever transaction that is; the end of one is named after the statement before it. How
 * often each was run is added at the end of the process to the file that CRASH_WRITES names. The statements of a script run one by one.
 */
const { CRASH_KILL_AT_WRITE = '', CRASH_WRITES } = process.env;
const [, times = '0', target = ''] = /^(\d+) (.*)$/s.exec(CRASH_KILL_AT_WRITE) ?? [];
const counts: Record<string, number> = {};
let last = '';

function count(sql: string): void {
  const text = sql
    .replaceAll(/--[^\n]*/g, '')
    .replaceAll(/\s+/g, ' ')
    .trim();
  const statement = text === 'COMMIT' ? `COMMIT after ${last}` : text;
  last = text;
  counts[statement] = (counts[statement] ?? 0) + 1;
  if (statement === target && counts[statement] === Number(times)) process.kill(process.pid, 'SIGKILL');
}

const { run } = StatementSync.prototype;
StatementSync.prototype.run = function (this: StatementSync, ...values: Parameters<typeof run>) {
  const changes = run.apply(this, values);
  count(this.sourceSQL);
  return changes;
} as typeof run;

const { exec } = DatabaseSync.prototype;
DatabaseSync.prototype.exec = function (this: DatabaseSync, script: string) {
  for (const statement of statementsOf(script)) {
    exec.call(this, statement);
    // The one in memory, with which the schema is compared, ends with the process in any case.
    if (this.location() !== null) count(statement);
  }
};

/** Cut at the semicolons that are in no comment and in no trigger. */
function statementsOf(script: string): string[] {
  const parts = script.match(/(?:CREATE TRIGGER[\s\S]*?\bEND\b|--[^\n]*|[^;])+/g) ?? [];
  return parts.filter((part) => part.replaceAll(/--[^\n]*/g, '').trim() !== '');
}

process.once('exit', () => {
  if (CRASH_WRITES === undefined) return;
  const before = existsSync(CRASH_WRITES)
    ? (JSON.parse(readFileSync(CRASH_WRITES, 'utf8')) as Record<string, number>)
    : {};
  for (const [statement, n] of Object.entries(before)) counts[statement] = (counts[statement] ?? 0) + n;
  writeFileSync(CRASH_WRITES, JSON.stringify(counts));
});
