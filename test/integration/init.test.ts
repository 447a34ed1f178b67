import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, test } from '@jest/globals';
import { loadConfig } from '../../src/config/load.ts';
import {
  assertNoSecret,
  checkWorld,
  hasPseudoTerminals,
  program,
  satellite,
  secrets,
  username,
} from './support/check-world.ts';

const execute = promisify(execFile);

/** Both servers, and a folder of its own to write into. */
async function initWorld() {
  const world = await checkWorld();
  const folder = join(world.folder, 'fresh');
  await mkdir(folder);
  const flags = (changes: Readonly<Record<string, string | undefined>> = {}) =>
    Object.entries({
      '--tenant': world.sei.tenant,
      '--sei-url': world.sei.url,
      '--integration': '4711',
      '--bitbucket-url': world.bitbucket.url,
      '--username': username,
      ...changes,
    }).flatMap(([flag, value]) => (value === undefined ? [] : value === '' ? [flag] : [flag, value]));
  const env = { HARNESS_API_KEY: secrets.seiKey, BITBUCKET_API_KEY: secrets.password };
  return {
    ...world,
    folder,
    flags,
    env,
    out: join(folder, 'satellite.yml'),
    run: (args: readonly string[], options: { env?: NodeJS.ProcessEnv; stdin?: string } = {}) =>
      satellite(['init', ...args], { cwd: folder, env, ...options }),
    [Symbol.asyncDispose]: () => world[Symbol.asyncDispose](),
  };
}

async function load(path: string, env: NodeJS.ProcessEnv = {}) {
  return loadConfig({ path, cwd: '/', env, strict: true });
}

describe('with flags', () => {
  test('it tries the answers out, shows the lines, and writes a file that only its owner can read', async () => {
    await using world = await initWorld();
    const { exitCode, stdout, stderr } = await world.run(
      world.flags({ '--repos': 'ledger, WEB/*', '--data-dir': 'data' }),
    );
    expect([exitCode, stderr]).toEqual([0, '']);
    expect(stdout).toContain(`  ok   Configuration`);
    expect(stdout).toContain(`${world.out}, 1 integration`);
    expect(stdout).toMatch(/\n\d+ ok, 0 warnings, 0 failed, 0 left out in .*; exit code 0\n/);
    expect(stdout).toContain(
      `${world.out} is written, readable by you alone (mode 0600).\nNext: satellite run --config ${world.out}\n`,
    );
    expect(await readdir(world.folder)).toEqual(['satellite.yml']);
    expect((await stat(world.out)).mode & 0o777).toBe(0o600);

    const { config, warnings } = await load(world.out, world.env);
    expect(warnings).toEqual([]);
    expect(config).toMatchObject({
      satellite: {
        tenant: world.sei.tenant,
        apiKey: secrets.seiKey,
        url: world.sei.url,
        dataDir: join(world.folder, 'data'),
      },
      integrations: [
        {
          id: '4711',
          url: world.bitbucket.url,
          credentials: { kind: 'basic', username, password: secrets.password },
          metadata: { repos: ['ledger', 'WEB/*'], projects: [] },
        },
      ],
    });
    // The secrets stay where they are.
    assertNoSecret(await readFile(world.out, 'utf8'));
  });

  test('what it writes is what check and run take', async () => {
    await using world = await initWorld();
    await world.run([...world.flags(), '--no-check']);
    const checked = await satellite(['check', '--json'], { cwd: world.folder, env: world.env });
    expect(checked.exitCode).toBe(0);
  });

  test('secrets may be in files, and paths count from where it is started', async () => {
    await using world = await initWorld();
    await writeFile(join(world.folder, 'sei.key'), `${secrets.seiKey}\n`, { mode: 0o600 });
    await writeFile(join(world.folder, 'bitbucket.key'), `${secrets.password}\n`, { mode: 0o600 });
    await mkdir(join(world.folder, 'sub'));
    const files = { '--sei-key-file': 'sei.key', '--bitbucket-key-file': 'bitbucket.key', '--out': 'sub/config.yml' };
    const { exitCode } = await world.run(world.flags(files), { env: {} });
    expect(exitCode).toBe(0);
    const { config } = await load(join(world.folder, 'sub/config.yml'));
    expect([config.satellite.apiKey, config.integrations[0]?.credentials]).toEqual([
      secrets.seiKey,
      { kind: 'basic', username, password: secrets.password },
    ]);
  });

  test('secrets may come from stdin, and stand in the file as they are', async () => {
    await using world = await initWorld();
    // biome-ignore lint/suspicious/noTemplateCurlyInString: it looks like a reference to the environment and is none
    const odd = 'canary ${HOME} "quoted" \\ #: ü';
    const { exitCode } = await world.run([...world.flags({ '--secrets-stdin': '' }), '--no-check'], {
      env: {},
      stdin: `${secrets.seiKey}\n${odd}\n`,
    });
    expect(exitCode).toBe(0);
    const { config } = await load(world.out);
    expect([config.satellite.apiKey, config.integrations[0]?.credentials]).toEqual([
      secrets.seiKey,
      { kind: 'basic', username, password: odd },
    ]);
  });

  test('a token alone, another variable, and an authority', async () => {
    await using world = await initWorld();
    await writeFile(join(world.folder, 'ca.pem'), '-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n');
    const changes = {
      '--username': undefined,
      '--token-only': '',
      '--bitbucket-key-env': 'MY_TOKEN',
      '--bitbucket-ca-file': 'ca.pem',
      '--no-check': '',
    };
    // Where nothing is tried out, the variable need not be there yet.
    expect((await world.run(world.flags(changes))).exitCode).toBe(0);
    const { config } = await load(world.out, { ...world.env, MY_TOKEN: secrets.token });
    expect(config.integrations[0]).toMatchObject({
      credentials: { kind: 'bearer', token: secrets.token },
      tls: { caFile: join(world.folder, 'ca.pem') },
    });
  });

  test.each([
    ['/projects/PAY/repos/ledger/browse?at=main', { repos: ['PAY/ledger'], projects: [] }],
    ['/projects/pay', { repos: [], projects: ['PAY'] }],
    ['/rest/api/1.0/', { repos: [], projects: [] }],
    ['/dashboard', { repos: [], projects: [] }],
  ])('an address as it was pasted: %s', async (page, metadata) => {
    await using world = await initWorld();
    const changes = { '--bitbucket-url': `${world.bitbucket.url}${page}`, '--sei-url': `${world.sei.url}/v1/` };
    expect((await world.run(world.flags(changes))).exitCode).toBe(0);
    const { config } = await load(world.out, world.env);
    expect(config).toMatchObject({
      satellite: { url: world.sei.url },
      integrations: [{ url: world.bitbucket.url, metadata }],
    });
  });

  test('a login in the address is left out of the file, which is said', async () => {
    await using world = await initWorld();
    const url = world.bitbucket.url.replace('//', `//${username}:${encodeURIComponent(secrets.wrong)}@`);
    const { exitCode, stderr } = await world.run(world.flags({ '--bitbucket-url': url }));
    expect([exitCode, stderr]).toEqual([0, '  The user and the password in that address are not used.\n']);
    expect((await load(world.out, world.env)).config.integrations[0]?.url).toBe(world.bitbucket.url);
  });

  test('what is missing is named, all of it', async () => {
    await using world = await initWorld();
    const { exitCode, stdout, stderr } = await world.run(['--tenant', 'demo'], { env: {} });
    expect([exitCode, stdout]).toEqual([64, '']);
    expect(stderr).toBe(
      `There is no terminal to ask at, so these are needed too:
  --sei-url
  --sei-key-env or --sei-key-file (or HARNESS_API_KEY, or --secrets-stdin)
  --integration
  --bitbucket-url
  --username or --token-only
  --bitbucket-key-env or --bitbucket-key-file (or BITBUCKET_API_KEY, or --secrets-stdin)
`,
    );
    expect(await readdir(world.folder)).toEqual([]);
  });

  test.each([
    [
      '--bitbucket-url',
      'bitbucket.example.com',
      '--bitbucket-url: the scheme is missing. Did you mean https://bitbucket.example.com?',
    ],
    ['--bitbucket-url', 'https://bitbucket.org/team/repo', '--bitbucket-url: bitbucket.org is Bitbucket Cloud'],
    ['--sei-url', 'https://app.harness.io/ng/account', '--sei-url: a page of Harness, not its API'],
    ['--tenant', 'two words', '--tenant: '],
    ['--sei-key-env', 'not a name', 'The name of a variable'],
  ])('%s %s is refused', async (flag, value, message) => {
    await using world = await initWorld();
    const { exitCode, stderr } = await world.run(world.flags({ [flag]: value }));
    expect([exitCode, stderr]).toEqual([64, expect.stringContaining(message)]);
    expect(await readdir(world.folder)).toEqual([]);
  });

  test('what does not work is not written', async () => {
    await using world = await initWorld();
    const { exitCode, stdout, stderr } = await world.run(world.flags(), {
      env: { ...world.env, BITBUCKET_API_KEY: secrets.wrong },
    });
    expect(exitCode).toBe(77);
    expect(stdout).toContain('BITBUCKET_CREDENTIALS_REFUSED');
    expect(stderr).toContain(`${world.out} is not written.`);
    expect(await readdir(world.folder)).toEqual([]);
    expect(world.bitbucket.requests.total).toBe(1);
  });

  test('what the configuration does not allow is told by the line it would have', async () => {
    await using world = await initWorld();
    const { exitCode, stderr } = await world.run(world.flags({ '--bitbucket-ca-file': 'missing.pem' }));
    expect([exitCode, stderr]).toEqual([
      78,
      expect.stringMatching(/^satellite\.yml:\d+:\d+ integrations\[0\]\.tls\.ca_file: there is no such file\n/),
    ]);
    expect(stderr).not.toContain('draft');
    expect(await readdir(world.folder)).toEqual([]);
  });

  test('a file that is there stays, unless it is to be replaced', async () => {
    await using world = await initWorld();
    await writeFile(world.out, 'precious');
    await chmod(world.out, 0o644);
    const refused = await world.run(world.flags());
    expect([refused.exitCode, refused.stderr]).toEqual([78, expect.stringContaining('--force')]);
    expect(await readFile(world.out, 'utf8')).toBe('precious');
    expect(world.bitbucket.requests.total).toBe(0);

    expect((await world.run([...world.flags(), '--force'])).exitCode).toBe(0);
    expect((await stat(world.out)).mode & 0o777).toBe(0o600);
    expect(await readdir(world.folder)).toEqual(['satellite.yml']);
  });

  test('a folder that is not there', async () => {
    await using world = await initWorld();
    const { exitCode } = await world.run(world.flags({ '--out': 'missing/satellite.yml' }));
    expect(exitCode).toBe(74);
  });

  test('Ctrl-C in the middle of trying out leaves nothing behind', async () => {
    await using world = await initWorld();
    world.bitbucket.fault({ match: 'application-properties', hang: true });
    const child = spawn(process.execPath, [program, 'init', ...world.flags()], {
      cwd: world.folder,
      env: { PATH: process.env.PATH, ...world.env },
      detached: true,
      stdio: 'ignore',
    });
    const closed = once(child, 'close');
    while (world.bitbucket.requests.total === 0) await delay(20);
    expect(await readdir(world.folder)).toEqual([expect.stringMatching(/^\.satellite\.yml\.\w+\.draft$/)]);
    child.kill('SIGINT');
    expect(await closed).toEqual([130, null]);
    expect(await readdir(world.folder)).toEqual([]);
  });
});

interface Session {
  readonly screen: string;
  readonly stdout: string;
  readonly stderr: string;
  readonly code: number;
  readonly echoesAtTheEnd: boolean;
  readonly stepsLeft: number;
}

const pseudoTerminal = fileURLToPath(new URL('../unit/encryption/pseudo-terminal.py', import.meta.url));

(hasPseudoTerminals() ? describe : describe.skip)('at a terminal', () => {
  async function atTerminal(
    world: { folder: string },
    steps: readonly (readonly [string, string])[],
    args: readonly string[] = [],
    env: NodeJS.ProcessEnv = {},
  ): Promise<Session> {
    const command = [process.execPath, program, 'init', ...args];
    const { stdout } = await execute('python3', [pseudoTerminal, JSON.stringify(steps), ...command], {
      cwd: world.folder,
      env: { PATH: process.env.PATH, TERM: 'xterm', ...env },
      maxBuffer: 2 ** 24,
    });
    const session = JSON.parse(stdout) as Session;
    assertNoSecret(session.screen + session.stdout + session.stderr);
    return session;
  }

  const answers = (world: Awaited<ReturnType<typeof initWorld>>, password: string) =>
    [
      ['Harness account id: ', `${world.sei.tenant}\r`],
      ['URL of SEI [https://app.harness.io/gratis/sei/api]: ', `${world.sei.url}\r`],
      ['API key of SEI (not shown): ', `${secrets.seiKey}\r`],
      ['Id of the integration in SEI: ', '4711\r'],
      ['URL of Bitbucket, any page of it: ', `${world.bitbucket.url}/projects\r`],
      ['User of Bitbucket (only Enter: a token alone): ', `${username}\r`],
      ['Password or access token (not shown): ', `${password}\r`],
      ['Only these repositories, with commas (only Enter: all): ', '\r'],
    ] as const;

  test('it asks for everything, shows no secret, and writes them into the file', async () => {
    await using world = await initWorld();
    const session = await atTerminal(world, answers(world, secrets.password));
    expect(session).toMatchObject({ code: 0, stepsLeft: 0, echoesAtTheEnd: true });
    expect(session.stdout).toContain('0 failed');
    expect((await stat(world.out)).mode & 0o777).toBe(0o600);
    const { config, warnings } = await load(world.out);
    expect(warnings).toEqual([]);
    expect(config.satellite.apiKey).toBe(secrets.seiKey);
    expect(config.integrations[0]).toMatchObject({
      url: world.bitbucket.url,
      credentials: { kind: 'basic', username, password: secrets.password },
    });
  });

  test('an answer that cannot be used is asked for again', async () => {
    await using world = await initWorld();
    const useless: Readonly<Record<string, string>> = {
      'Harness account id: ': '\r',
      'URL of Bitbucket, any page of it: ': 'bitbucket\r',
    };
    const asked = answers(world, secrets.password).flatMap(([question, answer]) => {
      const first = useless[question];
      return [...(first === undefined ? [] : [[question, first] as const]), [question, answer] as const];
    });
    const session = await atTerminal(world, asked);
    expect(session).toMatchObject({ code: 0, stepsLeft: 0 });
    expect(session.stderr).toContain('  It is needed.\n');
    expect(session.stderr).toContain('  the scheme is missing. Did you mean https://bitbucket?\n');
  });

  test('it asks only for what no flag and no variable says', async () => {
    await using world = await initWorld();
    const steps = [
      [`API key of SEI (not shown); only Enter: \${HARNESS_API_KEY} from the environment: `, '\r'],
      [`Password or access token (not shown); only Enter: \${BITBUCKET_API_KEY} from the environment: `, '\r'],
    ] as const;
    const session = await atTerminal(world, steps, world.flags({ '--repos': 'shop' }), world.env);
    expect(session).toMatchObject({ code: 0, stepsLeft: 0 });
    // biome-ignore lint/suspicious/noTemplateCurlyInString: as it stands in the file
    expect(await readFile(world.out, 'utf8')).toContain('api_key: ${BITBUCKET_API_KEY}');
  });

  test.each([
    ['no', 77, []],
    ['yes', 0, ['satellite.yml']],
  ])('where something fails it asks whether to write all the same: %s', async (word, code, files) => {
    await using world = await initWorld();
    const steps = [...answers(world, secrets.wrong), ['all the same? (yes or no) [no]: ', `${word}\r`]] as const;
    const session = await atTerminal(world, steps);
    expect(session).toMatchObject({ code, stepsLeft: 0 });
    expect(await readdir(world.folder)).toEqual(files);
  });

  test.each([
    ['Ctrl-C at a question', 3, '\x03'],
    ['Ctrl-D at a question', 3, '\x04'],
    ['Ctrl-C at a secret', 2, 'half a sec\x03'],
  ])('%s ends it, with the terminal as it was', async (_name, index, typed) => {
    await using world = await initWorld();
    const asked = answers(world, secrets.password).slice(0, index + 1);
    const steps = asked.map((step, at) => (at === index ? ([step[0], typed] as const) : step));
    const session = await atTerminal(world, steps);
    expect(session).toMatchObject({ code: 130, stepsLeft: 0, echoesAtTheEnd: true });
    expect(session.stderr).toContain('Cancelled; nothing is written.');
    expect(await readdir(world.folder)).toEqual([]);
  });
});
