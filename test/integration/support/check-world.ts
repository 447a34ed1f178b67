import { execFile, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { Ajv } from 'ajv';
import type { Step } from '../../../src/check/step.ts';
import type { SimulatorOptions } from '../../simulators/bitbucket/options.ts';
import { ScratchRepository } from '../../simulators/bitbucket/scratch-repository.ts';
import { startBitbucketSimulator } from '../../simulators/bitbucket/simulator.ts';
import { startSeiSimulator } from '../../simulators/sei/simulator.ts';
import { temporaryFolder } from './main-job.ts';

const execute = promisify(execFile);
export const program = fileURLToPath(new URL('../../../src/main.ts', import.meta.url));

/** Nowhere in any output, in no form. */
export const secrets = {
  seiKey: 'canary-sei-key-51f0c2',
  password: 'canary & <pass> "word" 77ab',
  wrong: 'canary-wrong-9e1d',
  token: 'canary-token-40c2',
  proxyPassword: 'canary:proxy/pa55',
};

export const username = 'satellite';
const credential = { kind: 'basic', username, password: secrets.password } as const;

/** What every step of each leg comes to where everything works. */
export const everyStep = {
  bitbucket: [
    'name-resolution ok',
    'connection ok',
    'login ok',
    'version ok',
    'clock ok',
    'get-projects ok',
    'get-repositories ok',
    'selection ok',
    'rate-limit ok',
    'commit-source ok',
    'get-commits ok',
    'get-pull-requests ok',
    'more-repositories ok',
    'first-scan ok',
  ],
  sei: ['name-resolution ok', 'connection ok', 'sei ok', 'clock ok', 'key ok', 'tenant ok'],
  machine: ['data-directory ok', 'free-space ok', 'store ok'],
};

export interface Report {
  readonly ok: boolean;
  readonly exitCode: number;
  readonly steps: readonly Step[];
}

/** Says why a test is skipped where it is. */
export function hasPseudoTerminals(): boolean {
  try {
    execFileSync('python3', ['-c', 'import pty, termios'], { stdio: 'ignore' });
    return true;
  } catch {
    process.stderr.write('skipped: the program at a real terminal, because there is no python3 with pty\n');
    return false;
  }
}

export interface Finished {
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** The program as an operator starts it, without a terminal, and without what the machine has in its environment. */
export async function satellite(
  args: readonly string[],
  options: { readonly cwd: string; readonly env?: NodeJS.ProcessEnv; readonly stdin?: string },
): Promise<Finished> {
  const child = spawn(process.execPath, [program, ...args], {
    cwd: options.cwd,
    env: { PATH: process.env.PATH, ...options.env },
    // A session of its own: no terminal, whoever runs the tests.
    detached: true,
  });
  const output = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const) {
    child[name].setEncoding('utf8').on('data', (text: string) => {
      output[name] += text;
    });
  }
  child.stdin.on('error', () => undefined);
  child.stdin.end(options.stdin ?? '');
  const [exitCode] = (await once(child, 'close')) as [number | null];
  assertNoSecret(output.stdout + output.stderr);
  return { exitCode, ...output };
}

export function assertNoSecret(text: string): void {
  for (const secret of Object.values(secrets)) {
    const base64 = Buffer.from(secret).toString('base64');
    const login = Buffer.from(`${username}:${secret}`).toString('base64');
    for (const form of [secret, base64, login, encodeURIComponent(secret), secret.slice(0, 12)]) {
      if (text.includes(form)) throw new Error(`a secret is shown in:\n${text}`);
    }
  }
}

const validateReport = new Ajv().compile<Report>(
  JSON.parse(await readFile(new URL('../../../schemas/check.schema.json', import.meta.url), 'utf8')),
);

/** Two repositories with commits and pull requests, an empty one, and one of another project. */
async function repositories(folder: string) {
  const ledger = await ScratchRepository.create(join(folder, 'ledger.git'));
  const nowSeconds = Math.floor(Date.now() / 1000);
  // One every six hours for ten days: 28 of the 40 are in the last seven days.
  await ledger.commit(
    ...Array.from({ length: 40 }, (_, index) => ({
      branch: 'main',
      at: nowSeconds - (39 - index) * 6 * 3600 - 60,
      files: { [`file-${index}`]: `${index}\n` },
    })),
  );
  const empty = await ScratchRepository.create(join(folder, 'empty.git'));
  return [
    { projectKey: 'PAY', projectName: 'Payments', slug: 'ledger', name: 'Ledger', gitDir: ledger.gitDir },
    { projectKey: 'PAY', slug: 'api-gateway', gitDir: ledger.gitDir },
    { projectKey: 'PAY', slug: 'empty', gitDir: empty.gitDir },
    { projectKey: 'WEB', projectName: 'Web Shop', slug: 'shop', gitDir: ledger.gitDir },
  ];
}

export interface WorldOptions {
  readonly bitbucket?: Partial<SimulatorOptions>;
  /** Laid over the one integration; `undefined` takes a key away. */
  readonly integration?: object;
  readonly satellite?: object;
  /** In place of the one integration. */
  readonly integrations?: (url: string) => object[];
}

/** Both simulators, a folder with a configuration, and checks of it. */
export async function checkWorld(options: WorldOptions = {}) {
  const folder = await temporaryFolder();
  const bitbucket = await startBitbucketSimulator({
    repositories: await repositories(folder.path),
    credentials: [credential],
    ...options.bitbucket,
  });
  const sei = await startSeiSimulator({ apiKey: secrets.seiKey });
  const integration = {
    id: '4711',
    application: 'bitbucket_server',
    url: bitbucket.url,
    username,
    api_key: secrets.password,
    ...options.integration,
  };
  const dataDir = join(folder.path, 'data');
  const config = {
    satellite: { tenant: sei.tenant, api_key: secrets.seiKey, url: sei.url, data_dir: dataDir, ...options.satellite },
    integrations: options.integrations?.(bitbucket.url) ?? [integration],
  };
  await writeFile(join(folder.path, 'satellite.yml'), JSON.stringify(config), { mode: 0o600 });

  const run = (args: readonly string[], env?: NodeJS.ProcessEnv) =>
    satellite(args, { cwd: folder.path, ...(env === undefined ? {} : { env }) });
  return {
    bitbucket,
    sei,
    folder: folder.path,
    dataDir,
    run,
    /** What it shows where its standard output is a terminal; escape characters are spelled out. */
    async atTerminal(args: readonly string[], env: NodeJS.ProcessEnv): Promise<string> {
      const command = [process.execPath, program, ...args];
      const { stdout } = await execute('python3', ['-c', 'import pty, sys; pty.spawn(sys.argv[1:])', ...command], {
        cwd: folder.path,
        env: { PATH: process.env.PATH, TERM: 'xterm', ...env },
      });
      assertNoSecret(stdout);
      return stdout.replaceAll('\u001b', '<ESC>');
    },
    /** `check --json`: what it prints, which has to be as the schema says and to agree with the exit code. */
    async check(args: readonly string[] = [], env?: NodeJS.ProcessEnv) {
      const { exitCode, stdout, stderr } = await run(['check', '--json', ...args], env);
      const report: unknown = JSON.parse(stdout);
      if (!validateReport(report)) throw new Error(`not as the schema says: ${JSON.stringify(validateReport.errors)}`);
      if (report.exitCode !== exitCode || report.ok !== (exitCode === 0) || stderr !== '') {
        throw new Error(`exit code ${exitCode}, stderr ${stderr}, but ${stdout}`);
      }
      return new Checked(report);
    },
    async [Symbol.asyncDispose]() {
      await bitbucket.close();
      await sei.close();
      await folder.remove();
    },
  };
}

class Checked {
  readonly report: Report;

  constructor(report: Report) {
    this.report = report;
  }

  get exitCode(): number {
    return this.report.exitCode;
  }

  /** `id status` of each step of a leg, in order. */
  outline(leg?: Step['leg']): string[] {
    return this.report.steps
      .filter((step) => leg === undefined || step.leg === leg)
      .map(({ id, status }) => `${id} ${status}`);
  }

  /** All steps of that kind. */
  steps(id: string, leg?: Step['leg']): Step[] {
    return this.report.steps.filter((step) => step.id === id && (leg === undefined || step.leg === leg));
  }

  step(id: string, leg?: Step['leg']): Step {
    const [step] = this.steps(id, leg);
    if (step === undefined) throw new Error(`no step ${id} in ${JSON.stringify(this.report)}`);
    return step;
  }

  /** Those that are not fine. */
  get trouble(): string[] {
    return this.report.steps
      .filter(({ status }) => status === 'failed' || status === 'warning')
      .map(({ id, status, code }) => `${id} ${status} ${code}`);
  }
}
