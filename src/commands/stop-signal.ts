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

/**
 * The same from the first moment of the process on: without it a signal that comes while the program loads ends it as if it
 * had crashed, and is dropped where it is the first process of a container. Whoever asks for the configuration to be read
 * again before it was read has it read anyway.
 */
export function stopSignalFromStart(): Promise<NodeJS.Signals> {
  process.on('SIGHUP', () => undefined);
  return stopSignal();
}
