import { mkdir, readdir, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, expect, test } from '@jest/globals';
import { Store } from '../../src/store/store.ts';
import { checkWorld } from './support/check-world.ts';

describe('the data directory', () => {
  test('that cannot be one', async () => {
    await using world = await checkWorld();
    await writeFile(world.dataDir, 'a file');
    const checked = await world.check();
    expect([checked.exitCode, checked.trouble]).toEqual([78, ['data-directory failed DATA_DIR_UNUSABLE']]);
    expect(checked.outline('machine')).toEqual(['data-directory failed', 'free-space skipped', 'store skipped']);
  });

  test('whose parent is no folder', async () => {
    await using world = await checkWorld({ satellite: { data_dir: '/dev/null/satellite' } });
    const checked = await world.check();
    expect([checked.exitCode, checked.step('data-directory').detail]).toEqual([
      78,
      '/dev/null/satellite cannot be written: a part of the path is a file',
    ]);
  });

  test.each(['', '/below'])('that is a link to a volume that is not mounted%s', async (below) => {
    await using world = await checkWorld({ satellite: { data_dir: `volume${below}` } });
    const link = join(world.folder, 'volume');
    await symlink('/no/such/volume', link);
    const checked = await world.check();
    expect([checked.exitCode, checked.trouble]).toEqual([78, ['data-directory failed DATA_DIR_UNUSABLE']]);
    expect(checked.step('data-directory').detail).toBe(
      `${link} is a link to /no/such/volume, which is not there: is its volume mounted?`,
    );
  });

  test('on a file system that takes nothing', async () => {
    await using world = await checkWorld({ satellite: { data_dir: '/proc/1' } });
    const checked = await world.check();
    expect([checked.exitCode, checked.trouble]).toEqual([78, ['data-directory failed DATA_DIR_UNUSABLE']]);
  });

  test('in which a satellite is running is left as it is', async () => {
    await using world = await checkWorld();
    await mkdir(world.dataDir);
    const path = join(world.dataDir, 'satellite.db');
    const store = new Store(path);
    const agentId = store.agentId();
    const before = await snapshot(world.dataDir);
    const checked = await world.check();
    expect([checked.exitCode, checked.trouble]).toEqual([0, ['store warning STORE_IN_USE']]);
    expect(checked.step('store').detail).toMatch(new RegExp(`^in use by process ${process.pid} on `));
    expect(await snapshot(world.dataDir)).toEqual(before);
    expect(store.agentId()).toBe(agentId);
    store.close();

    // And so is one that was left behind by a satellite that has ended.
    const after = await snapshot(world.dataDir);
    const free = await world.check();
    expect([free.exitCode, free.step('store').detail]).toEqual([0, `${path} can be used`]);
    expect(await snapshot(world.dataDir)).toEqual(after);
  });

  test.each([
    ['of a newer satellite', 'STORE_TOO_NEW'],
    ['that is damaged', 'STORE_DAMAGED'],
  ])('with a store %s', async (name, code) => {
    await using world = await checkWorld();
    await mkdir(world.dataDir);
    const path = join(world.dataDir, 'satellite.db');
    if (name === 'that is damaged') await writeFile(path, 'this is no database, whatever its name says. '.repeat(100));
    else {
      using database = new DatabaseSync(path);
      database.exec('PRAGMA user_version = 999');
    }
    const checked = await world.check();
    expect([checked.exitCode, checked.trouble]).toEqual([78, [`store failed ${code}`]]);
  });
});

/** Name, size and time of change of every file. */
async function snapshot(folder: string): Promise<unknown[]> {
  const names = (await readdir(folder)).sort();
  return Promise.all(
    names.map(async (name) => {
      const { size, mtimeMs } = await stat(join(folder, name));
      return [name, size, mtimeMs];
    }),
  );
}
