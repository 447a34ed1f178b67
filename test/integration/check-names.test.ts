import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { ScratchRepository } from '../simulators/bitbucket/scratch-repository.ts';
import { checkWorld } from './support/check-world.ts';

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

describe('names in branches', () => {
  test('those that are there are found with a request, and cost none where they are not asked for', async () => {
    await using world = await checkWorld({ integration: { metadata: { branches: ['ma*', 'refs/heads/main'] } } });
    const checked = await world.check();
    expect([checked.exitCode, checked.trouble]).toEqual([0, []]);
    expect(checked.step('branches').detail).toBe('2 of 2 found: ma*, refs/heads/main');
    expect(world.bitbucket.requests.counts).toMatchObject({ branches: 1 });
    for (const metadata of [{ branches: 'all' }, { branches: ['develp'], fetch_commits: false }]) {
      await using other = await checkWorld({ integration: { metadata } });
      expect((await other.check()).steps('branches')).toEqual([]);
      expect(other.bitbucket.requests.counts).not.toHaveProperty('branches');
    }
  });

  test('those that no repository has are a warning with the nearest name', async () => {
    const metadata = { branches: ['main', '[main', 'nonexistent-branch'] };
    await using world = await checkWorld({ integration: { metadata } });
    const checked = await world.check();
    expect([checked.exitCode, checked.trouble]).toEqual([0, ['branches warning NAME_NOT_FOUND']]);
    expect(checked.step('branches')).toMatchObject({
      detail: '[main, nonexistent-branch: match no branch in the 3 repositories looked at, of 4',
      hint: 'Did you mean main?',
    });
    expect(world.bitbucket.requests.counts).toMatchObject({ branches: 4 });
  });

  test('a pattern is held against the beginnings of names, and a list that is cut is told', async () => {
    await using world = await checkWorld({
      bitbucket: { caps: { branches: 2 } },
      integration: { metadata: { branches: 'releese/*', repos: ['ledger'] } },
    });
    const ledger = new ScratchRepository(join(world.folder, 'ledger.git'));
    await ledger.commit(...['1', '2'].map((name) => ({ branch: `release/${name}`, from: 'main', files: { name } })));
    const checked = await world.check();
    expect(checked.step('branches')).toMatchObject({
      status: 'warning',
      detail:
        'releese/*: matches no branch in the 1 repository; of PAY/ledger only the branches that moved last were looked at',
      hint: 'Did you mean release/*?',
    });
    expect(world.bitbucket.requests.counts).toMatchObject({ branches: 1 });
  });

  test('in repositories none of which can be read, the step fails as the others do', async () => {
    await using world = await checkWorld({ integration: { metadata: { branches: 'develp', repos: 'ledger' } } });
    world.bitbucket.refuseRepository('PAY', 'ledger', 'permission401');
    expect((await world.check()).step('branches')).toMatchObject({ status: 'failed', code: 'BITBUCKET_FORBIDDEN' });
  });
});
