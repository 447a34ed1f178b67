import type { Command } from 'commander';
import { systemClock } from '../clock.ts';
import { Daemon } from '../daemon.ts';
import { checkNetworkConfig, networkWarnings } from '../http/network-warnings.ts';
import { createLogger } from '../ops/logger.ts';
import { showProgress } from '../ops/progress-display.ts';
import { satelliteVersion } from '../version.ts';
import { exitCodes } from './exit-code.ts';
import { type ConfigOption, configOption, load } from './load.ts';

export function registerRun(program: Command): void {
  program
    .command('run')
    .description('take jobs from SEI and run them until stopped')
    .option(...configOption)
    .option('--once', 'do the jobs that there are, report them, and exit')
    .action(async (options: ConfigOption & { once?: boolean }) => {
      process.exitCode = await run(options);
    });
}

async function run(options: ConfigOption & { once?: boolean }): Promise<number> {
  const { config, warnings } = await load(options);
  const logger = createLogger(config.satellite.log);
  for (const warning of warnings) logger.warn('Configuration', { code: 'CONFIG_WARNING', warning });
  const { env } = process;
  for (const warning of networkWarnings(config, env)) logger.warn('Network', { code: 'NETWORK_WARNING', warning });
  checkNetworkConfig(config, env);
  const version = satelliteVersion(env);
  logger.info('Satellite starts', { version, config: config.path, dataDir: config.satellite.dataDir });
  const daemon = new Daemon({ config, clock: systemClock, logger, version, env });
  const hideProgress = process.stderr.isTTY ? showProgress(process.stderr, () => daemon.progress()) : () => undefined;
  const stopped = stopSignal();
  try {
    if (options.once === true) {
      const failed = await Promise.race([daemon.once(), stopped]);
      return typeof failed === 'number' && failed > 0 ? exitCodes.failed : exitCodes.ok;
    }
    daemon.start();
    logger.info('Satellite stops', { signal: await stopped });
    return exitCodes.ok;
  } finally {
    hideProgress();
    await daemon.stop();
  }
}

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
