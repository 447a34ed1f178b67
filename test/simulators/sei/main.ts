import { parseArgs } from 'node:util';
import { startSeiSimulator } from './simulator.ts';

const usage = `npm run sim:sei -- [--port N] [--integration ID] [--job full | --from ISO-DATE] [--repositories]

Plays Harness SEI on loopback until it is stopped. Prints what satellite.yml needs, then what happens to jobs and
every deviation from the protocol. With --job full or --from, one job waits for the satellite.
`;

const { values } = parseArgs({
  options: {
    port: { type: 'string' },
    integration: { type: 'string', default: '4711' },
    job: { type: 'string' },
    from: { type: 'string' },
    repositories: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

function refuse(problem: string): never {
  process.stderr.write(`${problem}\n\n${usage}`);
  process.exit(64);
}

async function main(): Promise<void> {
  if (values.help) return void process.stdout.write(usage);
  const port = Number(values.port ?? 0);
  const from = values.from === undefined ? undefined : Date.parse(values.from);
  if (!Number.isInteger(port) || port < 0 || port > 65_535) refuse(`--port ${values.port} is not a port`);
  if (Number.isNaN(from)) refuse(`--from ${values.from} is not a date`);
  if (values.job !== undefined && values.job !== 'full') refuse(`--job ${values.job}: only full is known`);

  const simulator = await startSeiSimulator({ port, onViolation: (text) => say(`violation  ${text}`) });
  say(`url        ${simulator.url}`);
  say(`tenant     ${simulator.tenant}`);
  say(`api_key    ${simulator.apiKey}`);

  simulator.onJobChange(({ jobId, status, failures, exception }) => {
    const trouble = exception === undefined ? '' : `: ${exception.message}`;
    const partial = failures.length === 0 ? '' : `, ${failures.length} failures`;
    say(`job        ${jobId} ${status}${partial}${trouble}`);
    if (status !== 'SUCCESS') return;
    const { commits, pullRequests, tags, repositories } = simulator.ingested(jobId);
    say(
      `ingested   ${commits.length} commits, ${pullRequests.length} pull requests, ` +
        `${tags.length} tags, ${repositories.length} repositories`,
    );
  });
  if (values.job !== undefined || from !== undefined) {
    const range = from === undefined ? {} : { from, to: Date.now() };
    const jobId = simulator.addJob({
      integrationId: values.integration,
      shouldFetchRepos: values.repositories,
      ...range,
    });
    say(`waiting    job ${jobId} of integration ${values.integration}`);
  }
  const stop = () => {
    say(`requests   ${JSON.stringify(simulator.requests)}`);
    void simulator.close();
  };
  process.once('SIGINT', stop);
  process.once('SIGTERM', stop);
}

await main();
