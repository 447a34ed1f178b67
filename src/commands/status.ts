import { get } from 'node:http';
import { type Command, Option } from 'commander';
import { systemClock } from '../clock.ts';
import type { ListenAddress } from '../config/config.ts';
import { SatelliteError } from '../errors.ts';
import { withoutControls } from '../ops/plain-text.ts';
import type { Redactor } from '../ops/redact.ts';
import { reasonsAgainst, type StatusReport } from '../ops/status-report.ts';
import { styleFor } from './check-display.ts';
import { commandLine } from './command-line.ts';
import { exitCodes } from './exit-code.ts';
import { addHelpSections, configEnvironment } from './help.ts';
import { type ConfigOption, configOption, load } from './load.ts';
import { formatStatus } from './status-display.ts';
import { stopSignal } from './stop-signal.ts';

interface StatusOptions extends ConfigOption {
  readonly json?: boolean;
  readonly watch?: boolean;
  /** True: named without a value. */
  readonly probe?: 'live' | 'ready' | true;
}

/** Less than any probe waits. */
const timeoutMs = 4_000;
const watchIntervalMs = 2_000;
/** More than a status of the largest instance. */
const maxAnswerBytes = 4 * 2 ** 20;

export function registerStatus(program: Command, redactor: Redactor): void {
  const command = program
    .command('status')
    .description('how the running satellite is: what works, what it does, what fails')
    .option(...configOption)
    .option('--json', 'print what /status.json says (schemas/status.schema.json)')
    .option('--watch', 'show it anew every two seconds, until Ctrl-C')
    .addOption(
      new Option('--probe [what]', 'one line; 0 where it is live (default), or ready').choices(['live', 'ready']),
    )
    .action(async (options: StatusOptions) => {
      process.exitCode = await status(options, redactor);
    });
  addHelpSections(command, {
    notes: `
It asks the running process at satellite.listen of the same configuration, and nobody else. --probe is for the health
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
  const { config } = await load(options, redactor);
  const address = config.satellite.listen;
  if (address === undefined) throw listenIsOff();
  if (options.probe !== undefined) return probe(address, options.probe === 'ready');
  if (options.watch === true) return watch(address);
  const report = await ask(address);
  if (options.json === true) process.stdout.write(`${JSON.stringify(report, undefined, 2)}\n`);
  else process.stdout.write(formatStatus(report, styleFor(process.stdout, process.env)));
  return report.ready ? exitCodes.ok : exitCodes.failed;
}

async function probe(address: ListenAddress, mustBeReady: boolean): Promise<number> {
  const report = await ask(address);
  const [first = '', ...more] = reasonsAgainst(report).map((reason) => withoutControls(reason).replace(/\s+/g, ' '));
  const reason = `${first}${more.length === 0 ? '' : `, and ${more.length} more`}`;
  const isGood = mustBeReady ? report.ready : report.live;
  const life = report.live ? 'live' : 'not live';
  process.stdout.write(report.ready ? 'live, ready\n' : `${life}, not ready: ${reason}\n`);
  return isGood ? exitCodes.ok : exitCodes.failed;
}

/** A satellite that is not there may come. */
async function watch(address: ListenAddress): Promise<number> {
  const abort = new AbortController();
  void stopSignal().then(() => abort.abort());
  const { stdout } = process;
  const style = styleFor(stdout, process.env);
  const clear = stdout.isTTY === true ? '\u001b[H\u001b[2J\u001b[3J' : '';
  while (!abort.signal.aborted) {
    const text = await ask(address).then(
      (report) => formatStatus(report, style),
      (error: SatelliteError) => `${error.message}\n`,
    );
    stdout.write(`${clear}${text}`);
    await systemClock.sleep(watchIntervalMs, abort.signal).catch(() => undefined);
  }
  return exitCodes.ok;
}

/** @throws SatelliteError `STATUS_UNREACHABLE` */
function ask(address: ListenAddress): Promise<StatusReport> {
  const { host, port } = reachable(address);
  return new Promise((resolve, reject) => {
    const fail = (reason: string) => reject(unreachable(address, reason));
    const signal = AbortSignal.timeout(timeoutMs);
    const request = get({ host, port, path: '/status.json', agent: false, signal }, (response) => {
      let body = '';
      response.setEncoding('utf8').on('data', (text: string) => {
        body += text;
        if (body.length > maxAnswerBytes) request.destroy(new Error('the answer is too long'));
      });
      response.on('error', (error) => fail(error.message));
      response.on('end', () => {
        const report = response.statusCode === 200 ? parsed(body) : undefined;
        if (report === undefined) fail('what answers there is no satellite');
        else resolve(report);
      });
    });
    request.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'ECONNREFUSED') fail('nothing listens there');
      else fail(signal.aborted ? `no answer within ${timeoutMs / 1000} s` : error.message);
    });
  });
}

/** Where everything is listened on, this machine is asked. */
function reachable({ host, port }: ListenAddress): ListenAddress {
  if (host === '0.0.0.0') return { host: '127.0.0.1', port };
  return { host: host === '::' ? '::1' : host, port };
}

function parsed(body: string): StatusReport | undefined {
  try {
    const report = JSON.parse(body) as Partial<StatusReport> | null;
    return typeof report?.live === 'boolean' && Array.isArray(report.parts) ? (report as StatusReport) : undefined;
  } catch {
    return undefined;
  }
}

function unreachable({ host, port }: ListenAddress, reason: string): SatelliteError {
  return new SatelliteError(`No satellite answers at ${host}:${port} (satellite.listen): ${reason}`, {
    code: 'STATUS_UNREACHABLE',
    kind: 'retryable',
    hint: 'Is it running, on this machine, with this configuration? `satellite run --once` and `scan` do not listen.',
  });
}

function listenIsOff(): SatelliteError {
  return new SatelliteError('satellite.listen is off: the running satellite cannot be asked', {
    code: 'LISTEN_OFF',
    kind: 'config',
    hint: 'Take `listen: off` out of the configuration and restart the satellite, or turn off the health check that asks.',
  });
}
