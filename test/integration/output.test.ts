import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { type Folder, satelliteFolder } from '../simulators/satellite-process.ts';
import { startSeiSimulator } from '../simulators/sei/simulator.ts';

const program = fileURLToPath(new URL('../../src/main.ts', import.meta.url));

let folder: Folder;
let sei: Awaited<ReturnType<typeof startSeiSimulator>>;
beforeEach(async () => {
  sei = await startSeiSimulator();
  folder = await satelliteFolder({
    sei,
    bitbucket: { url: 'http://127.0.0.1:9', username: 'reader', password: 'a-password-of-mine' },
    integrationId: '4711',
    satellite: { scheduling_interval: 1, log: { level: 'debug', format: 'json' } },
  });
});
afterEach(async () => {
  await sei.close();
  await folder.remove();
});

function start(args: readonly string[], nodeArgs: readonly string[] = []): ChildProcess {
  return spawn(process.execPath, [...nodeArgs, program, ...args], {
    cwd: folder.path,
    env: { PATH: process.env.PATH },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
}

async function waitFor(isTrue: () => boolean): Promise<void> {
  for (const end = Date.now() + 20_000; !isTrue(); ) {
    if (Date.now() > end) throw new Error('it does not come to it');
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

test('nobody reads the log any more: the work goes on, and it stops as it should', async () => {
  const child = start(['run']);
  child.stdout?.resume();
  await waitFor(() => sei.requests.register > 0);
  child.stderr?.destroy();
  const before = sei.requests.heartbeat;
  sei.addJob({ integrationId: 'unknown' });
  await waitFor(() => sei.requests.heartbeat > before + 2);
  child.kill('SIGTERM');
  expect(await once(child, 'close')).toEqual([0, null]);
});

test('nobody reads what a command prints: it ends without an error', async () => {
  const child = start(['schema']);
  child.stdout?.destroy();
  let stderr = '';
  child.stderr?.on('data', (chunk) => {
    stderr += String(chunk);
  });
  expect(await once(child, 'close')).toEqual([0, null]);
  expect(stderr).toBe('');
});

test('a large answer arrives whole through a slow pipe', async () => {
  const child = start(['schema']);
  child.stderr?.resume();
  await new Promise((resolve) => setTimeout(resolve, 500));
  const text = String(Buffer.concat((await child.stdout?.toArray()) ?? []));
  expect(Object.keys(JSON.parse(text))).toContain('properties');
});

test('a defect is the last line of the log, without the secret that is in it, and the exit code is 70', async () => {
  const crash = `setTimeout(() => { throw new Error('it held a-password-of-mine') }, 3000)`;
  const child = start(['run'], ['--import', `data:text/javascript,${encodeURIComponent(crash)}`]);
  child.stdout?.resume();
  const [chunks] = await Promise.all([child.stderr?.toArray(), once(child, 'close')]);
  const lines = String(Buffer.concat(chunks ?? []))
    .trim()
    .split('\n');
  expect(child.exitCode).toBe(70);
  expect(JSON.parse(lines.at(-1) ?? '')).toMatchObject({
    level: 'error',
    code: 'INTERNAL',
    error: 'it held ***',
    stack: expect.stringContaining('it held ***'),
  });
});

test('repeats that were held back are told when it stops', async () => {
  sei.fault({ match: 'heartbeat', status: 500 });
  const quiet = await satelliteFolder({
    sei,
    bitbucket: { url: 'http://127.0.0.1:9', username: 'reader', password: 'a-password-of-mine' },
    integrationId: '4711',
    satellite: { scheduling_interval: 1, log: { level: 'info', format: 'json' } },
  });
  try {
    const child = start(['run', '--config', `${quiet.path}/satellite.yml`]);
    child.stdout?.resume();
    const stderr = child.stderr?.toArray();
    await waitFor(() => sei.requests.heartbeat > 3);
    child.kill('SIGTERM');
    await once(child, 'close');
    const lines = String(Buffer.concat((await stderr) ?? []))
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    const failing = lines.filter(({ code }) => code === 'SEI_SERVER_ERROR');
    expect(failing).toHaveLength(2);
    expect(failing[1].repeated).toBeGreaterThan(0);
  } finally {
    await quiet.remove();
  }
});
