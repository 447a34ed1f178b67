import { expect, jest, test } from '@jest/globals';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import nock from 'nock';
import { BitbucketClient } from '../../../src/bitbucket/client.ts';
import { Gate } from '../../../src/bitbucket/gate.ts';
import { FakeClock } from '../crawl/fake-clock.ts';
import { integration } from '../crawl/integration.ts';

test('nock basic', async () => {
  nock.disableNetConnect();
  nock('https://bitbucket.example.org').get('/rest/api/latest/x').query({a: 1}).reply(200, {ok: 1});
  const client = new BitbucketClient(integration(), { gate: new Gate({maxInFlight: 2}), clock: new FakeClock() });
  expect(await client.getJson('x', {a: 1, b: undefined})).toEqual({ok: 1});
  nock.restore();
});

test('drip', async () => {
  jest.useFakeTimers({ doNotFake: ['nextTick','setImmediate','clearImmediate','queueMicrotask','Date','performance','hrtime','setInterval','clearInterval'] });
  let n = 0;
  const server = http.createServer((_q, s) => {
    n++;
    s.writeHead(200, {'content-type': 'application/json'});
    if (n > 1) { s.end('{"ok":1}'); return; }
    s.write('{'); 
  });
  await new Promise<void>((r) => server.listen(0, '127.0.0.1', r));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const client = new BitbucketClient(integration({ url }), { gate: new Gate({maxInFlight: 2}), clock: new FakeClock() });
  const p = client.getJson('x');
  while (n === 0) await new Promise((r) => setImmediate(r));
  for (let i = 0; i < 20; i++) await new Promise((r) => setImmediate(r));
  jest.advanceTimersByTime(59_999);
  for (let i = 0; i < 200; i++) await new Promise((r) => setImmediate(r));
  expect(n).toBe(1);
  jest.advanceTimersByTime(2);
  expect(await p).toEqual({ok:1});
  expect(n).toBe(2);
  jest.useRealTimers();
  server.closeAllConnections(); server.close();
});
