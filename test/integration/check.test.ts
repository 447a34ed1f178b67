import { mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, expect, test } from '@jest/globals';
import { Store } from '../../src/store/store.ts';
import { closedPort, listen } from './network/servers.ts';
import { checkWorld, credential, secrets, username } from './support/check-world.ts';

const everyStep = {
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
    'get-commits ok',
    'get-pull-requests ok',
    'more-repositories ok',
    'first-scan ok',
  ],
  sei: ['name-resolution ok', 'connection ok', 'sei ok', 'clock ok', 'key ok', 'tenant ok'],
  machine: ['data-directory ok', 'free-space ok', 'store ok'],
};

describe('where everything works', () => {
  test('every step is fine, and nothing is changed anywhere', async () => {
    await using world = await checkWorld();
    const before = await readdir(world.folder);
    const checked = await world.check();
    expect(checked.exitCode).toBe(0);
    expect(checked.outline()).toEqual(['config ok', ...Object.values(everyStep).flat()]);
    expect(checked.step('login').detail).toBe('satellite');
    expect(checked.step('version').detail).toBe('9.4.0');
    expect(checked.step('selection').detail).toBe('all 4 repositories');
    expect(checked.step('get-commits').detail).toBe('PAY/ledger: 28 in the last 7 days');

    expect(await readdir(world.folder)).toEqual(before);
    expect(world.bitbucket.requests.list.every(({ method }) => method === 'GET')).toBe(true);
    expect(world.bitbucket.requests.total).toBeLessThanOrEqual(30);
    expect(world.sei.requests).toMatchObject({ total: 1, list: 1 });
    expect(world.sei.agents()).toEqual([]);
    // That is how it stays unknown.
    expect(world.sei.violations).toEqual(['list: the agent has never been registered']);
  });

  test('without a terminal the lines are plain words', async () => {
    await using world = await checkWorld({ integration: { metadata: { repos: ['ledgr', 'shop'] } } });
    const { exitCode, stdout, stderr } = await world.run(['check'], { LANG: 'en_US.UTF-8' });
    expect([exitCode, stderr]).toEqual([78, '']);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: that is what is looked for
    expect(stdout).toMatch(/^[\x20-\x7e\n]*$/);
    expect(stdout).toContain(`\nBitbucket ${world.bitbucket.url}, integration 4711\n`);
    expect(stdout).toMatch(/\n {2}ok {3}Login +\d+ ms {2}satellite\n/);
    expect(stdout).toMatch(
      /\n {2}FAIL repos: ledgr +\d+ ms {2}matches nothing .*\[NAME_NOT_FOUND\]\n {7}-> Did you mean PAY\/ledger\?\n/,
    );
    expect(stdout).toMatch(/\n\d+ ok, 0 warnings, 1 failed, 0 left out in .*; exit code 78\n$/);
  });

  test('an estimate of the first scan is near to what a first scan takes', async () => {
    await using world = await checkWorld({ integration: { rate_limit: { requests_per_second: 10 } } });
    const checked = await world.check();
    const [, requests = '', seconds = ''] =
      /^about (\d+) requests in (\d+) seconds, at 10 a second \(rate_limit/.exec(
        checked.step('first-scan').detail ?? '',
      ) ?? [];
    expect(Number(seconds)).toBe(Math.round(Number(requests) / 10));

    world.bitbucket.resetRequests();
    const config = JSON.parse(await readFile(join(world.folder, 'satellite.yml'), 'utf8'));
    delete config.integrations[0].rate_limit;
    await writeFile(join(world.folder, 'satellite.yml'), JSON.stringify(config));
    const { exitCode } = await world.run(['scan', '--integration', '4711', '--out', join(world.folder, 'pages')]);
    expect(exitCode).toBe(0);
    const taken = world.bitbucket.requests.total;
    expect(Number(requests)).toBeGreaterThan(taken * 0.8);
    // The three repositories have the same commits here, so two thirds of the diffs are known when they are met.
    expect(Number(requests)).toBeLessThan(taken + 2 * 28 + 10);
  });

  test('with several integrations one can be picked', async () => {
    await using world = await checkWorld({
      integrations: (url) =>
        ['1', '2'].map((id) => ({ id, application: 'bitbucket_server', url, username, api_key: secrets.password })),
    });
    const both = await world.check();
    expect(both.steps('login').map(({ integration, status }) => [integration, status])).toEqual([
      ['1', 'ok'],
      ['2', 'ok'],
    ]);
    const one = await world.check(['--integration', '2']);
    expect(one.steps('login').map(({ integration }) => integration)).toEqual(['2']);
    const unknown = await world.check(['--integration', '3']);
    expect([unknown.exitCode, unknown.step('config')]).toMatchObject([
      78,
      { code: 'INTEGRATION_UNKNOWN', hint: 'It has 1, 2.' },
    ]);
  });
});

describe('the configuration', () => {
  test('that cannot be used leaves everything else out', async () => {
    await using world = await checkWorld({ integration: { url: 'bitbucket.example.com' } });
    const checked = await world.check();
    expect(checked.exitCode).toBe(78);
    expect(checked.outline()).toEqual(['config failed', 'bitbucket skipped', 'sei skipped', 'data-directory skipped']);
    expect(checked.step('config').detail).toContain('integrations[0].url: the scheme is missing');
    const { stdout } = await world.run(['check']);
    expect(stdout).toContain('the scheme is missing, did you mean https://bitbucket.example.com?');
    expect(stdout).toContain('left out: "Configuration" failed');
  });

  test('that has warnings shows them and goes on', async () => {
    await using world = await checkWorld({ integration: { metadata: { fetch_prz: true } } });
    const checked = await world.check();
    expect(checked.exitCode).toBe(0);
    expect(checked.trouble).toEqual(['config warning CONFIG_WARNING']);
    expect(checked.step('config').hint).toMatch(/fetch_prz: unknown key, did you mean fetch_prs\?$/);
  });
});

describe('the login at Bitbucket', () => {
  test('a wrong password is sent once, and everything after it is left out', async () => {
    await using world = await checkWorld({ integration: { api_key: secrets.wrong } });
    const checked = await world.check();
    expect(checked.exitCode).toBe(77);
    expect(world.bitbucket.requests.total).toBe(1);
    expect(checked.trouble).toEqual(['login failed BITBUCKET_CREDENTIALS_REFUSED']);
    expect(checked.outline('bitbucket').slice(2)).toEqual([
      'login failed',
      'version skipped',
      'clock ok',
      'get-projects skipped',
      'get-repositories skipped',
      'selection skipped',
      'rate-limit skipped',
      'get-commits skipped',
      'get-pull-requests skipped',
      'first-scan skipped',
    ]);
    expect(checked.step('get-projects').detail).toBe('“Login” failed');
    expect(checked.outline('sei')).toEqual(everyStep.sei);
  });

  test('a wrong password is sent once for two integrations as well', async () => {
    await using world = await checkWorld({
      integrations: (url) =>
        ['1', '2'].map((id) => ({ id, application: 'bitbucket_server', url, username, api_key: secrets.wrong })),
    });
    const checked = await world.check();
    expect([checked.exitCode, world.bitbucket.requests.total]).toEqual([77, 1]);
    expect(checked.steps('login')).toMatchObject([
      { integration: '1', status: 'failed' },
      { integration: '2', status: 'skipped', detail: 'Bitbucket has refused these credentials already' },
    ]);
  });

  test('what the server repeats of the credentials is masked', async () => {
    await using world = await checkWorld();
    const repeated = `${Buffer.from(`${username}:${secrets.password}`).toString('base64')} is ${secrets.password}`;
    const long = `${'x'.repeat(180)} ${secrets.password}`;
    for (const message of [repeated, long]) {
      const body = JSON.stringify({ errors: [{ message, exceptionName: null }] });
      const stop = world.bitbucket.fault({ match: 'application-properties', status: 401, body });
      const { exitCode, detail } = { ...(await world.check()), ...(await world.check()).step('login') };
      expect(exitCode ?? 77).toBe(77);
      expect(detail).toContain('***');
      stop();
    }
  });

  test('a CAPTCHA ends it too', async () => {
    await using world = await checkWorld();
    world.bitbucket.fault({
      match: /./,
      status: 403,
      body: JSON.stringify({
        errors: [
          { message: 'CAPTCHA', exceptionName: 'com.atlassian.bitbucket.auth.CaptchaRequiredAuthenticationException' },
        ],
      }),
    });
    const checked = await world.check();
    expect([checked.exitCode, checked.trouble]).toEqual([77, ['login failed BITBUCKET_CAPTCHA']]);
    expect(world.bitbucket.requests.total).toBe(1);
  });

  test('an answer without a user and without a repository is a stranger’s', async () => {
    await using world = await checkWorld();
    const empty = JSON.stringify({ size: 0, limit: 1000, isLastPage: true, values: [], start: 0 });
    world.bitbucket.fault({ match: 'application-properties', body: JSON.stringify({ version: '8.19.2' }) });
    world.bitbucket.fault({ match: 'projects', body: empty });
    world.bitbucket.fault({ match: 'repos', body: empty });
    const checked = await world.check();
    expect(checked.exitCode).toBe(77);
    expect(checked.trouble).toEqual(['login warning BITBUCKET_NO_USER', 'get-repositories failed BITBUCKET_ANONYMOUS']);
    expect(checked.step('get-commits')).toMatchObject({ status: 'skipped', detail: '“Get repositories” failed' });
    expect(checked.step('login').hint).toContain('Otherwise nobody is logged in');
  });

  test('a user that sees nothing is told so', async () => {
    await using world = await checkWorld({ bitbucket: { repositories: [] } });
    const checked = await world.check();
    expect([checked.exitCode, checked.trouble]).toEqual([77, ['get-repositories failed BITBUCKET_NOTHING_VISIBLE']]);
  });

  test('a project token has no user, which is said and is all right', async () => {
    await using world = await checkWorld({
      bitbucket: { credentials: [{ kind: 'bearer', token: secrets.token }] },
      integration: { username: undefined, api_key: undefined, token: secrets.token },
    });
    const checked = await world.check();
    expect([checked.exitCode, checked.trouble]).toEqual([0, ['login warning BITBUCKET_NO_USER']]);
    expect(checked.step('rate-limit').status).toBe('skipped');
  });

  test('of several credentials each is tried, and one that works is enough to read', async () => {
    await using world = await checkWorld({
      integration: {
        username: undefined,
        api_key: undefined,
        authentication: 'multiple_api_keys',
        keys: [
          { username: 'other', api_key: secrets.wrong },
          { username, api_key: secrets.password },
        ],
      },
    });
    const checked = await world.check();
    expect([checked.exitCode, checked.trouble]).toEqual([77, ['login failed BITBUCKET_CREDENTIALS_REFUSED']]);
    expect(checked.steps('login').map(({ title, status }) => [title, status])).toEqual([
      ['Login 1 of 2', 'failed'],
      ['Login 2 of 2', 'ok'],
    ]);
    expect(checked.step('first-scan').status).toBe('ok');
    expect(world.bitbucket.requests.list.filter(({ status }) => status === 401)).toHaveLength(1);
  });
});

describe('Bitbucket', () => {
  test('that cannot be reached', async () => {
    await using world = await checkWorld({ integration: { url: `http://127.0.0.1:${await closedPort()}` } });
    const checked = await world.check();
    expect([checked.exitCode, checked.trouble]).toEqual([69, ['connection failed BITBUCKET_UNREACHABLE']]);
    expect(checked.step('connection', 'bitbucket').detail).toMatch(/^127\.0\.0\.1:\d+ refuses the connection$/);
    expect(checked.step('login')).toMatchObject({ status: 'skipped', detail: '“Connection” failed' });
  });

  test('whose name nobody knows', async () => {
    await using world = await checkWorld({ integration: { url: 'http://bitbucket.invalid' } });
    const checked = await world.check();
    expect([checked.exitCode, checked.trouble]).toEqual([69, ['name-resolution failed BITBUCKET_NAME_UNKNOWN']]);
  });

  test.each([
    ['a wrong context path', 404, '<h1>HTTP Status 404</h1>', 78, 'BITBUCKET_URL_WRONG'],
    ['another application', 200, '{"status":"UP"}', 78, 'BITBUCKET_URL_WRONG'],
    ['a login page', 200, '<html>Sign in</html>', 69, 'BITBUCKET_ANSWER_UNREADABLE'],
    ['a server that fails', 503, '<h1>503</h1>', 69, 'BITBUCKET_SERVER_ERROR'],
    ['a server that is asked too much', 429, '', 69, 'BITBUCKET_THROTTLED'],
  ])('that is %s', async (_name, status, body, exitCode, code) => {
    const server = createServer((_request, response) => {
      response.writeHead(status, { 'retry-after': '3600' }).end(body);
    });
    await using other = await listen(server, '127.0.0.1');
    await using world = await checkWorld({ integration: { url: `http://127.0.0.1:${other.port}` } });
    const checked = await world.check();
    expect([checked.exitCode, checked.trouble]).toEqual([exitCode, [`login failed ${code}`]]);
    expect(checked.step('get-projects').status).toBe('skipped');
  });

  test.each([
    ['4.14.1', 'warning'],
    ['5.0.0', 'ok'],
    ['6.10.1', 'ok'],
    ['10.2.0', 'ok'],
    ['11.0.0', 'ok'],
  ])('of version %s: %s', async (version, status) => {
    await using world = await checkWorld({ bitbucket: { version } });
    const checked = await world.check();
    expect([checked.exitCode, checked.step('version').status]).toEqual([0, status]);
  });

  test('whose clock is off', async () => {
    await using world = await checkWorld();
    world.bitbucket.fault({
      match: 'application-properties',
      body: JSON.stringify({ version: '9.4.0' }),
      headers: { Date: new Date(Date.now() - 90_000).toUTCString(), 'X-AUSERNAME': username },
    });
    const checked = await world.check();
    expect([checked.exitCode, checked.trouble]).toEqual([0, ['clock warning CLOCK_SKEWED']]);
    expect(checked.step('clock', 'bitbucket').detail).toMatch(
      /^this machine is (89|90|91) seconds ahead of the server$/,
    );
    expect(checked.step('clock', 'sei').status).toBe('ok');
  });

  test('that shows a rate limit', async () => {
    const rateLimit = { capacity: 60, refillPerSecond: 5 };
    await using world = await checkWorld({ bitbucket: { rateLimit } });
    const checked = await world.check();
    expect(checked.step('rate-limit')).toMatchObject({ status: 'ok', detail: '60 requests at once, then 5 a second' });
    expect(checked.step('first-scan').detail).toContain('at 5 a second (the limit of Bitbucket)');
    expect(checked.exitCode).toBe(0);
  });

  test('that allows less than the file does', async () => {
    await using world = await checkWorld({
      bitbucket: { rateLimit: { capacity: 60, refillPerSecond: 5 } },
      integration: { rate_limit: { requests_per_second: 8 } },
    });
    const checked = await world.check();
    expect([checked.exitCode, checked.trouble]).toEqual([0, ['rate-limit warning RATE_ABOVE_LIMIT']]);
  });

  test('that closes one repository to the user', async () => {
    await using world = await checkWorld();
    const stop = world.bitbucket.refuseRepository('PAY', 'ledger', 'permission401');
    const first = await world.check();
    expect([first.exitCode, first.trouble]).toEqual([
      77,
      ['get-commits failed BITBUCKET_FORBIDDEN', 'get-pull-requests failed BITBUCKET_FORBIDDEN'],
    ]);
    expect(first.step('first-scan').status).toBe('ok');
    stop();
    world.bitbucket.refuseRepository('WEB', 'shop', 'scope403');
    const other = await world.check();
    expect([other.exitCode, other.trouble]).toEqual([77, ['more-repositories failed BITBUCKET_FORBIDDEN']]);
    expect(other.step('more-repositories').detail).toContain('1 of 3 cannot be read (WEB/shop)');
  });

  test('that is large is asked no more than thirty times', async () => {
    await using small = await checkWorld();
    const [one] = (await readdir(small.folder)).filter((name) => name === 'ledger.git');
    const gitDir = join(small.folder, one ?? '');
    await using world = await checkWorld({
      bitbucket: {
        repositories: Array.from({ length: 60 }, (_, index) => ({
          projectKey: 'PAY',
          slug: `repository-${index}`,
          gitDir,
        })),
        caps: { repositories: 5 },
      },
      integration: {
        metadata: { repos: ['PAY/repository-3', 'PAY/repository-55', 'repository-56'], backfill_days: 9_999 },
      },
    });
    const checked = await world.check();
    expect(world.bitbucket.requests.total).toBeLessThanOrEqual(30);
    expect(checked.step('get-repositories').detail).toBe('40 repositories and more to be seen');
    // The one is asked for by its address, the other cannot be.
    expect([checked.exitCode, checked.trouble]).toEqual([0, ['repos warning NAME_NOT_CHECKED']]);
  });
});

describe('names in repos and projects', () => {
  test.each([
    [{ repos: ['ledgr'] }, 'repos: ledgr', 'NAME_NOT_FOUND', 'Did you mean PAY/ledger?'],
    [{ repos: ['PAY/apigatway'] }, 'repos: PAY/apigatway', 'NAME_NOT_FOUND', 'Did you mean PAY/api-gateway?'],
    [{ repos: ['WEB'] }, 'repos: WEB', 'NAME_NOT_FOUND', 'WEB is a project: write it under projects.'],
    [
      { repos: ['PAY/xyz-*'] },
      'repos: PAY/xyz-*',
      'NAME_NOT_FOUND',
      'A pattern with * has to match the whole name, slug or KEY/slug.',
    ],
    [{ projects: ['payment'] }, 'projects: payment', 'NAME_NOT_FOUND', 'Did you mean Payments?'],
    [{ projects: ['shop'] }, 'projects: shop', 'NAME_NOT_FOUND', 'WEB/shop is a repository: write it under repos.'],
  ])('%j', async (metadata, title, code, hint) => {
    await using world = await checkWorld({ integration: { metadata } });
    const checked = await world.check();
    expect(checked.exitCode).toBe(78);
    expect(checked.report.steps.find((step) => step.title === title)).toMatchObject({ status: 'failed', code, hint });
    expect(checked.step('selection')).toMatchObject({ status: 'failed', code: 'SELECTION_EMPTY' });
    expect(checked.step('get-commits').status).toBe('skipped');
  });

  test('those that are right are found, whichever way they are written', async () => {
    const metadata = { repos: ['ledger', 'PAY/api-*', 'web/SHOP', 'nothing-like-it'], projects: ['Payments', 'WEB'] };
    await using world = await checkWorld({ integration: { metadata } });
    const checked = await world.check();
    expect(checked.steps('projects')).toMatchObject([{ status: 'ok', detail: '2 of 2 found: Payments, WEB' }]);
    expect(checked.steps('repos').map(({ title, status }) => [title, status])).toEqual([
      ['repos', 'ok'],
      ['repos: nothing-like-it', 'failed'],
    ]);
    expect(checked.step('selection').detail).toBe('3 repositories: PAY/ledger, PAY/api-gateway, WEB/shop');
  });

  test('one that is closed to the user is told from one that is not there', async () => {
    await using world = await checkWorld({ integration: { metadata: { repos: ['PAY/ledger', 'WEB/shop'] } } });
    world.bitbucket.refuseRepository('PAY', 'ledger', 'permission401', { listed: false });
    const checked = await world.check();
    expect([checked.exitCode, checked.trouble]).toEqual([77, ['repos failed BITBUCKET_FORBIDDEN']]);
  });

  test('one that was renamed is told with its new name', async () => {
    await using world = await checkWorld({ integration: { metadata: { repos: ['PAY/ledger', 'WEB/shop'] } } });
    world.bitbucket.renameRepository('PAY', 'ledger', 'PAY', 'general-ledger');
    const checked = await world.check();
    expect([checked.exitCode, checked.trouble]).toEqual([78, ['repos failed REPOSITORY_RENAMED']]);
    expect(checked.steps('repos')[1]).toMatchObject({ hint: 'Write PAY/general-ledger instead.' });
  });

  test('keys that exclude one another are told', async () => {
    const metadata = { repos: ['ledger'], projects: ['WEB'] };
    await using world = await checkWorld({ integration: { metadata } });
    const checked = await world.check();
    expect([checked.exitCode, checked.trouble]).toEqual([78, ['selection failed SELECTION_EMPTY']]);
  });
});

describe('SEI', () => {
  test('that does not know the key', async () => {
    await using world = await checkWorld({ satellite: { api_key: secrets.wrong } });
    const checked = await world.check();
    expect([checked.exitCode, checked.trouble]).toEqual([77, ['key failed SEI_KEY_REFUSED']]);
    expect(checked.step('tenant')).toMatchObject({ status: 'skipped', detail: '“API key” failed' });
    expect(world.sei.requests.total).toBe(1);
  });

  test('that has another tenant for the key', async () => {
    await using world = await checkWorld({ satellite: { tenant: 'anotherAcct' } });
    const checked = await world.check();
    expect([checked.exitCode, checked.trouble]).toEqual([77, ['tenant failed SEI_TENANT_REFUSED']]);
    expect(checked.step('key').status).toBe('ok');
    expect(world.sei.requests.total).toBe(1);
  });

  test.each([
    ['is somewhere else', { status: 404 }, 78, ['sei failed SEI_NOT_FOUND']],
    ['fails', { status: 502, body: '<h1>502</h1>' }, 69, ['sei failed SEI_SERVER_ERROR']],
    ['is a login page', { status: 200, body: '<html>' }, 69, ['sei failed SEI_ANSWER_UNREADABLE']],
    ['is another application', { status: 200, body: { status: 'UP' } }, 69, ['sei failed SEI_ANSWER_UNREADABLE']],
    ['does not know the agent, after key and tenant', { status: 409 }, 0, []],
  ])('that %s', async (_name, fault, exitCode, trouble) => {
    await using world = await checkWorld();
    world.sei.fault({ match: 'list', ...fault });
    const checked = await world.check();
    expect([checked.exitCode, checked.trouble]).toEqual([exitCode, trouble]);
  });

  test('that cannot be reached', async () => {
    await using world = await checkWorld({ satellite: { url: `http://127.0.0.1:${await closedPort()}` } });
    const checked = await world.check();
    expect([checked.exitCode, checked.trouble]).toEqual([69, ['connection failed SEI_UNREACHABLE']]);
    expect(checked.outline('machine')).toEqual(everyStep.machine);
  });
});

test('the first failure decides the exit code', async () => {
  await using world = await checkWorld({
    integration: { api_key: secrets.wrong },
    satellite: { url: `http://127.0.0.1:${await closedPort()}` },
  });
  const checked = await world.check();
  expect([checked.exitCode, checked.trouble]).toEqual([
    77,
    ['login failed BITBUCKET_CREDENTIALS_REFUSED', 'connection failed SEI_UNREACHABLE'],
  ]);
});

describe('the data directory', () => {
  test('that cannot be one', async () => {
    await using world = await checkWorld();
    await writeFile(world.dataDir, 'a file');
    const checked = await world.check();
    expect([checked.exitCode, checked.trouble]).toEqual([78, ['data-directory failed DATA_DIR_UNUSABLE']]);
    expect(checked.outline('machine')).toEqual(['data-directory failed', 'free-space skipped', 'store skipped']);
  });

  test('whose parent is no folder', async () => {
    await using world = await checkWorld({ satellite: { data_dir: '/dev/null/satellite' } });
    const checked = await world.check();
    expect([checked.exitCode, checked.step('data-directory').detail]).toEqual([
      78,
      '/dev/null/satellite cannot be written: a part of the path is a file',
    ]);
  });

  test('on a file system that takes nothing', async () => {
    await using world = await checkWorld({ satellite: { data_dir: '/proc/1' } });
    const checked = await world.check();
    expect([checked.exitCode, checked.trouble]).toEqual([78, ['data-directory failed DATA_DIR_UNUSABLE']]);
  });

  test('in which a satellite is running is left as it is', async () => {
    await using world = await checkWorld();
    await mkdir(world.dataDir);
    const path = join(world.dataDir, 'satellite.db');
    const store = new Store(path);
    const agentId = store.agentId();
    const before = await snapshot(world.dataDir);
    const checked = await world.check();
    expect([checked.exitCode, checked.trouble]).toEqual([0, ['store warning STORE_IN_USE']]);
    expect(checked.step('store').detail).toMatch(new RegExp(`^in use by process ${process.pid} on `));
    expect(await snapshot(world.dataDir)).toEqual(before);
    expect(store.agentId()).toBe(agentId);
    store.close();

    // And so is one that was left behind by a satellite that has ended.
    const after = await snapshot(world.dataDir);
    const free = await world.check();
    expect([free.exitCode, free.step('store').detail]).toEqual([0, `${path} can be used`]);
    expect(await snapshot(world.dataDir)).toEqual(after);
  });

  test.each([
    ['of a newer satellite', 'STORE_TOO_NEW'],
    ['that is damaged', 'STORE_DAMAGED'],
  ])('with a store %s', async (name, code) => {
    await using world = await checkWorld();
    await mkdir(world.dataDir);
    const path = join(world.dataDir, 'satellite.db');
    if (name === 'that is damaged') await writeFile(path, 'this is no database, whatever its name says. '.repeat(100));
    else {
      using database = new DatabaseSync(path);
      database.exec('PRAGMA user_version = 999');
    }
    const checked = await world.check();
    expect([checked.exitCode, checked.trouble]).toEqual([78, [`store failed ${code}`]]);
  });
});

/** Name, size and time of change of every file. */
async function snapshot(folder: string): Promise<unknown[]> {
  const names = (await readdir(folder)).sort();
  return Promise.all(
    names.map(async (name) => {
      const { size, mtimeMs } = await stat(join(folder, name));
      return [name, size, mtimeMs];
    }),
  );
}

test('the default credential of these tests is the one that the simulator knows', () => {
  expect(credential.password).toBe(secrets.password);
});
