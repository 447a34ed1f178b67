import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { makeFolder } from '../../../src/ops/folder.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'satellite-folder-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test('all that are missing are made, with the same mode, and those that are there stay as they are', () => {
  const path = join(folder, 'a', 'b', 'c');
  makeFolder(path, 0o700);
  makeFolder(join(folder, 'a'));
  makeFolder(path);
  expect(['a', 'a/b', 'a/b/c'].map((name) => statSync(join(folder, name)).mode & 0o777)).toEqual([0o700, 0o700, 0o700]);
});

test('what is in the way is named', () => {
  const file = join(folder, 'file');
  writeFileSync(file, '');
  expect(() => makeFolder(file)).toThrow(`mkdir '${file}'`);
  expect(() => makeFolder(join(file, 'below'))).toThrow(`mkdir '${file}'`);
});

test('a link is followed, and one that leads nowhere is named as such', () => {
  const there = join(folder, 'there');
  symlinkSync(mkdtempSync(join(folder, 'target-')), there);
  makeFolder(join(there, 'below'));
  const gone = join(folder, 'gone');
  symlinkSync('/no/such/volume', gone);
  for (const path of [gone, join(gone, 'below')]) {
    expect(() => makeFolder(path)).toThrow(`${gone} is a link to /no/such/volume, which is not there`);
  }
});

test('a file system that says of a new folder that it does not exist is no endless loop', () => {
  // A process of its own: what does not come back would take this one along.
  const script = `
    import { makeFolder } from ${JSON.stringify(new URL('../../../src/ops/folder.ts', import.meta.url).href)};
    for (const path of ['/proc/satellite', '/proc/satellite/below']) {
      try { makeFolder(path); } catch (error) { console.log(error.message); }
    }`;
  const args = ['--input-type=module-typescript', '-e', script];
  const { stdout } = spawnSync(process.execPath, args, { encoding: 'utf8', timeout: 10_000, killSignal: 'SIGKILL' });
  const said = "ENOENT: no such file or directory, mkdir '/proc/satellite'\n";
  expect(stdout).toBe(said + said);
});
