import { registerHooks } from 'node:module';

/**
 * Loaded before the program: SIGTERM comes to the process at the kill point that CRASH_STOP_AT names, the first time that it
 * is passed, CRASH_STOP_TIMES times. CRASH_LOAD_SIGNAL names what comes as the program loads, before it has said a word.
 */
const { CRASH_STOP_AT, CRASH_STOP_TIMES = '1', CRASH_LOAD_SIGNAL } = process.env;
const source = `
let isLeft = true;
export const killPoints = [];
export const killPoint = (point) => {
  if (point !== ${JSON.stringify(CRASH_STOP_AT ?? '')} || !isLeft) return;
  isLeft = false;
  for (let n = ${Number(CRASH_STOP_TIMES)}; n > 0; n--) process.kill(process.pid, 'SIGTERM');
};
`;

registerHooks({
  load: (url, context, next) => {
    if (url.endsWith('/ops/kill-point.js')) return { format: 'module', source, shortCircuit: true };
    if (url.endsWith('/commands/program.js') && CRASH_LOAD_SIGNAL) process.kill(process.pid, CRASH_LOAD_SIGNAL);
    return next(url, context);
  },
});
