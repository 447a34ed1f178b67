import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import type { Latency, Traffic } from './answer-memory.ts';
import type { BitbucketSettings, Order, Reply } from './bitbucket-process.ts';

const program = new URL('./bitbucket-process.ts', import.meta.url);

export const credentials = { username: 'satellite', password: 'bench-password' };

/** The process that plays Bitbucket, as the bench sees it. */
export class Bitbucket implements AsyncDisposable {
  readonly #child: ChildProcess;
  #url = '';

  private constructor() {
    this.#child = fork(program, { serialization: 'advanced' });
  }

  static async start(settings: Omit<BitbucketSettings, 'username' | 'password'>): Promise<Bitbucket> {
    const bitbucket = new Bitbucket();
    const { url = '' } = await bitbucket.#ask({ kind: 'start', settings: { ...credentials, ...settings } });
    bitbucket.#url = url;
    return bitbucket;
  }

  get url(): string {
    return this.#url;
  }

  async reset(latency: Latency = { everyMs: 0 }): Promise<void> {
    await this.#ask({ kind: 'reset', latency });
  }

  async forgetLists(): Promise<void> {
    await this.#ask({ kind: 'forget-lists' });
  }

  /** Since the last reset. */
  async traffic(): Promise<Traffic & { readonly cpuSeconds: number }> {
    const { traffic, cpuSeconds } = await this.#ask({ kind: 'traffic' });
    if (traffic === undefined || cpuSeconds === undefined) throw new Error('the server counts nothing');
    return { ...traffic, cpuSeconds };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode !== null) return;
    const ended = once(this.#child, 'exit');
    this.#child.disconnect();
    await ended;
  }

  async #ask(order: Order): Promise<Reply> {
    const ended = new AbortController();
    const reply = once(this.#child, 'message', { signal: ended.signal });
    const gone = once(this.#child, 'exit', { signal: ended.signal }).then(() => {
      throw new Error('the server has ended');
    });
    this.#child.send(order);
    try {
      const [answer] = (await Promise.race([reply, gone])) as [Reply];
      return answer;
    } finally {
      ended.abort();
      await Promise.allSettled([reply, gone]);
    }
  }
}
