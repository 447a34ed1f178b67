import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, expect, jest, test } from '@jest/globals';
import { type Account, soleAccount } from '../../../src/bitbucket/accounts.ts';
import { obeyAllowedRates } from '../../../src/bitbucket/allowed-rate.ts';
import { Bitbucket } from '../../../src/bitbucket/bitbucket.ts';
import { BitbucketClient } from '../../../src/bitbucket/client.ts';
import { Gate } from '../../../src/bitbucket/gate.ts';
import { FakeClock } from '../crawl/fake-clock.ts';
import { integration } from '../crawl/integration.ts';

const hourMs = 3_600_000;

// Only timers: sockets and the event loop go on as they are.
beforeEach(() => {
  jest.useFakeTimers({
    doNotFake: ['nextTick', 'setImmediate', 'clearImmediate', 'queueMicrotask', 'Date', 'performance', 'hrtime'],
  });
});
afterEach(() => {
  jest.useRealTimers();
});

/** A server that refuses whoever is in `throttled` for an hour, and accounts of so many users. */
async function serve(...users: string[]) {
  const throttled = new Set<string>();
  const asked: string[] = [];
  const answer = ({ headers, url = '' }: IncomingMessage, response: ServerResponse) => {
    const login = Buffer.from(String(headers.authorization).slice('Basic '.length), 'base64').toString();
    const user = login.split(':')[0] ?? '';
    asked.push(`${user} ${url.replace('/rest/api/latest/', '')}`);
    if (throttled.has(user)) response.writeHead(429, { 'retry-after': '3600' }).end();
    else {
      const limit = JSON.stringify({ settings: { capacity: 60, fillRate: 5 } });
      setImmediate(() => response.writeHead(200, { 'x-ausername': user }).end(limit));
    }
  };
  const server = createServer(answer).listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const own = integration({ url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` });
  const accounts = users.flatMap((username) =>
    soleAccount({ credentials: { kind: 'basic', username, password: 'secret' } }, new Gate({ maxInFlight: 4 })),
  );
  const connect = (as: readonly Account[]) => new BitbucketClient(own, { accounts: as, clock: new FakeClock() });
  return {
    throttled,
    asked,
    accounts,
    connect,
    async [Symbol.asyncDispose]() {
      for (const { gate } of accounts) gate.close();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** Lets the event loop turn until it is so. */
async function until(isSo: () => boolean): Promise<void> {
  for (let n = 0; n < 20_000 && !isSo(); n++) await new Promise((resolve) => setImmediate(resolve));
  expect(isSo()).toBe(true);
}

async function settle(): Promise<void> {
  for (let n = 0; n < 200; n++) await new Promise((resolve) => setImmediate(resolve));
}

test('one of two users is throttled for an hour: the other does all the work at once', async () => {
  await using world = await serve('ada', 'grace');
  world.throttled.add('ada');
  const client = world.connect(world.accounts);
  let done = 0;
  const work = Array.from({ length: 40 }, (_, n) => client.getJson(`x/${n}`).then(() => done++));
  // No timer moves.
  await until(() => done === 40);
  await Promise.all(work);
  expect(world.asked.filter((line) => line.startsWith('ada')).length).toBeLessThanOrEqual(4);
  expect(world.accounts.map(({ gate }) => gate.waiting + gate.inFlight)).toEqual([0, 0]);
});

test('both share the work, and each request is sent once', async () => {
  await using world = await serve('ada', 'grace');
  const client = world.connect(world.accounts);
  await Promise.all(Array.from({ length: 100 }, (_, n) => client.getJson(`x/${n}`)));
  expect(world.asked).toHaveLength(100);
  for (const user of ['ada', 'grace']) {
    expect(world.asked.filter((line) => line.startsWith(user)).length).toBeGreaterThan(30);
  }
});

test('the only user is throttled for an hour, longer than any request may take: it is waited for', async () => {
  await using world = await serve('ada');
  world.throttled.add('ada');
  const answers = Promise.all([1, 2].map((n) => world.connect(world.accounts).getJson(`x/${n}`)));
  await until(() => world.accounts[0]?.gate.isPaused === true);
  await settle();
  const before = world.asked.length;
  world.throttled.clear();
  jest.advanceTimersByTime(hourMs - 1_000);
  await settle();
  expect(world.asked).toHaveLength(before);
  jest.advanceTimersByTime(2_000);
  expect(await answers).toHaveLength(2);
});

test('a job asks for the rates of all at once, and does not wait for one that is closed for an hour', async () => {
  await using world = await serve('ada', 'grace');
  const [ada, grace] = world.accounts;
  world.throttled.add('ada');
  await obeyAllowedRates(world.accounts, (account) => new Bitbucket(world.connect([account])));
  expect(grace?.gate.knowsAllowedRate).toBe(true);
  expect(ada?.gate.isPaused).toBe(true);
  // A job that begins meanwhile does not either.
  await obeyAllowedRates(world.accounts, (account) => new Bitbucket(world.connect([account])));
  world.throttled.clear();
  jest.advanceTimersByTime(hourMs + 1_000);
  await until(() => ada?.gate.knowsAllowedRate === true);
  expect(ada?.gate.requestsPerSecond).toBeCloseTo(4.95);
});
