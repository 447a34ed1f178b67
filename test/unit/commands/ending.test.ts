import { spawnSync } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from '@jest/globals';
import { endingText } from '../../../src/commands/ending.ts';
import { SatelliteError } from '../../../src/errors.ts';
import { Redactor } from '../../../src/ops/redact.ts';

const program = fileURLToPath(new URL('../../../src/main.ts', import.meta.url));

test('what ends a command is told with its code, what to do, and no secret', () => {
  const redactor = new Redactor();
  redactor.learn(['2147']);
  const error = new SatelliteError('The server said 2147', {
    code: 'SEI_SERVER_ERROR',
    kind: 'retryable',
    hint: 'Wait.',
  });
  expect(endingText(error, redactor)).toBe('The server said *** [SEI_SERVER_ERROR]\nWait.\n');
  const lines = new SatelliteError('one\ntwo\n', { code: 'X', kind: 'config', hint: 'two' });
  expect(endingText(lines, redactor)).toBe('one\ntwo\n[X]\n');
});

test('what ends run is a line of its log', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'satellite-ending-'));
  try {
    await writeFile(join(folder, 'satellite.yml'), 'satellite: {}\n', { mode: 0o600 });
    const ended = (command: string) =>
      spawnSync(process.execPath, [program, command], { cwd: folder, encoding: 'utf8' });
    const { status, stderr } = ended('run');
    expect(status).toBe(78);
    expect(JSON.parse(stderr)).toMatchObject({
      level: 'error',
      message: 'The satellite ends',
      code: 'CONFIG_INVALID',
      error: expect.stringContaining('satellite.tenant'),
    });
    expect(ended('validate').stderr).toMatch(/satellite\.tenant[\s\S]*\n\[CONFIG_INVALID\]\n$/);
  } finally {
    await rm(folder, { recursive: true });
  }
});
