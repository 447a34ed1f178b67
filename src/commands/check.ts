import type { Command } from 'commander';
import { type CheckResult, check } from '../check/check.ts';
import { systemClock } from '../clock.ts';
import type { LoadedConfig } from '../config/load.ts';
import { storePath } from '../daemon.ts';
import type { SatelliteError } from '../errors.ts';
import type { Redactor } from '../ops/redact.ts';
import { formatHeading, formatStep, formatSummary, styleFor } from './check-display.ts';
import { exitCodeOf, exitCodes } from './exit-code.ts';
import { addHelpSections, configEnvironment, networkEnvironment } from './help.ts';
import { integrationOf } from './integration.ts';
import { type ConfigOption, configOption, load } from './load.ts';

interface CheckCommand extends ConfigOption {
  readonly integration?: string;
  readonly json?: boolean;
}

export function registerCheck(program: Command, redactor: Redactor): void {
  const command = program
    .command('check')
    .description('try out everything that the satellite needs: network, credentials, permissions, disk')
    .option(...configOption)
    .option('-i, --integration <id>', 'check this integration alone')
    .option('--json', 'print one JSON object at the end instead of lines')
    .action(async (options: CheckCommand) => {
      process.exitCode = await runCheck(options, redactor);
    });
  addHelpSections(command, {
    notes: `
Nothing is changed anywhere: SEI gets one request, each Bitbucket at most thirty, all of them reading, and none after
one that refuses the credentials. It may run beside a satellite that works. Run it as the user of the satellite, whose
permissions count. The first step that fails decides the exit code. schemas/check.schema.json describes the JSON.`,
    examples: [
      'satellite check',
      'satellite check --config satellite.yml --integration 4711',
      'satellite check --json | jq -r \'.steps[] | select(.status == "failed") | .hint\'',
    ],
    environment: [...configEnvironment, 'STATE_DIRECTORY', ...networkEnvironment, 'NO_COLOR, FORCE_COLOR', 'any other'],
    exitCodes: [
      [0, 'everything works; there may be warnings'],
      64,
      [69, 'a server cannot be reached, or does not answer as it should'],
      70,
      77,
      [78, 'the configuration, a certificate or the data directory has to change'],
    ],
  });
}

async function runCheck(options: CheckCommand, redactor: Redactor): Promise<number> {
  const loadNarrowed = async () => narrowed(await load(options, redactor), options.integration);
  if (options.json !== true) return showCheck(loadNarrowed, redactor);
  const { steps, failure } = await check({
    load: loadNarrowed,
    redactor,
    storePath,
    env: process.env,
    clock: systemClock,
  });
  const exitCode = checkExitCode(failure);
  process.stdout.write(`${JSON.stringify({ ok: failure === undefined, exitCode, steps }, undefined, 2)}\n`);
  return exitCode;
}

/** Runs the check and shows each line as soon as it is known. */
export async function showCheck(loadConfig: () => Promise<LoadedConfig>, redactor: Redactor): Promise<number> {
  const { stdout } = process;
  const style = styleFor(stdout, process.env);
  const result: CheckResult = await check({
    load: loadConfig,
    redactor,
    storePath,
    env: process.env,
    clock: systemClock,
    onLeg: (heading) => stdout.write(formatHeading(heading, style)),
    onStep: (step) => stdout.write(formatStep(step, style)),
  });
  const exitCode = checkExitCode(result.failure);
  stdout.write(formatSummary(result.steps, exitCode, style));
  return exitCode;
}

/** What somebody has to change on this machine counts as configuration, the data directory too. */
function checkExitCode(failure: SatelliteError | undefined): number {
  if (failure === undefined) return exitCodes.ok;
  return failure.kind === 'storage' ? exitCodes.config : exitCodeOf(failure);
}

function narrowed(loaded: LoadedConfig, integration: string | undefined): LoadedConfig {
  if (integration === undefined) return loaded;
  const { config } = loaded;
  return { ...loaded, config: { ...config, integrations: [integrationOf(config, integration)] } };
}
