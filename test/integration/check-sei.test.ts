import { describe, expect, test } from '@jest/globals';
import { closedPort } from './network/servers.ts';
import { checkWorld, everyStep, secrets } from './support/check-world.ts';

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
