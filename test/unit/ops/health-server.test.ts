import { connect, createServer } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { HealthServer } from '../../../src/ops/health-server.ts';
import { isOwnHost } from '../../../src/ops/host-check.ts';
import { Redactor } from '../../../src/ops/redact.ts';
import { ask } from '../../integration/support/views.ts';
import { fail, idleFacts, monitorOf, servedMonitor } from './world.ts';

const paths = ['/', '/livez', '/readyz', '/metrics', '/status.json'];

let world: Awaited<ReturnType<typeof servedMonitor>>;
beforeEach(async () => {
  world = await servedMonitor();
});
afterEach(() => world.server.close());

describe('who is answered', () => {
  test.each([
    ['127.0.0.1:8090', true],
    ['localhost:8090', true],
    ['LOCALHOST', true],
    ['[::1]:8090', true],
    // A Kubernetes probe and a scrape name the pod's address.
    ['10.42.0.7:8090', true],
    ['[fd00::7]:8090', true],
    ['satellite.example.com:8090', true],
    ['evil.example.com:8090', false],
    ['127.0.0.1.evil.example.com', false],
    ['localhost.evil.example.com', false],
    ['evil@127.0.0.1', false],
    ['0x7f000001', false],
    ['127.1', false],
    ['', false],
    [undefined, false],
  ])('Host: %s → %s', (header, isOwn) => {
    expect(isOwnHost(header, 'satellite.example.com')).toBe(isOwn);
  });

  test.each(paths)('%s is not told to a name that a stranger may have made resolve to us', async (path) => {
    const { status, body } = await ask(world.port, path, { headers: { host: 'evil.example.com' } });
    expect(status).toBe(421);
    expect(body).not.toContain('4711');
  });
});

describe('nothing changes anything', () => {
  test.each(['POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS'])('%s is refused', async (method) => {
    for (const path of paths) {
      const { status, headers } = await ask(world.port, path, { method });
      expect([status, headers.allow]).toEqual([405, 'GET, HEAD']);
    }
  });

  test.each(paths)('HEAD %s is GET without the body', async (path) => {
    const head = await ask(world.port, path, { method: 'HEAD' });
    const get = await ask(world.port, path);
    expect(head.body).toBe('');
    expect(head.headers['content-type']).toBe(get.headers['content-type']);
    expect(Number(head.headers['content-length'])).toBeGreaterThan(0);
  });
});

test('what is not there is told, with what is', async () => {
  expect(await ask(world.port, '/admin')).toMatchObject({ status: 404, body: expect.stringContaining('/readyz') });
});

test.each(paths)('%s is neither kept nor embedded, and runs nothing', async (path) => {
  const { headers } = await ask(world.port, path);
  expect(headers).toMatchObject({ 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' });
  expect(headers['content-security-policy']).toContain("default-src 'none'");
  expect(headers['content-security-policy']).toContain("frame-ancestors 'none'");
  expect(headers['content-security-policy']).not.toMatch(/unsafe|script-src/);
});

test('/readyz names each failing part, since when and why, each on one line', async () => {
  fail(world.monitor, 'sei');
  fail(world.monitor, 'bitbucket', '4711');
  world.monitor.health.failed('disk', { code: 'STORE_FULL', message: 'line one\nSEI: failing\u001b[2J', hint: 'x' });
  const { status, body } = await ask(world.port, '/readyz');
  expect([status, body]).toEqual([
    503,
    `not ready
SEI: failing since 2026-11-23T10:00:00.000Z: SOME_CODE: sei is broken
Disk: failing since 2026-11-23T10:00:00.000Z: STORE_FULL: line one SEI: failing\ufffd[2J
Bitbucket (integration 4711): failing since 2026-11-23T10:00:00.000Z: SOME_CODE: bitbucket is broken
`,
  ]);
});

test('a port that is taken is told with what to do', async () => {
  const taken = createServer();
  await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve));
  const { port } = taken.address() as { port: number };
  await expect(
    HealthServer.listen({ host: '127.0.0.1', port }, monitorOf().monitor, new Redactor()),
  ).rejects.toMatchObject({
    code: 'LISTEN_FAILED',
    kind: 'config',
    message: `Health and metrics cannot be served at 127.0.0.1:${port}: another process uses the port`,
    hint: expect.stringContaining('satellite.listen'),
  });
  taken.close();
});

test('whatever a secret is like, numbers, times and our own words stay, and what others said has it no more', async () => {
  const words = ['2147', '2026', 'true', 'false', 'satellite', 'commits', 'live', 'ready', 'bytesMax', '4711', 'code'];
  const redactor = new Redactor();
  const facts = { ...idleFacts, spool: { ...idleFacts.spool, pages: 3, bytes: 2147 } };
  const plain = await servedMonitor(facts);
  const withoutInstance = (body: string) => body.replace(/"instance": ".*"/, '');
  const served = await servedMonitor(facts, redactor);
  redactor.learn(words);
  try {
    for (const path of paths) {
      expect(withoutInstance((await ask(served.port, path)).body)).toBe(
        withoutInstance((await ask(plain.port, path)).body),
      );
    }
    for (const word of words) {
      served.monitor.health.failed('sei', { code: 'SEI_SERVER_ERROR', message: `It said ${word}.`, hint: 'Mend it.' });
      for (const path of ['/', '/readyz', '/status.json']) {
        const { body } = await ask(served.port, path);
        expect(body).toContain('It said ***.');
        expect(body).not.toContain(`said ${word}`);
      }
      expect(JSON.parse((await ask(served.port, '/status.json')).body)).toMatchObject({ live: true, ready: false });
    }
  } finally {
    await plain.server.close();
    await served.server.close();
  }
});

describe('who means it ill', () => {
  test('whoever sends a request byte by byte is left', async () => {
    const slow = connect(world.port, '127.0.0.1');
    let closed = false;
    slow.on('close', () => {
      closed = true;
    });
    slow.on('error', () => undefined);
    slow.write('GET / HTTP/1.1\r\n');
    for (let waits = 0; !closed && waits < 90; waits++) {
      await delay(100);
      if (!closed) slow.write('x');
    }
    expect(closed).toBe(true);
  }, 20_000);

  test('connections are counted, and one that ends makes room', async () => {
    const held = await Promise.all(
      Array.from({ length: 32 }, async () => {
        const socket = connect(world.port, '127.0.0.1');
        socket.on('error', () => undefined);
        await new Promise((resolve) => socket.once('connect', resolve));
        return socket;
      }),
    );
    await delay(50);
    await expect(ask(world.port, '/livez')).rejects.toThrow();
    for (const socket of held) socket.destroy();
    await delay(50);
    expect((await ask(world.port, '/livez')).status).toBe(200);
  });

  test('headers without end are refused', async () => {
    const headers = { 'x-long': 'x'.repeat(20_000) };
    expect((await ask(world.port, '/livez', { headers })).status).toBe(431);
  });
});
