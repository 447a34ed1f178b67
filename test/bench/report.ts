/** Prints tables and goals, and remembers them for `--json`. */
export type Row = Readonly<Record<string, string | number>>;

export interface Goal {
  readonly goal: string;
  readonly measured: string;
  readonly isHeld: boolean;
  /** True where it is a matter of counts or memory: then the bench fails when it is not held. Times depend on the machine. */
  readonly isExact: boolean;
}

export class Report {
  readonly tables: { readonly title: string; readonly rows: readonly Row[] }[] = [];
  readonly goals: Goal[] = [];

  say(text: string): void {
    process.stdout.write(`${text}\n`);
  }

  table(title: string, rows: readonly Row[]): void {
    this.tables.push({ title, rows });
    const names = Object.keys(rows[0] ?? {});
    const widths = names.map((name) => Math.max(name.length, ...rows.map((row) => String(row[name] ?? '').length)));
    const line = (cells: readonly (string | number)[]) =>
      cells
        .map((cell, at) => {
          const width = widths[at] ?? 0;
          return at === 0 ? String(cell).padEnd(width) : String(cell).padStart(width);
        })
        .join('  ')
        .trimEnd();
    this.say(`\n${title}\n`);
    this.say(line(names));
    for (const row of rows) this.say(line(names.map((name) => row[name] ?? '')));
  }

  /** @param values measured, and what they may be */
  atMost(goal: string, measured: number, limit: number, exactness: 'exact' | 'timed', digits = 0): void {
    this.#goal(`${goal} ≤ ${shown(limit, digits)}`, shown(measured, digits), measured <= limit, exactness);
  }

  atLeast(goal: string, measured: number, limit: number, exactness: 'exact' | 'timed', digits = 0): void {
    this.#goal(`${goal} ≥ ${shown(limit, digits)}`, shown(measured, digits), measured >= limit, exactness);
  }

  printGoals(): void {
    if (this.goals.length === 0) return;
    const rows = this.goals.map(({ goal, measured, isHeld }) => ({ goal, measured, '': isHeld ? 'held' : 'NOT HELD' }));
    this.table('Goals', rows);
  }

  #goal(goal: string, measured: string, isHeld: boolean, exactness: 'exact' | 'timed'): void {
    this.goals.push({ goal, measured, isHeld, isExact: exactness === 'exact' });
  }
}

export function shown(value: number, digits = 0): string {
  return value.toLocaleString('en', { minimumFractionDigits: digits, maximumFractionDigits: digits });
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length / 2;
  const upper = sorted[Math.floor(middle)] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2;
}
