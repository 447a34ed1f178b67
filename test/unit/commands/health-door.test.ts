import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, test } from '@jest/globals';
import { HealthDoor } from '../../../src/commands/health-door.ts';
import { Monitor } from '../../../src/ops/monitor.ts';
import { Redactor } from '../../../src/ops/redact.ts';
import { FakeClock } from '../crawl/fake-clock.ts';
import { RecordingLogger } from '../jobs/recording-logger.ts';

test('a port that is taken is told and stops nothing; the next configuration is tried again', async () => {
  const taken = createServer().listen(0, '127.0.0.1');
  await once(taken, 'listening');
  const { port } = taken.address() as AddressInfo;
  const logger = new RecordingLogger();
  await using door = new HealthDoor(new Monitor({ clock: new FakeClock(), version: '1.2.3' }), new Redactor());
  await door.open({ host: '127.0.0.1', port }, logger);
  expect(logger.entries).toEqual([
    {
      level: 'error',
      message: 'Health and metrics are not served where they should be',
      fields: expect.objectContaining({ code: 'LISTEN_FAILED', at: 'nowhere' }),
    },
  ]);
  taken.close();
  await once(taken, 'close');
  await door.open({ host: '127.0.0.1', port }, logger);
  const answer = await fetch(`http://127.0.0.1:${port}/livez`);
  expect(answer.status).toBe(200);
});
