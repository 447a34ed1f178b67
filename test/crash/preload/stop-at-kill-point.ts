import { writeSync } from 'node:fs';
import { registerHooks } from 'node:module';

/**
 * Loaded before the program: SIGTERM comes to the process at the kill point that CRASH_STOP_AT names, the first time that it
 * is passed, and CRASH_LOAD_SIGNAL as the program loads, before it has said a word. Each comes CRASH_SIGNAL_TIMES times,
 * after a line in the log that says so.
 */
const { CRASH_STOP_AT = '', CRASH_SIGNAL_TIMES = '1', CRASH_LOAD_SIGNAL } = process.env;
const signal = Symbol.for('signal to oneself');

Reflect.set(globalThis, signal, (name: NodeJS.Signals) => {
  writeSync(2, `${JSON.stringify({ level: 'info', message: 'A signal comes', signal: name })}\n`);
  for (let n = Number(CRASH_SIGNAL_TIMES); n > 0; n--) process.kill(process.pid, name);
});

const source = `
let isLeft = true;
export const killPoints = [];
export const killPoint = (point) => {
  if (point !== ${JSON.stringify(CRASH_STOP_AT)} || !isLeft) return;
  isLeft = false;
  globalThis[Symbol.for('signal to oneself')]('SIGTERM');
};
`;

registerHooks({
  load: (url, context, next) => {
    if (url.endsWith('/ops/kill-point.js')) return { format: 'module', source, shortCircuit: true };
    if (url.endsWith('/commands/program.js') && CRASH_LOAD_SIGNAL) Reflect.get(globalThis, signal)(CRASH_LOAD_SIGNAL);
    return next(url, context);
  },
});
