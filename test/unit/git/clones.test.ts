import { existsSync, mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { type ClonePlace, Clones } from '../../../src/git/clones.ts';

const server = 'https://bitbucket.example.org';
const dayMs = 24 * 60 * 60 * 1000;
const kib = 1024;
let root: string;
let nowMs: number;
beforeEach(() => {
  root = join(mkdtempSync(join(tmpdir(), 'clones-')), 'clones');
  nowMs = Date.now();
});
afterEach(() => rmSync(join(root, '..'), { recursive: true, force: true }));

function clones({ storeBytes = 0, maxBytes = 100 * kib, kept = [server] } = {}): Clones {
  const options = { root, maxBytes, storeBytes: () => storeBytes, shrinkStore: () => false, nowMs: () => nowMs };
  return new Clones(options, kept);
}

/** As a fetch leaves it. */
function fill(all: Clones, id: number, bytes: number): ClonePlace {
  const place = all.place(server, id);
  mkdirSync(join(place.path, 'objects', 'pack'), { recursive: true });
  writeFileSync(join(place.path, 'objects', 'pack', 'one.pack'), Buffer.alloc(bytes, 1));
  nowMs += 1000;
  all.measure(place);
  return place;
}

test('room is made by what was not used for longest, and not by what is being read', () => {
  const all = clones();
  const [first, second, third] = [1, 2, 3].map((id) => fill(all, id, 32 * kib)) as [ClonePlace, ClonePlace, ClonePlace];
  first.leases++;
  nowMs += 1000;
  all.used(second);
  expect(all.hasRoomFor(20 * kib)).toBe(true);
  expect([first, second, third].map(({ path }) => existsSync(path))).toEqual([true, true, false]);
  expect(all.hasRoomFor(80 * kib)).toBe(false);
  expect([first, second].map(({ path }) => existsSync(path))).toEqual([true, false]);
  expect(all.evict()).toBe(false);
  first.leases--;
  expect(all.evict()).toBe(true);
  expect(all.usedBytes()).toBe(0);
});

test('the store counts as well', () => {
  const all = clones({ storeBytes: 80 * kib });
  fill(all, 1, 32 * kib);
  expect(all.hasRoomFor(10 * kib)).toBe(true);
  expect(all.usedBytes()).toBe(0);
});

test('what the store can do without gives way last', () => {
  let storeBytes = 90 * kib;
  const shrinkStore = () => {
    storeBytes -= 10 * kib;
    return storeBytes >= 50 * kib;
  };
  const all = new Clones({ root, maxBytes: 100 * kib, storeBytes: () => storeBytes, shrinkStore, nowMs: () => nowMs }, [
    server,
  ]);
  const place = fill(all, 1, 8 * kib);
  expect(all.hasRoomFor(20 * kib)).toBe(true);
  expect([existsSync(place.path), storeBytes]).toEqual([false, 80 * kib]);
  expect(all.hasRoomFor(70 * kib)).toBe(false);
});

test('a new process knows what is there; what was begun, or of another server, or forgotten is removed', () => {
  const before = clones();
  const places = [1, 2].map((id) => fill(before, id, 8 * kib)) as [ClonePlace, ClonePlace];
  mkdirSync(`${places[0].path}.new`);
  writeFileSync(join(places[0].path, 'objects', 'pack', 'tmp_pack_1'), Buffer.alloc(64 * kib));
  const old = (nowMs - 31 * dayMs) / 1000;
  utimesSync(places[1].path, old, old);
  const after = clones();
  expect(existsSync(`${places[0].path}.new`)).toBe(false);
  expect(after.usedBytes()).toBe(before.place(server, 1).bytes);
  expect(existsSync(places[1].path)).toBe(false);
  expect(clones({ kept: ['https://other.example.org'] }).usedBytes()).toBe(0);
  expect(existsSync(places[0].path)).toBe(false);
});

test('one that was too large is tried again with more room, and after a week', () => {
  const all = clones();
  const place = all.place(server, 7);
  expect(all.isTooLarge(place)).toBe(false);
  all.markTooLarge(place);
  expect(clones().isTooLarge(place)).toBe(true);
  expect(clones({ maxBytes: 200 * kib }).isTooLarge(place)).toBe(false);
  nowMs += 8 * dayMs;
  expect(clones().isTooLarge(place)).toBe(false);
});

test('only so many histories are read at a time', async () => {
  const all = clones();
  const { signal } = new AbortController();
  const [endFirst] = await Promise.all([all.startReading(signal), all.startReading(signal)]);
  let isThird = false;
  const third = all.startReading(signal).then(() => {
    isThird = true;
  });
  await new Promise((resolve) => setTimeout(resolve, 20));
  expect(isThird).toBe(false);
  endFirst();
  await third;
});
