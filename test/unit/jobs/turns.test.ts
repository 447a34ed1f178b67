import { setImmediate } from 'node:timers/promises';
import { describe, expect, test } from '@jest/globals';
import { inTurns } from '../../../src/jobs/turns.ts';

/** Items with the turns that each takes; tells who was at work, in order. */
async function play(turns: Readonly<Record<string, number>>, concurrency: number) {
  const left = new Map(Object.entries(turns));
  const order: string[] = [];
  let atOnce = 0;
  let mostAtOnce = 0;
  const work = async (item: string, othersWait: () => boolean) => {
    mostAtOnce = Math.max(mostAtOnce, ++atOnce);
    order.push(item);
    do {
      await setImmediate();
      left.set(item, (left.get(item) ?? 0) - 1);
    } while (left.get(item) !== 0 && !othersWait());
    atOnce--;
    return left.get(item) === 0;
  };
  await inTurns([...left.keys()], work, { concurrency, signal: new AbortController().signal });
  return { order, mostAtOnce, left: [...left.values()] };
}

describe('work in turns', () => {
  test('a long one goes behind all that wait, and is done in the end', async () => {
    const { order, left } = await play({ long: 3, a: 1, b: 1 }, 1);
    expect(order).toEqual(['long', 'a', 'b', 'long']);
    expect(left).toEqual([0, 0, 0]);
  });

  test('more long ones than there are places take turns', async () => {
    const { order, mostAtOnce, left } = await play({ x: 2, y: 2, z: 2, short: 1 }, 2);
    expect(order.indexOf('short')).toBeLessThan(4);
    expect([mostAtOnce, left]).toEqual([2, [0, 0, 0, 0]]);
  });

  test('nothing to do is done', async () => {
    expect((await play({}, 4)).order).toEqual([]);
  });

  test('what fails ends it; nothing begins once it is aborted', async () => {
    const stop = new AbortController();
    const begun: number[] = [];
    const work = async (item: number) => {
      begun.push(item);
      await setImmediate();
      stop.abort(new Error('stopped'));
      throw new Error('failed');
    };
    await expect(inTurns([1, 2, 3], work, { concurrency: 1, signal: stop.signal })).rejects.toThrow('failed');
    await expect(inTurns([4], work, { concurrency: 1, signal: stop.signal })).rejects.toThrow('stopped');
    expect(begun).toEqual([1]);
  });
});
