import { duration } from './format.ts';
import type { Tell } from './step.ts';

/** What was read off the clocks at the moment an answer came. */
export interface DateSeen {
  /** The `Date` header, in full seconds. */
  readonly serverMs: number;
  readonly ownMs: number;
}

/** Beyond this, windows of time begin to mean something else here than there. */
const warnMs = 60_000;

export function dateSeen(date: string | undefined, ownMs: number): DateSeen | undefined {
  const serverMs = Date.parse(date ?? '');
  // It was cut to the second: half of one is the best guess of what is missing.
  return Number.isNaN(serverMs) ? undefined : { serverMs: serverMs + 500, ownMs };
}

export function compareClocks({ serverMs, ownMs }: DateSeen, tell: Tell): void {
  const aheadMs = ownMs - serverMs;
  const offBy = Math.abs(aheadMs);
  if (offBy <= warnMs) {
    tell({ detail: offBy < 1_000 ? 'the same as of the server' : `${duration(offBy / 1000)} off the server's` });
    return;
  }
  tell({
    warning: true,
    code: 'CLOCK_SKEWED',
    detail: `this machine is ${duration(offBy / 1000)} ${aheadMs > 0 ? 'ahead of' : 'behind'} the server`,
    hint: 'Have the clock kept by NTP on both: scans ask for windows of time, and certificates have one.',
  });
}
