import type { Report } from './report.ts';
import type { Satellites } from './satellite-scan.ts';

/** What each part of the bench is given. */
export interface Surroundings {
  /** Removed at the end. */
  readonly dir: string;
  readonly isQuick: boolean;
  readonly report: Report;
  readonly satellites: Satellites;
}
