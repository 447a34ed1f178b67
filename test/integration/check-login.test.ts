import { describe, expect, test } from '@jest/globals';
import { checkWorld, everyStep, secrets, username } from './support/check-world.ts';

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
      'commit-source ok',
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
      const checked = await world.check();
      expect(checked.exitCode).toBe(77);
      expect(checked.step('login').detail).toContain('***');
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
