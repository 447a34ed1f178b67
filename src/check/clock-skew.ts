import type { Leg } from './checkup.ts';
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

function compareClocks({ serverMs, ownMs }: DateSeen, tell: Tell): void {
  const aheadMs = ownMs - serverMs;
  const offBy = Math.abs(aheadMs);
  if (offBy <= warnMs) {
    tell({ detail: offBy < 1_000 ? "agrees with the server's" : `${duration(offBy / 1000)} off the server's` });
    return;
  }
  tell({
    warning: true,
    code: 'CLOCK_SKEWED',
    detail: `this machine is ${duration(offBy / 1000)} ${aheadMs > 0 ? 'ahead of' : 'behind'} the server`,
    hint: 'Have the clock kept by NTP on both: scans ask for windows of time, and certificates have one.',
  });
}

/** It asks nobody: the answer that refused the credentials has a date, too. */
export async function stepClock(leg: Leg, seen: DateSeen | undefined): Promise<void> {
  await leg.step('clock', 'Clock', (tell) => seen && compareClocks(seen, tell), {
    always: true,
    unless: seen === undefined ? (leg.blocked ?? 'no answer has a date') : undefined,
  });
}
