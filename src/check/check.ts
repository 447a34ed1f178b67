import type { Clock } from '../clock.ts';
import type { Config } from '../config/config.ts';
import type { LoadedConfig } from '../config/load.ts';
import type { SatelliteError } from '../errors.ts';
import { checkNetworkConfig, networkWarnings } from '../http/network-warnings.ts';
import type { Env } from '../http/proxy-server.ts';
import type { Redactor } from '../ops/redact.ts';
import { checkBitbucket } from './bitbucket-leg.ts';
import { Checkup } from './checkup.ts';
import { checkDataDirectory } from './data-directory.ts';
import { counted } from './format.ts';
import { checkSei } from './sei-leg.ts';
import type { LegName, Step, Tell } from './step.ts';

export interface CheckOptions {
  /** Finds and reads the configuration, narrowed to what is to be checked. */
  readonly load: () => Promise<LoadedConfig>;
  /** Knows the secrets of what `load` has read. */
  readonly redactor: Redactor;
  /** Where a satellite with this data directory has its store. */
  readonly storePath: (dataDir: string) => string;
  /** For the proxy variables. */
  readonly env: Env;
  readonly clock: Clock;
  readonly onLeg?: (heading: string) => void;
  readonly onStep?: (step: Step) => void;
}

export interface CheckResult {
  readonly steps: readonly Step[];
  /** Of the first step that failed; undefined: none has. */
  readonly failure: SatelliteError | undefined;
}

/**
 * Tries out everything that a satellite with this configuration needs, and changes nothing anywhere: one request to SEI
 * and at most thirty to each Bitbucket, all of them reading. Never throws; what is wrong is in the steps.
 */
export async function check({
  load,
  redactor,
  storePath,
  env,
  clock,
  onLeg,
  onStep,
}: CheckOptions): Promise<CheckResult> {
  const checkup = new Checkup({ clock, redactor, ...(onLeg && { onLeg }), ...(onStep && { onStep }) });
  const start = checkup.leg('');
  const config = await start.step('config', 'Configuration', (tell) => readConfig(load, env, tell), {
    required: true,
  });
  if (config === undefined) {
    await skipAll(checkup, start.blocked);
  } else {
    const refused = new Set<string>();
    for (const integration of config.integrations) {
      await checkBitbucket(checkup, integration, { satellite: config.satellite, env, refused });
    }
    await checkSei(checkup, config.satellite, env);
    const { dataDir } = config.satellite;
    await checkDataDirectory(checkup, dataDir, storePath(dataDir));
  }
  return { steps: checkup.steps, failure: checkup.failure };
}

async function readConfig(load: CheckOptions['load'], env: Env, tell: Tell): Promise<Config> {
  const { config, problems, warnings } = await load();
  checkNetworkConfig(config, env);
  const { path, integrations } = config;
  // Notes say how the file was understood; nobody has to do anything about them.
  const wanted = warnings.filter((_line, index) => problems[index]?.severity === 'warning');
  const todo = [...wanted, ...networkWarnings(config, env)];
  tell({ detail: `${path}, ${counted(integrations.length, 'integration', 'integrations')}` });
  if (todo.length > 0) tell({ warning: true, code: 'CONFIG_WARNING', hint: todo.join('\n') });
  return config;
}

/** What there is to check is not known then, but that it was not is said. */
async function skipAll(checkup: Checkup, because: string | undefined): Promise<void> {
  const legs: readonly (readonly [LegName, string])[] = [
    ['bitbucket', 'Bitbucket'],
    ['sei', 'SEI'],
    ['machine', 'Data directory'],
  ];
  for (const [name, title] of legs) {
    const leg = checkup.leg('', { leg: name });
    await leg.step(name === 'machine' ? 'data-directory' : name, title, () => undefined, { unless: because });
  }
}
