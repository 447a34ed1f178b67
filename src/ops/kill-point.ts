/** Every place at which a crash test can end the process; the order is that of a job. */
export const killPoints = [
  'store:before-migration',
  'store:in-migration',
  'store:after-migration',
  'store:set-aside',
  'sei:before-register',
  'sei:registered',
  'sei:listed',
  'job:before-accept',
  'job:accepted',
  'job:stored',
  'scan:before-discovery',
  'scan:discovered',
  'scan:laid-out',
  'fetch:before',
  'fetch:after',
  'record:before-append',
  'record:appended',
  'page:before-transaction',
  'page:in-transaction',
  'page:stored',
  'push:before',
  'push:answered',
  'push:pointer-stored',
  'push:in-split',
  'push:split',
  'slice:before-finish',
  'slice:finished',
  'slice:failed',
  'job:crawled',
  'job:drained',
  'job:before-done',
  'job:done',
  'job:before-failed',
  'job:failed',
  'report:before',
  'report:answered',
  'report:in-acknowledgement',
  'report:coverage-advanced',
  'report:failure-remembered',
  'report:acknowledged',
] as const;

export type KillPoint = (typeof killPoints)[number];

/**
 * Ends the process as `kill -9` would, when `SATELLITE_KILL_AT=<point>:<n>` says so, at the n-th time that it is passed.
 * Unset, as everywhere but in the crash tests, it is an empty function.
 */
export const killPoint: (point: KillPoint) => void = armed(process.env.SATELLITE_KILL_AT);

function armed(target: string | undefined): (point: KillPoint) => void {
  if (target === undefined) return () => undefined;
  const at = target.lastIndexOf(':');
  const name = target.slice(0, at);
  let left = Number(target.slice(at + 1));
  return (point) => {
    if (point === name && --left === 0) process.kill(process.pid, 'SIGKILL');
  };
}
