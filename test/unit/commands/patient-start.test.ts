import { existsSync, mkdtempSync, readdirSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { systemClock } from '../../../src/clock.ts';
import { startPatiently } from '../../../src/commands/patient-start.ts';
import { SatelliteError } from '../../../src/errors.ts';
import { Health } from '../../../src/ops/health.ts';
import { RecordingLogger } from '../jobs/recording-logger.ts';

const storage = (code: string) => new SatelliteError(code, { code, kind: 'storage' });

/** Each of the errors in turn, then what was to be made. */
function setUp(errors: readonly Error[]) {
  const dataDir = mkdtempSync(join(tmpdir(), 'satellite-patient-'));
  const path = join(dataDir, 'satellite.db');
  writeFileSync(path, 'what is there');
  const left = [...errors];
  const create = () => {
    const error = left.shift();
    if (error !== undefined) throw error;
    return 'made';
  };
  const health = new Health(systemClock);
  const logger = new RecordingLogger();
  const stop = Promise.withResolvers<string>();
  let waits = 0;
  const onWait = async () => {
    waits++;
  };
  const start = (damage?: SatelliteError) =>
    startPatiently(create, { dataDir, logger, health, stopped: stop.promise, damage, onWait });
  const diskState = () => health.report().parts.find(({ part }) => part === 'disk')?.state;
  const aside = () => readdirSync(dataDir).filter((name) => name.includes('.damaged-'));
  return { start, logger, stop, diskState, aside, path, waits: () => waits };
}

const errnoError = Object.assign(new Error('read-only'), { code: 'EROFS' });

test('a disk that takes nothing is waited for; it is said once, and somebody can look meanwhile', async () => {
  const { start, logger, diskState, waits } = setUp([storage('STORE_FULL'), storage('STORE_FULL'), errnoError]);
  const starting = start();
  await new Promise((resolve) => setTimeout(resolve, 100));
  expect([diskState(), waits()]).toEqual(['failing', 1]);
  expect(await starting).toBe('made');
  expect([diskState(), waits()]).toEqual(['ok', 1]);
  expect(logger.entries.map(({ level, fields }) => [level, fields?.code])).toEqual([
    ['error', 'STORE_FULL'],
    ['error', 'STORE_READ_ONLY'],
    ['info', undefined],
  ]);
});

test('a stop ends the wait', async () => {
  const { start, stop } = setUp(Array.from({ length: 100 }, () => storage('STORE_IO_ERROR')));
  const starting = start();
  stop.resolve('SIGTERM');
  expect(await starting).toBeUndefined();
});

test.each([
  ['now', [storage('STORE_DAMAGED')], undefined],
  ['at work', [], storage('STORE_DAMAGED')],
])('a damaged store that was found %s is set aside', async (_when, errors, damage) => {
  const { start, aside, path } = setUp(errors);
  expect(await start(damage)).toBe('made');
  expect(aside()).toHaveLength(1);
  expect(existsSync(path)).toBe(false);
});

test('what is new and damaged already, and what no wait mends, ends the start', async () => {
  const twice = setUp([storage('STORE_DAMAGED'), storage('STORE_DAMAGED')]);
  await expect(twice.start()).rejects.toThrow('STORE_DAMAGED');
  expect(twice.aside()).toHaveLength(1);
  await expect(setUp([storage('STORE_IN_USE')]).start()).rejects.toThrow('STORE_IN_USE');
});
