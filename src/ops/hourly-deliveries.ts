import type { DataType } from '../data-type.ts';

const hourMs = 3_600_000;

const shownHours = 48;

export interface Delivered {
  /** Epoch milliseconds of its beginning. */
  readonly hourMs: number;
  readonly commits: number;
  readonly pullRequests: number;
}

/** Commits and pull requests that SEI has stored, by the hour, of the last two days and no more. */
export class HourlyDeliveries {
  readonly #hours = new Map<number, { commits: number; pullRequests: number }>();

  add(type: DataType, records: number, nowMs: number): void {
    if (type !== 'commits' && type !== 'pull_requests') return;
    const hour = Math.floor(nowMs / hourMs);
    const counts = this.#hours.get(hour) ?? { commits: 0, pullRequests: 0 };
    counts[type === 'commits' ? 'commits' : 'pullRequests'] += records;
    this.#hours.set(hour, counts);
    for (const old of this.#hours.keys()) if (Math.abs(hour - old) >= shownHours) this.#hours.delete(old);
  }

  /** Oldest first, the hour that runs last; hours without any are there, too. */
  list(nowMs: number): Delivered[] {
    const last = Math.floor(nowMs / hourMs);
    return Array.from({ length: shownHours }, (_, index) => {
      const hour = last - shownHours + 1 + index;
      return { hourMs: hour * hourMs, ...(this.#hours.get(hour) ?? { commits: 0, pullRequests: 0 }) };
    });
  }
}
