import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { systemdNotifier } from '../../../src/ops/systemd.ts';
import { fail, monitorOf } from '../../unit/ops/world.ts';
import { temporaryFolder } from '../support/main-job.ts';

// Node.js has no Unix datagrams, so Python plays systemd.
const missing = [
  ['python3', '--version'],
  ['systemd-notify', '--version'],
].find(([file = '', arg = '']) => spawnSync(file, [arg]).status !== 0);
if (missing) process.stdout.write(`skipped: what systemd is told, as there is no ${missing[0]}\n`);
const withSystemd = missing ? test.skip : test;

const listener = `
import socket, sys
door = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
door.bind(sys.argv[1])
print('listening', flush=True)
while True:
    # A barrier carries a descriptor, which is closed to let systemd-notify go.
    data, files, _, _ = socket.recv_fds(door, 4096, 8)
    for each in files:
        socket.close(each)
    print(repr(data.decode()), flush=True)
`;

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let systemd: ChildProcess;
let heard = '';
beforeEach(async () => {
  if (missing) return;
  heard = '';
  folder = await temporaryFolder();
  systemd = spawn('python3', ['-c', listener, join(folder.path, 'notify')]);
  systemd.stdout?.setEncoding('utf8').on('data', (text: string) => {
    heard += text;
  });
  await hears('listening');
});
afterEach(async () => {
  systemd?.kill();
  await folder?.remove();
});

async function hears(text: string): Promise<void> {
  for (let waits = 0; !heard.includes(text); waits++) {
    if (waits > 200) throw new Error(`'${text}' was not heard: ${heard}`);
    await delay(50);
  }
}

withSystemd('it is up, it beats, it says how it is, and a loop that stands still beats no more', async () => {
  const { monitor, clock } = monitorOf();
  const env = { ...process.env, NOTIFY_SOCKET: join(folder.path, 'notify'), WATCHDOG_USEC: '400000' };
  const notifier = systemdNotifier(env, monitor);
  notifier.ready();
  await hears('READY=1\\nWATCHDOG=1\\nSTATUS=not ready: starting: SEI has not answered yet');
  monitor.health.worked('sei');
  await hears('WATCHDOG=1\\nSTATUS=ready');
  fail(monitor, 'sei_key');
  await hears('WATCHDOG=1\\nSTATUS=not ready: API key of SEI: failing since');
  clock.nowMs += 61_000;
  await hears("'STATUS=not ready: the loop stands still");
  notifier.stopping();
  await hears('STOPPING=1');
});

withSystemd('the beats meant for another process are not ours', async () => {
  const env = {
    ...process.env,
    NOTIFY_SOCKET: join(folder.path, 'notify'),
    WATCHDOG_USEC: '400000',
    WATCHDOG_PID: '1',
  };
  const notifier = systemdNotifier(env, monitorOf().monitor);
  notifier.ready();
  await hears('READY=1');
  notifier.stopping();
  await hears('STOPPING=1');
  expect(heard).not.toContain('WATCHDOG=1');
});

test('without systemd nothing is told', () => {
  const notifier = systemdNotifier({}, monitorOf().monitor);
  notifier.ready();
  notifier.stopping();
});
