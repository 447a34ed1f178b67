/**
 * Loaded before the program: a clock on the wall that somebody sets while it runs. CRASH_CLOCK_JUMPS says when and by how
 * much: `<milliseconds since the start>:<milliseconds it jumps by>`, separated by commas. SIGUSR2 sets it back by half a day.
 */
const jumps = (process.env.CRASH_CLOCK_JUMPS ?? '')
  .split(',')
  .map((text) => text.split(':').map(Number))
  .map(([atMs = 0, byMs = 0]) => ({ atMs, byMs }));

const now = Date.now;
const startMs = now();

const halfDayMs = 43_200_000;
let setBackMs = 0;
process.on('SIGUSR2', () => {
  setBackMs += halfDayMs;
});

function wall(): number {
  const passedMs = now() - startMs;
  const jumpedMs = jumps.filter(({ atMs }) => atMs <= passedMs).reduce((sum, { byMs }) => sum + byMs, 0);
  return startMs + passedMs + jumpedMs - setBackMs;
}

globalThis.Date = class extends Date {
  constructor(...parts: [] | [number]) {
    super(...(parts.length === 0 ? ([wall()] as const) : parts));
  }

  static override now(): number {
    return wall();
  }
} as DateConstructor;
