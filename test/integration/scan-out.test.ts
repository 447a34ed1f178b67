import { execFile } from 'node:child_process';
import { readdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { checkWorld, program } from './support/check-world.ts';

const scanTo = (out: string) => ['scan', '--integration', '4711', '--out', out];

test('a folder that cannot be used is said before anything is asked for, and what to do', async () => {
  await using world = await checkWorld();
  await writeFile(join(world.folder, 'file'), '');
  await symlink('/no/such/volume', join(world.folder, 'gone'));
  for (const out of ['file', 'file/below', 'gone', '/proc/pages', '/proc/1']) {
    const { exitCode, stdout, stderr } = await world.run(scanTo(out));
    expect([out, exitCode, stdout]).toEqual([out, 74, '']);
    expect(stderr).toMatch(/cannot take the pages: .*\[FOLDER_UNUSABLE\]\nName a folder with --out/);
    expect(stderr).not.toMatch(/^ +at /m);
  }
  expect(world.bitbucket.requests.total).toBe(0);
});

test('an empty name is no folder', async () => {
  await using world = await checkWorld();
  for (const args of [scanTo(''), ['scan', '--integration', '4711', '--out=']]) {
    const { exitCode, stderr } = await world.run(args);
    expect([exitCode, stderr]).toEqual([64, expect.stringContaining("--out <folder>' argument '' is invalid")]);
  }
});

test('a folder that is full in the middle of the scan ends it, without totals of what is not there', async () => {
  await using world = await checkWorld();
  // The trial is smaller than that, a page larger.
  const command = ['--fsize=16', process.execPath, program, ...scanTo('pages')];
  const { code, stdout, stderr } = await new Promise<{ code: unknown; stdout: string; stderr: string }>((resolve) => {
    execFile('prlimit', command, { cwd: world.folder, timeout: 20_000 }, (error, stdout, stderr) =>
      resolve({ code: error?.code, stdout, stderr }),
    );
  });
  expect([code, stdout]).toEqual([74, '']);
  expect(stderr).toContain(`${join(world.folder, 'pages')} cannot take the pages: EFBIG`);
  expect(world.bitbucket.requests.total).toBeGreaterThan(0);
});

test('missing folders are made, and only pages are in them', async () => {
  await using world = await checkWorld();
  const { exitCode, stdout } = await world.run(scanTo('below/pages'));
  expect([exitCode, stdout]).toEqual([0, expect.stringMatching(/^commits +\d+ in 1 page/m)]);
  const entries = await readdir(join(world.folder, 'below', 'pages'));
  expect(entries.sort()).toEqual(['commits', 'repositories']);
});
