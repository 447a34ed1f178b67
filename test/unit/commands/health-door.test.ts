import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { HealthDoor } from '../../../src/commands/health-door.ts';
import { Monitor } from '../../../src/ops/monitor.ts';
import { Redactor } from '../../../src/ops/redact.ts';
import { servingOf } from '../../../src/ops/serving.ts';
import { FakeClock } from '../crawl/fake-clock.ts';
import { RecordingLogger } from '../jobs/recording-logger.ts';

let dataDir: string;
beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'satellite-door-'));
  writeFileSync(join(dataDir, 'satellite.db'), '');
});
afterEach(() => rm(dataDir, { recursive: true }));

const config = '/levelops/config.yml';

function setUp() {
  const monitor = new Monitor({ clock: new FakeClock(), version: '1.2.3', instance: 'me' });
  const door = new HealthDoor(monitor, new Redactor(), { firstMs: 20, longestMs: 40 });
  const logger = new RecordingLogger();
  const open = (host: string, port: number) => door.open({ listen: { host, port }, dataDir, config }, logger);
  return { door, logger, open };
}

async function taken() {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return { port, giveUp: () => once(server.close(), 'close') };
}

async function freePort(): Promise<number> {
  const { port, giveUp } = await taken();
  await giveUp();
  return port;
}

const isServed = async (port: number) => (await fetch(`http://127.0.0.1:${port}/livez`)).status === 200;

test('a port that is taken is told once, stops nothing, and is had as soon as it is free', async () => {
  const { port, giveUp } = await taken();
  const { door, logger, open } = setUp();
  await using _door = door;
  await open('127.0.0.1', port);
  await delay(100);
  expect(logger.entries.filter(({ level }) => level !== 'debug')).toEqual([
    {
      level: 'error',
      message: 'Health and metrics are not served where they should be; it is tried again',
      fields: expect.objectContaining({ code: 'LISTEN_FAILED', at: 'nowhere' }),
    },
  ]);
  expect(servingOf(dataDir)).toBeNull();
  await giveUp();
  await delay(150);
  expect(await isServed(port)).toBe(true);
  expect(logger.entries.at(-1)).toMatchObject({ level: 'info', fields: { host: '127.0.0.1', port } });
});

test('what a configuration does not want any more is not tried again', async () => {
  const { port, giveUp } = await taken();
  const { door, logger, open } = setUp();
  await using _door = door;
  await open('127.0.0.1', port);
  await door.open({ dataDir, config }, logger);
  await giveUp();
  await delay(100);
  await expect(isServed(port)).rejects.toThrow();
});

test('another address with the same port is had, though our own old one stands in its way', async () => {
  const port = await freePort();
  const { door, logger, open } = setUp();
  await using _door = door;
  await open('127.0.0.1', port);
  await open('0.0.0.0', port);
  expect(logger.entries.map(({ level }) => level)).toEqual(['info', 'info']);
  expect(await isServed(port)).toBe(true);
  expect(servingOf(dataDir)).toEqual({ instance: 'me', host: '0.0.0.0', port, config });
});

test('and where it cannot be had, the old one is open again', async () => {
  const port = await freePort();
  const { door, logger, open } = setUp();
  await using _door = door;
  await open('127.0.0.1', port);
  // An address of nobody's machine.
  await open('192.0.2.1', port);
  expect(await isServed(port)).toBe(true);
  expect(logger.entries.at(-1)).toMatchObject({ level: 'error', fields: { at: `127.0.0.1:${port}` } });
  expect(servingOf(dataDir)).toMatchObject({ host: '127.0.0.1', port });
});

test('the data directory says where it is open, and nothing once it is closed', async () => {
  const port = await freePort();
  const { door, open } = setUp();
  expect(servingOf(join(dataDir, 'missing'))).toBeUndefined();
  // Somebody's folder, but no satellite's: it may be a mount within a container.
  expect(servingOf(tmpdir())).toBeUndefined();
  expect(servingOf(dataDir)).toBeNull();
  await open('127.0.0.1', port);
  expect(JSON.parse(readFileSync(join(dataDir, 'satellite.serving'), 'utf8'))).toEqual({
    instance: 'me',
    host: '127.0.0.1',
    port,
    config,
  });
  await door[Symbol.asyncDispose]();
  expect(servingOf(dataDir)).toBeNull();
});
