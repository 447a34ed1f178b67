import { readdir } from 'node:fs/promises';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { closedPort, listen } from './network/servers.ts';
import { checkWorld, username } from './support/check-world.ts';

describe('Bitbucket', () => {
  test('that cannot be reached', async () => {
    await using world = await checkWorld({ integration: { url: `http://127.0.0.1:${await closedPort()}` } });
    const checked = await world.check();
    expect([checked.exitCode, checked.trouble]).toEqual([69, ['connection failed BITBUCKET_UNREACHABLE']]);
    expect(checked.step('connection', 'bitbucket').detail).toMatch(/^127\.0\.0\.1:\d+ refuses the connection$/);
    expect(checked.step('login')).toMatchObject({ status: 'skipped', detail: '“Connection” failed' });
  });

  test('whose name nobody knows', async () => {
    await using world = await checkWorld({ integration: { url: 'https://bitbucket.invalid' } });
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
    expect(checked.step('clock', 'bitbucket').detail).toMatch(/^this machine is \d\d seconds ahead of the server$/);
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
        metadata: {
          repos: ['PAY/repository-*', 'PAY/repository-55', 'repository-56'],
          branches: 'develp',
          backfill_days: 9_999,
        },
      },
    });
    const checked = await world.check();
    expect(world.bitbucket.requests.total).toBeLessThanOrEqual(30);
    expect(checked.step('get-repositories').detail).toBe('40 repositories and more visible');
    // The one is asked for by its address, the other cannot be.
    const trouble = ['repos warning NAME_NOT_CHECKED', 'branches warning NAME_NOT_FOUND'];
    expect([checked.exitCode, checked.trouble]).toEqual([0, trouble]);
    expect(checked.step('branches').detail).toMatch(
      /^develp: matches no branch in the [2-5] repositories looked at, of 40$/,
    );
  });
});
