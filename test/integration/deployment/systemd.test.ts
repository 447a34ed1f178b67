import { spawnSync } from 'node:child_process';
import { copyFileSync, readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { exitCodes } from '../../../src/commands/exit-code.ts';
import { run } from './program.ts';

const unitPath = fileURLToPath(new URL('../../../config/systemd/satellite.service', import.meta.url));
const unit = readFileSync(unitPath, 'utf8');
const valuesOf = (key: string) => [...unit.matchAll(new RegExp(`^${key}=(.*)$`, 'gm'))].map(([, value]) => value);

const analyze = 'systemd-analyze';
const hasAnalyze = spawnSync(analyze, ['--version']).status === 0;
if (!hasAnalyze) process.stderr.write('skipped: the checks of the systemd unit, since systemd-analyze is not there\n');
const withAnalyze = hasAnalyze ? test : test.skip;

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'satellite-unit-'));
});
afterAll(() => rm(folder, { recursive: true }));

/** With programs that exist on this machine; README.md need not. */
async function substituted(name: string, replace: (text: string) => string = (text) => text): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, replace(unit.replaceAll('/opt/satellite/satellite', '/bin/true')));
  return path;
}

withAnalyze('systemd has nothing to complain of', async () => {
  const path = await substituted('satellite.service');
  expect(await run(analyze, ['verify', '--man=no', path])).toEqual({ exitCode: 0, stdout: '', stderr: '' });
});

withAnalyze('a key that systemd does not know is noticed', async () => {
  const path = await substituted('misspelt.service', (text) => text.replace('ProtectHome', 'ProtectHomes'));
  const { stderr } = await run(analyze, ['verify', '--man=no', path]);
  expect(stderr).toMatch(/Unknown key.*'ProtectHomes'/);
});

withAnalyze('systemd rates its exposure 1.5 of 10 or better', async () => {
  const path = join(folder, 'rated.service');
  copyFileSync(unitPath, path);
  // --threshold is ten times the figure.
  const rated = await run(analyze, ['security', '--offline=true', '--threshold=15', '--no-pager', path]);
  const figure = /Overall exposure level for .*: ([\d.]+) /.exec(rated.stdout)?.[1];
  process.stderr.write(`exposure of satellite.service: ${figure}\n`);
  expect(Number(figure)).toBeLessThanOrEqual(1.5);
  expect(rated.exitCode).toBe(0);
});

test('what a restart does not mend is not restarted', () => {
  expect(valuesOf('Restart')).toEqual(['on-failure']);
  const prevented = valuesOf('RestartPreventExitStatus').join(' ').split(' ').map(Number);
  expect(prevented).toEqual([64, 65, 66, 77, 78]);
  expect(prevented).toEqual(expect.arrayContaining([exitCodes.usage, exitCodes.refused, exitCodes.config]));
  // RestartPreventExitStatus= does not look at ExecStartPre=, which without "-" would be started anew for ever.
  expect(valuesOf('ExecStartPre')[0]).toMatch(/^-/);
});

test('a loop that stands still is started anew; who tells systemd is a child of the main process', () => {
  expect([valuesOf('Type'), valuesOf('NotifyAccess'), valuesOf('WatchdogSec')]).toEqual([['notify'], ['all'], ['90']]);
});

test('V8 gets the memory it compiles into', () => {
  expect(valuesOf('MemoryDenyWriteExecute')).toEqual([]);
});

test('the configuration is a credential, and the state private', () => {
  expect(valuesOf('LoadCredential')).toEqual(['satellite.yml:/etc/satellite/satellite.yml']);
  for (const command of [...valuesOf('ExecStartPre'), ...valuesOf('ExecStart')]) {
    expect(command).toContain(`--config \${CREDENTIALS_DIRECTORY}/satellite.yml`);
  }
  expect([
    valuesOf('DynamicUser'),
    valuesOf('StateDirectory'),
    valuesOf('StateDirectoryMode'),
    valuesOf('UMask'),
  ]).toEqual([['yes'], ['satellite'], ['0700'], ['0077']]);
  expect([valuesOf('MemoryMax'), valuesOf('TimeoutStopSec'), valuesOf('LimitCORE')]).toEqual([['256M'], ['15'], ['0']]);
});

test('a reload is SIGHUP to the satellite itself', () => {
  expect(valuesOf('ExecReload')).toEqual(['/bin/kill -HUP $MAINPID']);
});

test('of the system calls it gets those of a service, and none that takes privileges or changes limits', () => {
  expect(valuesOf('SystemCallFilter')).toEqual(['@system-service', '~@privileged @resources']);
  expect(valuesOf('SystemCallErrorNumber')).toEqual(['EPERM']);
});
