import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { closedPort, type TestServer } from './servers.ts';
import { tinyproxy } from './tool.ts';

export interface Tinyproxy extends TestServer {
  /** The request lines it has seen, from its log. */
  requests(): Promise<string[]>;
}

/** Debian's forward proxy, which lets in only who has this name and password. */
export async function startTinyproxy(login: { username: string; password: string }): Promise<Tinyproxy> {
  const folder = await mkdtemp(join(tmpdir(), 'satellite-tinyproxy-'));
  const logFile = join(folder, 'log');
  const configFile = join(folder, 'tinyproxy.conf');
  const port = await closedPort();
  await writeFile(
    configFile,
    [
      ...[`Port ${port}`, 'Listen 127.0.0.1', 'Allow 127.0.0.1', 'Timeout 20', 'MaxClients 100'],
      ...[`LogFile "${logFile}"`, 'LogLevel Connect', `BasicAuth ${login.username} ${login.password}`, ''],
    ].join('\n'),
  );
  const child = spawn(tinyproxy, ['-d', '-c', configFile], { stdio: 'ignore' });
  const exited = once(child, 'exit');
  for (let tries = 0; !(await accepts(port)); tries++) {
    if (tries === 100 || child.exitCode !== null) throw new Error('tinyproxy does not start');
    await delay(50);
  }
  return {
    port,
    async requests() {
      return [...(await readFile(logFile, 'utf8')).matchAll(/Request \(file descriptor \d+\): (.*) HTTP/g)].map(
        ([, line = '']) => line,
      );
    },
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL');
      await exited;
      await rm(folder, { recursive: true, force: true });
    },
  };
}

async function accepts(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1');
  try {
    await once(socket, 'connect');
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}
