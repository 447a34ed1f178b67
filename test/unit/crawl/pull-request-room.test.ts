import { setImmediate } from 'node:timers/promises';
import { describe, expect, test } from '@jest/globals';
import { PullRequestRoom } from '../../../src/crawl/pull-request-room.ts';

const mebibyte = 1024 * 1024;

async function isDone(work: Promise<unknown>): Promise<boolean> {
  let done = false;
  void work.then(() => {
    done = true;
  });
  await setImmediate();
  return done;
}

describe('the room for pull requests', () => {
  test('lets in so many at a time, and the next when one leaves, in order', async () => {
    const room = new PullRequestRoom(20);
    const places = await Promise.all(Array.from({ length: 20 }, () => room.enter()));
    const [next, later] = [room.enter(), room.enter()];
    expect(await isDone(next)).toBe(false);
    places[3]?.leave();
    places[3]?.leave();
    expect([await isDone(next), await isDone(later)]).toEqual([true, false]);
    (await next).leave();
    expect(await isDone(later)).toBe(true);
  });

  test('has one large one at a time; small ones go on beside it', async () => {
    const room = new PullRequestRoom(1);
    const [first, second, third, small] = await Promise.all([room.enter(), room.enter(), room.enter(), room.enter()]);
    await first.grow(mebibyte);
    await first.grow(mebibyte);
    const [ofSecond, ofThird] = [second.grow(mebibyte), third.grow(mebibyte)];
    await small.grow(1_000);
    expect([await isDone(ofSecond), await isDone(ofThird)]).toEqual([false, false]);
    first.leave();
    expect([await isDone(ofSecond), await isDone(ofThird)]).toEqual([true, false]);
    // One that is given up while it waits takes nobody's turn.
    third.leave();
    expect(await isDone(ofThird)).toBe(true);
    second.leave();
    await small.grow(mebibyte);
    const last = await room.enter();
    expect(await isDone(last.grow(mebibyte))).toBe(false);
  });

  test('one that is read again begins small', async () => {
    const place = await new PullRequestRoom(1).enter();
    await place.grow(mebibyte);
    place.begin();
    expect(place.bytes).toBe(0);
  });
});
