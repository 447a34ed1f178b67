import { once } from 'node:events';
import { parseArgs } from 'node:util';
import { type RepositoryOptions, settingsOf } from './options.ts';
import { startBitbucketSimulator } from './simulator.ts';

const usage = `Usage: npm run sim:bitbucket -- [--port N] [--latency MS] KEY/slug=path/to/repo.git ...

Answers as a Bitbucket Data Center would, out of the git repositories named. Ends on SIGINT or SIGTERM.
`;

const exitUsage = 64;

function parseRepository(argument: string): RepositoryOptions {
  const [, projectKey, slug, gitDir] = /^([^/=]+)\/([^/=]+)=(.+)$/.exec(argument) ?? [];
  if (!projectKey || !slug || !gitDir) throw new Error(`'${argument}' is not of the form KEY/slug=path`);
  return { projectKey, slug, gitDir };
}

function parseNumber(name: string, text: string): number {
  if (!/^\d+$/.test(text)) throw new Error(`--${name} has to be a number, not '${text}'`);
  return Number(text);
}

function parseCommandLine(args: string[]) {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: { port: { type: 'string', default: '0' }, latency: { type: 'string', default: '0' } },
  });
  if (positionals.length === 0) throw new Error('Name at least one repository');
  return {
    repositories: positionals.map(parseRepository),
    port: parseNumber('port', values.port),
    latencyMs: parseNumber('latency', values.latency),
  };
}

async function main(): Promise<void> {
  let options: ReturnType<typeof parseCommandLine>;
  try {
    options = parseCommandLine(process.argv.slice(2));
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : error}\n\n${usage}`);
    process.exitCode = exitUsage;
    return;
  }
  const credentials = { kind: 'basic', username: 'satellite', password: 'simulator' } as const;
  await using simulator = await startBitbucketSimulator({ ...options, credentials: [credentials] });
  const { username, password } = credentials;
  process.stdout.write(`Bitbucket simulator ${settingsOf(options).version} at ${simulator.url}
Sign in with ${username} / ${password}. For satellite.yml:

integrations:
  - id: "4711"
    application: bitbucket_server
    url: ${simulator.url}
    username: ${username}
    api_key: ${password}
    metadata:
      fetch_commits: true
      fetch_commit_files: true
      fetch_prs: true
      fetch_pr_reviews: true
`);
  await Promise.race([once(process, 'SIGINT'), once(process, 'SIGTERM')]);
}

await main();
