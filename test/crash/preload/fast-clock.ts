import { registerHooks } from 'node:module';

/**
 * Loaded before the program: its own clock, and every pause that it makes by it, runs CRASH_CLOCK_FACTOR times as fast.
 * Deadlines of requests and whatever else looks at the clock on the wall are left alone.
 */
const factor = Number(process.env.CRASH_CLOCK_FACTOR ?? 1);
const real = '?real';

registerHooks({
  load: (url, context, next) => {
    if (!url.endsWith('/clock.js')) return next(url, context);
    const source = `
      export * from ${JSON.stringify(url + real)};
      import { systemClock as real } from ${JSON.stringify(url + real)};
      const quick = (read) => { const start = read(); return () => Math.floor(start + (read() - start) * ${factor}); };
      export const systemClock = {
        ...Object.fromEntries(Object.entries(real).filter(([name]) => name !== 'sleep').map(([name, read]) => [name, name === 'random' ? read : quick(read)])),
        sleep: (ms, signal) => real.sleep(ms / ${factor}, signal),
      };`;
    return { format: 'module', source, shortCircuit: true };
  },
});
