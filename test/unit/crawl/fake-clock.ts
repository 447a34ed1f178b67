import type { Clock } from '../../../src/clock.ts';

/** A clock that moves only while somebody sleeps, which takes no time, and that remembers how long they slept. */
export class FakeClock implements Clock {
  readonly sleeps: number[] = [];
  nowMs: number;
  chance = 0.5;

  constructor(nowMs = Date.UTC(2026, 0, 1)) {
    this.nowMs = nowMs;
  }

  readonly now = () => this.nowMs;

  readonly elapsedMs = () => this.nowMs;

  readonly random = () => this.chance;

  readonly sleep = async (ms: number, signal?: AbortSignal) => {
    signal?.throwIfAborted();
    this.sleeps.push(ms);
    this.nowMs += ms;
    await new Promise((resolve) => setImmediate(resolve));
    signal?.throwIfAborted();
  };
}
