import { setTimeout as delay } from 'node:timers/promises';
import { type LogLine, type Satellite, told } from './satellite.ts';

/** A satellite that ends by itself more often than this in a row does not come up any more. */
const maxUnexpectedEnds = 5;

/**
 * Keeps a satellite running as a service manager does: started → killed (by the test, or by itself where it was armed to)
 * → started again … → `stop` → stopped. An end that nobody asked for is a problem.
 */
export class Keeper {
  readonly problems: string[] = [];
  /** Milliseconds from start to ready, of each start that got that far. */
  readonly readyMs: number[] = [];
  readonly satellites: Satellite[] = [];
  kills = 0;
  readonly #start: (nth: number) => Satellite;
  #unexpected = 0;
  #isStopping = false;
  #keeping: Promise<void> | undefined;

  /** @param start of the satellite, for the n-th time, from 0 on */
  constructor(start: (nth: number) => Satellite) {
    this.#start = start;
  }

  get current(): Satellite {
    const current = this.satellites.at(-1);
    if (current === undefined) throw new Error('nothing was started yet');
    return current;
  }

  get lines(): LogLine[] {
    return this.satellites.flatMap(({ lines }) => lines);
  }

  start(): void {
    this.#isStopping = false;
    this.#keeping = this.#keep();
  }

  async stop(): Promise<void> {
    this.#isStopping = true;
    const { problems } = await this.current.stop();
    this.problems.push(...problems);
    await this.#keeping;
  }

  /** Kills what runs, if anything, and lets it be started again. */
  kill(): void {
    this.current.child.kill('SIGKILL');
  }

  /** Whatever runs ends at once, and nothing is started any more. */
  async abandon(): Promise<void> {
    this.#isStopping = true;
    await Promise.all(this.satellites.map((satellite) => satellite.kill()));
    await this.#keeping;
  }

  async #keep(): Promise<void> {
    while (!this.#isStopping) {
      const satellite = this.#start(this.satellites.length);
      this.satellites.push(satellite);
      void satellite.ready.then((ms) => this.readyMs.push(ms));
      const ending = await satellite.ended;
      if (this.#isStopping) return;
      if (ending.signal === 'SIGKILL') {
        this.kills++;
        this.#unexpected = 0;
        continue;
      }
      this.problems.push(`ended by itself: ${told(ending)}: ${satellite.tail()}`);
      if (++this.#unexpected >= maxUnexpectedEnds) return;
      await delay(200);
    }
  }
}
