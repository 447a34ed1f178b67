import { expect, test } from '@jest/globals';
import { Accounts, usableAccounts } from '../../../src/bitbucket/accounts.ts';
import type { Credentials } from '../../../src/config/config.ts';
import { SatelliteError } from '../../../src/errors.ts';
import { integration } from '../crawl/integration.ts';

const basic = (username: string, password = 'secret'): Credentials => ({ kind: 'basic', username, password });
const of = (accounts: Accounts, url: string, ...allCredentials: Credentials[]) =>
  accounts.of({ ...integration({ url }), allCredentials });

test('integrations that come as the same user to the same server share a gate, whatever the path or the spelling', () => {
  const accounts = new Accounts();
  const [one] = of(accounts, 'https://bitbucket.example.org/one', basic('ada'));
  const [two] = of(accounts, 'https://BITBUCKET.example.org:443', basic('ADA', 'another'));
  expect(two?.gate).toBe(one?.gate);
  expect(two).not.toBe(one);
  expect(of(accounts, 'https://bitbucket.example.org', basic('ada'))[0]).toBe(one);
});

test('another server, another user and another token each have their own', () => {
  const accounts = new Accounts();
  const gates = [
    ...of(accounts, 'https://bitbucket.example.org', basic('ada'), basic('grace')),
    ...of(accounts, 'http://bitbucket.example.org', basic('ada')),
    ...of(accounts, 'https://bitbucket.example.com', basic('ada')),
    ...of(accounts, 'https://bitbucket.example.org', { kind: 'bearer', token: 'a' }, { kind: 'bearer', token: 'b' }),
  ].map(({ gate }) => gate);
  expect(new Set(gates).size).toBe(6);
});

test('the account with the shortest queue comes first, one that is paused last, and a refused one not at all', async () => {
  const accounts = of(new Accounts(), 'https://bitbucket.example.org', basic('ada'), basic('grace'));
  const [ada, grace] = accounts;
  expect(usableAccounts(accounts)).toEqual([ada, grace]);
  const busy = Promise.withResolvers<void>();
  const run = ada?.gate.run(() => busy.promise);
  expect(usableAccounts(accounts)).toEqual([grace, ada]);
  grace?.gate.pause(1_000, 0);
  expect(usableAccounts(accounts)).toEqual([ada, grace]);
  busy.resolve();
  await run;
  if (ada !== undefined) ada.refusal = new SatelliteError('refused', { code: 'X', kind: 'auth' });
  expect(usableAccounts(accounts)).toEqual([grace]);
  if (grace !== undefined) grace.refusal = new SatelliteError('refused', { code: 'X', kind: 'auth' });
  expect(usableAccounts(accounts)).toEqual([]);
  grace?.gate.close();
});

test('integrations that share a gate keep to the strictest of what is set for each, in whatever order they come', () => {
  const ada = { url: 'https://bitbucket.example.org', allCredentials: [basic('ada')] };
  const generous = { ...integration(ada), ...ada, id: '1', rateLimit: { maxInFlight: 20 } };
  const slow = { ...integration(ada), ...ada, id: '2', rateLimit: { maxInFlight: 5, requestsPerSecond: 1 } };
  const narrow = { ...integration(ada), ...ada, id: '3', rateLimit: { maxInFlight: 1, requestsPerSecond: 3 } };
  for (const order of [
    [generous, slow, narrow],
    [narrow, slow, generous],
  ]) {
    const accounts = new Accounts();
    const [gate] = order.flatMap((own) => accounts.of(own)).map((account) => account.gate);
    expect(gate).toMatchObject({ places: 1, requestsPerSecond: 1 });
  }
});
