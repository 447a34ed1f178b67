import { describe, expect, test } from '@jest/globals';
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
