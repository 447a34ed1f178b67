import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { closedPort } from './network/servers.ts';
import { checkWorld, everyStep, hasPseudoTerminals, secrets, username } from './support/check-world.ts';

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

  test('it says what the source of commits leaves on the disk, and where git is missing', async () => {
    await using world = await checkWorld();
    const byRest = await world.check();
    expect(byRest.step('commit-source').detail).toBe('rest: the line counts of each commit are stored, and no source');
    await using other = await checkWorld({ integration: { metadata: { commit_source: 'git', keep_clones: false } } });
    const byGit = await other.check();
    expect(byGit.step('commit-source').detail).toMatch(
      /^git 2\.\d+\S*: a bare clone of each repository, source included, is stored while it is read in \/.*\/clones; nothing of it is sent$/,
    );
    const without = await other.check([], { PATH: '/nonexistent' });
    expect(without.trouble).toEqual(['commit-source warning GIT_UNAVAILABLE']);
    expect(without.exitCode).toBe(0);
  });

  test('without a terminal the lines are plain words', async () => {
    await using world = await checkWorld({ integration: { metadata: { repos: ['ledgr', 'shop'] } } });
    const { exitCode, stdout, stderr } = await world.run(['check'], { LANG: 'en_US.UTF-8' });
    expect([exitCode, stderr]).toEqual([78, '']);
    expect(stdout).toMatch(/^[\x20-\x7e\n]*$/);
    expect(stdout).toContain(`\nBitbucket ${world.bitbucket.url}, integration 4711\n`);
    expect(stdout).toMatch(/\n {2}ok {3}Login +\d+ ms {2}satellite\n/);
    expect(stdout).toMatch(
      /\n {2}FAIL repos: ledgr +\d+ ms {2}matches nothing .*\[NAME_NOT_FOUND\]\n {7}-> Did you mean PAY\/ledger\?\n/,
    );
    expect(stdout).toMatch(/\n\d+ ok, 0 warnings, 1 failed, 0 left out in .*; exit code 78\n$/);
  });

  test('at a terminal they have signs and colours, as far as it can show them', async () => {
    if (!hasPseudoTerminals()) return;
    await using world = await checkWorld({ integration: { metadata: { repos: ['ledgr', 'shop'] } } });
    const shown = await world.atTerminal(['check'], { LANG: 'en_US.UTF-8' });
    expect(shown).toContain('<ESC>[32m✓<ESC>[0m Login');
    expect(shown).toContain('<ESC>[31m✗<ESC>[0m repos: ledgr');
    expect(shown).toContain('→ Did you mean PAY/ledger?');
    const elsewhere = await world.atTerminal(['check'], { LC_ALL: 'C' });
    expect(elsewhere).toContain('<ESC>[32mok  <ESC>[0m Login');
    expect(elsewhere).not.toMatch(/[✓✗→“”]/);
    const plain = await world.atTerminal(['check'], { LANG: 'en_US.UTF-8', NO_COLOR: '1' });
    expect(plain).toContain('  ok   Login');
    expect(plain).not.toMatch(/<ESC>|[✓✗→“”]/);
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
