import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { DatabaseSync, StatementSync } from 'node:sqlite';
import { nameOf, statementsOf } from '../sql-statements.ts';

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
  const text = nameOf(sql);
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
  for (const { sql } of statementsOf(script)) {
    exec.call(this, sql);
    // The one in memory, with which the schema is compared, ends with the process in any case.
    if (this.location() !== null) count(sql);
  }
};

process.once('exit', () => {
  if (CRASH_WRITES === undefined) return;
  const before = existsSync(CRASH_WRITES)
    ? (JSON.parse(readFileSync(CRASH_WRITES, 'utf8')) as Record<string, number>)
    : {};
  for (const [statement, n] of Object.entries(before)) counts[statement] = (counts[statement] ?? 0) + n;
  writeFileSync(CRASH_WRITES, JSON.stringify(counts));
});
