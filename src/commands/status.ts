import { type Command, Option } from 'commander';
import { systemClock } from '../clock.ts';
import { type SatelliteError, toSatelliteError } from '../errors.ts';
import { withoutControls } from '../ops/plain-text.ts';
import type { Redactor } from '../ops/redact.ts';
import { reasonsAgainst, type StatusReport } from '../ops/status-report.ts';
import { styleFor } from './check-display.ts';
import { commandLine } from './command-line.ts';
import { exitCodes } from './exit-code.ts';
import { addHelpSections, configEnvironment } from './help.ts';
import { type ConfigOption, configOption } from './load.ts';
import { askForStatus, whereabouts } from './running-satellite.ts';
import { formatStatus } from './status-display.ts';
import { stopSignal } from './stop-signal.ts';

interface StatusOptions extends ConfigOption {
  readonly json?: boolean;
  readonly watch?: boolean;
  /** True: named without a value. */
  readonly probe?: 'live' | 'ready' | true;
}

const watchIntervalMs = 2_000;

export function registerStatus(program: Command, redactor: Redactor): void {
  const command = program
    .command('status')
    .description('how the running satellite is: what works, what it does, what fails')
    .option(...configOption)
    .option('--json', 'print what /status.json says (schemas/status.schema.json); with --watch, a line each time')
    .option('--watch', 'show it anew every two seconds, until Ctrl-C')
    .addOption(
      new Option('--probe [what]', 'one line; 0 where it is live (default), or ready')
        .choices(['live', 'ready'])
        .conflicts(['json', 'watch']),
    )
    .action(async (options: StatusOptions) => {
      process.exitCode = await status(options, redactor);
    });
  addHelpSections(command, {
    notes: `
It asks the running process that works on satellite.data_dir of the same configuration, at the address that is in use
there, also where the file was changed since, and nobody else. --probe is for the health
check of a container: it fails where the satellite has to be started anew, and not where SEI or Bitbucket is down, which
no restart mends. --probe ready also fails while work cannot go on.`,
    examples: [
      'satellite status',
      'satellite status --watch',
      "satellite status --json | jq '.failing.listed[]'",
      'satellite status --probe || echo "to be started anew"',
    ],
    environment: [...configEnvironment, 'NO_COLOR, FORCE_COLOR', 'any other'],
    exitCodes: [
      [0, 'it runs and work can go on; with --probe: it is live'],
      [1, 'it runs, and work cannot go on; with --probe: it is not live, or not ready'],
      64,
      [69, 'nothing answers at satellite.listen'],
      70,
      [78, 'satellite.listen is off, or the configuration has to change; the message says where and how'],
    ],
  });
}

/**
 * `satellite status` alone: what a health check starts once a minute, beside the satellite and within the same 256 MiB,
 * loads nothing of the other commands.
 *
 * @returns the exit code
 */
export function statusMain(argv: readonly string[]): Promise<number> {
  return commandLine(argv, registerStatus);
}

async function status(options: StatusOptions, redactor: Redactor): Promise<number> {
  if (options.watch === true) return watch(options, redactor);
  const found = await whereabouts(options, redactor);
  const report = await askForStatus(found);
  if (options.probe !== undefined) return probe(report, options.probe === 'ready');
  if (found.problem !== undefined) process.stderr.write(outdated(found.problem));
  process.stdout.write(shown(report, options));
  return report.ready ? exitCodes.ok : exitCodes.failed;
}

function shown(report: StatusReport, { json, watch }: StatusOptions): string {
  if (json !== true) return formatStatus(report, styleFor(process.stdout, process.env));
  return `${JSON.stringify(report, undefined, watch === true ? undefined : 2)}\n`;
}

function outdated({ code }: SatelliteError): string {
  return `The configuration cannot be used as it is now, or as this shell has it without the variables of the service; the satellite runs with what it has read [${code}]\n\n`;
}

function probe(report: StatusReport, mustBeReady: boolean): number {
  const [first = '', ...more] = reasonsAgainst(report).map((reason) => withoutControls(reason).replace(/\s+/g, ' '));
  const reason = `${first}${more.length === 0 ? '' : `, and ${more.length} more`}`;
  const isGood = mustBeReady ? report.ready : report.live;
  const life = report.live ? 'live' : 'not live';
  process.stdout.write(report.ready ? 'live, ready\n' : `${life}, not ready: ${reason}\n`);
  return isGood ? exitCodes.ok : exitCodes.failed;
}

/** A satellite that is not there may come; where nobody reads any more (`| head`), it ends. */
async function watch(options: StatusOptions, redactor: Redactor): Promise<number> {
  const abort = new AbortController();
  void stopSignal().then(() => abort.abort());
  const { stdout } = process;
  stdout.on('error', () => abort.abort());
  const clear = stdout.isTTY === true ? '\u001b[H\u001b[2J\u001b[3J' : '';
  while (!abort.signal.aborted) {
    const text = await whereabouts(options, redactor)
      .then(askForStatus)
      .then(
        (report) => shown(report, options),
        (thrown) => {
          const { code, message } = toSatelliteError(thrown);
          return options.json === true ? `${JSON.stringify({ code, error: message })}\n` : `${message} [${code}]\n`;
        },
      );
    stdout.write(`${clear}${text}`);
    await systemClock.sleep(watchIntervalMs, abort.signal).catch(() => undefined);
  }
  return exitCodes.ok;
}
