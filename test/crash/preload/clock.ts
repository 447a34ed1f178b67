import { syncBuiltinESMExports } from 'node:module';
import timersPromises from 'node:timers/promises';

/**
 * Loaded before the program: another clock on the wall.
 * - CRASH_CLOCK_FACTOR: it, and every pause between attempts, run so many times as fast; deadlines of requests do not.
 * - CRASH_CLOCK_JUMPS: `<milliseconds since the start>:<milliseconds it jumps by>`, separated by commas.
 */
const factor = Number(process.env.CRASH_CLOCK_FACTOR ?? 1);
const jumps = (process.env.CRASH_CLOCK_JUMPS ?? '')
  .split(',')
  .filter((text) => text !== '')
  .map((text) => text.split(':').map(Number))
  .map(([atMs = 0, byMs = 0]) => ({ atMs, byMs }));

const now = Date.now;
const startMs = now();

function wall(): number {
  const passedMs = now() - startMs;
  const jumpedMs = jumps.filter(({ atMs }) => atMs <= passedMs).reduce((sum, { byMs }) => sum + byMs, 0);
  return Math.floor(startMs + passedMs * factor + jumpedMs);
}

globalThis.Date = class extends Date {
  constructor(...parts: [] | [number]) {
    super(...(parts.length === 0 ? ([wall()] as const) : parts));
  }

  static override now(): number {
    return wall();
  }
} as DateConstructor;

const sleep = timersPromises.setTimeout;
timersPromises.setTimeout = (ms = 1, ...rest) => sleep(ms / factor, ...rest);
syncBuiltinESMExports();
