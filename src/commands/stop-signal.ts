/** The first signal asks for an orderly end, a second one for an end at once. */
export function stopSignal(): Promise<NodeJS.Signals> {
  const { promise, resolve } = Promise.withResolvers<NodeJS.Signals>();
  let isStopping = false;
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.on(signal, () => {
      if (isStopping) process.exit(signal === 'SIGTERM' ? 143 : 130);
      isStopping = true;
      resolve(signal);
    });
  }
  return promise;
}
