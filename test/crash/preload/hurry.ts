import { syncBuiltinESMExports } from 'node:module';
import timers from 'node:timers';
import timersPromises from 'node:timers/promises';

/**
 * Loaded before the program where a check would have to wait for minutes: pauses between attempts and deadlines of
 * requests pass twenty times as fast, hours as seconds. Short timers and the clock stay as they are.
 */
const factor = 20;
const longFactor = 20_000;
const shortestPauseMs = 500;
const shortestDeadlineMs = 20_000;
const hourMs = 3_600_000;

function hurriedMs(ms: number, shortestMs: number): number {
  if (ms >= hourMs) return ms / longFactor;
  return ms >= shortestMs ? ms / factor : ms;
}

const sleep = timersPromises.setTimeout;
timersPromises.setTimeout = (ms = 1, ...rest) => sleep(hurriedMs(ms, shortestPauseMs), ...rest);

const start = timers.setTimeout;
const hurried = Object.assign(
  (callback: () => void, ms = 1, ...rest: []) => start(callback, hurriedMs(ms, shortestDeadlineMs), ...rest),
  start,
);
timers.setTimeout = hurried as typeof start;
globalThis.setTimeout = hurried as typeof start;
syncBuiltinESMExports();
