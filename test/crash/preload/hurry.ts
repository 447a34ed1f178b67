import { syncBuiltinESMExports } from 'node:module';
import timers from 'node:timers';
import timersPromises from 'node:timers/promises';

/**
 * Loaded before the program where a check would have to wait for minutes: pauses between attempts and deadlines of
 * requests pass twenty times as fast. Short timers and the clock stay as they are.
 */
const factor = 20;
const shortestPauseMs = 500;
const shortestDeadlineMs = 20_000;

const sleep = timersPromises.setTimeout;
timersPromises.setTimeout = (ms = 1, ...rest) => sleep(ms >= shortestPauseMs ? ms / factor : ms, ...rest);

const start = timers.setTimeout;
const hurried = Object.assign(
  (callback: () => void, ms = 1, ...rest: []) => start(callback, ms >= shortestDeadlineMs ? ms / factor : ms, ...rest),
  start,
);
timers.setTimeout = hurried as typeof start;
globalThis.setTimeout = hurried as typeof start;
syncBuiltinESMExports();
