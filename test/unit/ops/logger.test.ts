import { readFileSync, statSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type { LogFormat, LogLevel } from '../../../src/config/config.ts';
import { wantsColour } from '../../../src/ops/colour.ts';
import { lastLogLines, logFile } from '../../../src/ops/log-file.ts';
import { createLogger } from '../../../src/ops/logger.ts';
import { Redactor } from '../../../src/ops/redact.ts';

function logging(
  options: {
    level?: LogLevel;
    format?: LogFormat;
    isTTY?: boolean;
    env?: Record<string, string>;
    foldMs?: number;
  } = {},
) {
  const { level = 'info', format = 'json', isTTY = false, env = {}, foldMs = 60_000 } = options;
  const redactor = new Redactor();
  redactor.learn(['s3cret"value', '12345', '2026', 'fails', 'error', 'X_FAILS', 'true']);
  const lines: string[] = [];
  const kept: string[] = [];
  const stderr = { isTTY, write: (text: string) => lines.push(text) > 0 } as unknown as NodeJS.WriteStream;
  const keep = (line: string) => void kept.push(line);
  const logger = createLogger({ level, format }, { redactor, env, stderr, keep, foldMs });
  const parsed = () => lines.map((line) => JSON.parse(line) as Record<string, unknown>);
  return { logger, lines, kept, parsed };
}

describe('a log line', () => {
  test('is JSON with time, level and message first, and without a secret, as soon as it is logged', () => {
    const { logger, lines, kept, parsed } = logging();
    logger.error('It fails', { code: 'X_FAILS', error: 'said s3cret"value\nand true', count: 123456 });
    expect(lines).toHaveLength(1);
    expect(Object.keys(parsed()[0] ?? {}).slice(0, 3)).toEqual(['timestamp', 'level', 'message']);
    expect(parsed()[0]).toMatchObject({
      timestamp: expect.stringMatching(/^\d{4}-/),
      message: 'It fails',
      level: 'error',
      code: 'X_FAILS',
      error: 'said ***\nand ***',
      count: 123456,
    });
    expect(kept.map((line) => `${line}\n`)).toEqual(lines);
  });

  test('is text at a terminal, and what a server said can neither begin a line nor move the cursor', () => {
    const { logger, lines } = logging({ format: 'auto', isTTY: true, env: { NO_COLOR: '1' } });
    logger.warn('It fails', { code: 'X_FAILS', error: 'one\n2027 ERROR two\u001b[2J', hint: undefined });
    const [line = ''] = lines;
    expect(line).toMatch(/WARN {2}It fails code=X_FAILS error="one\\n2027 ERROR two\\u001b\[2J"\n$/);
  });

  test('is JSON elsewhere, and what the level leaves out is left out', () => {
    const { logger, parsed } = logging({ format: 'auto', level: 'warn' });
    logger.info('not this');
    logger.warn('but this', { code: 'X' });
    expect(parsed()).toMatchObject([{ message: 'but this' }]);
  });

  test('a field of any kind does not break it', () => {
    const { logger, parsed } = logging();
    logger.info('odd', { list: [1, null, 'a'], nested: { at: new Date(0) }, none: undefined, flag: false });
    expect(parsed()[0]).toMatchObject({
      list: [1, null, 'a'],
      nested: { at: '1970-01-01T00:00:00.000Z' },
      flag: false,
    });
  });
});

test('colours are for terminals, and as NO_COLOR and FORCE_COLOR have it', () => {
  expect(wantsColour({ isTTY: true }, {})).toBe(true);
  expect(wantsColour({ isTTY: true }, { NO_COLOR: '1' })).toBe(false);
  expect(wantsColour({ isTTY: true }, { NO_COLOR: '' })).toBe(true);
  expect(wantsColour({ isTTY: true }, { TERM: 'dumb' })).toBe(false);
  expect(wantsColour({}, {})).toBe(false);
  expect(wantsColour({}, { FORCE_COLOR: '1', NO_COLOR: '1' })).toBe(true);
  expect(wantsColour({ isTTY: true }, { FORCE_COLOR: '0' })).toBe(false);
  const { logger, lines } = logging({ format: 'text', env: { FORCE_COLOR: '1' } });
  logger.error('red', { code: 'X' });
  expect(lines[0]).toContain('\u001b[31mERROR\u001b[0m');
});

describe('repeats', () => {
  test('the first is there at once, the others are one line at the end of the window', async () => {
    const { logger, parsed } = logging({ foldMs: 100 });
    for (let delayMs = 0; delayMs < 50; delayMs++) logger.warn('It fails', { code: 'X', jobId: '1', delayMs });
    logger.warn('It fails', { code: 'X', jobId: '2' });
    logger.warn('It fails', { code: 'Y', jobId: '1' });
    logger.error('It fails', { code: 'X', jobId: '1' });
    expect(parsed()).toMatchObject([{ delayMs: 0 }, { jobId: '2' }, { code: 'Y' }, { level: 'error' }]);
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(parsed().slice(4)).toMatchObject([{ code: 'X', jobId: '1', delayMs: 49, repeated: 49, withinSeconds: 0.1 }]);
    logger.warn('It fails', { code: 'X', jobId: '1' });
    expect(parsed()).toHaveLength(6);
  });

  test('are told when the logger is closed, in words at a terminal, and once', () => {
    const { logger, lines } = logging({ format: 'text' });
    for (let n = 0; n < 3; n++) logger.warn('It fails', { code: 'X' });
    logger.close();
    logger.close();
    expect(lines).toHaveLength(2);
    expect(lines[1]).toContain('It fails … repeated 2 times code=X');
  });

  test('are all shown at level debug', () => {
    const { logger, lines } = logging({ level: 'debug' });
    for (let n = 0; n < 3; n++) logger.warn('It fails', { code: 'X' });
    expect(lines).toHaveLength(3);
  });

  test('of many different things take no more room than a thousand of them', () => {
    const { logger, lines } = logging();
    for (let n = 0; n < 1_200; n++) {
      logger.warn('It fails', { code: 'X', repository: String(n) });
      logger.warn('It fails', { code: 'X', repository: String(n) });
    }
    expect(lines).toHaveLength(1_400);
    logger.close();
    expect(lines).toHaveLength(2_400);
  });
});

describe('the lines that are kept', () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'satellite-log-'));
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  test('are the last ones, in a bounded room that nobody else can read', () => {
    const keep = logFile(folder);
    const line = (n: number) => JSON.stringify({ n, text: 'x'.repeat(1000) });
    for (let n = 0; n < 2_000; n++) keep(line(n));
    const lines = (lastLogLines(folder) ?? '').trim().split('\n');
    expect(lines.at(-1)).toBe(line(1_999));
    expect(lines.length).toBeGreaterThan(500);
    expect(lines).toEqual(Array.from({ length: lines.length }, (_, at) => line(2_000 - lines.length + at)));
    const sizes = ['satellite.log', 'satellite.log.1'].map((name) => statSync(join(folder, name)));
    expect(sizes.reduce((sum, { size }) => sum + size, 0)).toBeLessThan(1_100_000);
    expect(sizes.map(({ mode }) => mode & 0o777)).toEqual([0o600, 0o600]);
    expect(readFileSync(join(folder, 'satellite.log'), 'utf8').endsWith('\n')).toBe(true);
  });

  test('a folder that takes nothing is no reason to fail', () => {
    expect(() => logFile(join(folder, 'missing'))('line')).not.toThrow();
    expect(lastLogLines(join(folder, 'missing'))).toBeUndefined();
  });
});
