import { expect, test } from '@jest/globals';
import { Accounts, chooseAccount } from '../../../src/bitbucket/accounts.ts';
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

test('a request goes to the account with room, never to a refused one', async () => {
  const accounts = of(new Accounts(), 'https://bitbucket.example.org', basic('ada'), basic('grace'));
  const [ada, grace] = accounts;
  expect(chooseAccount(accounts)).toBe(ada);
  const busy = Promise.withResolvers<void>();
  const run = ada?.gate.run(() => busy.promise);
  expect(chooseAccount(accounts)).toBe(grace);
  grace?.gate.pause(1_000, 0);
  expect(chooseAccount(accounts)).toBe(ada);
  busy.resolve();
  await run;
  if (ada !== undefined) ada.refusal = new SatelliteError('refused', { code: 'X', kind: 'auth' });
  expect(chooseAccount(accounts)).toBe(grace);
  if (grace !== undefined) grace.refusal = new SatelliteError('refused', { code: 'X', kind: 'auth' });
  expect(chooseAccount(accounts)).toBeUndefined();
  grace?.gate.close();
});
