/** Bitbucket in a process of its own, so that its work is not the satellite's. Speaks with its parent by messages. */
import type { RateLimit, RepositoryOptions } from '../simulators/bitbucket/options.ts';
import { startBitbucketSimulator } from '../simulators/bitbucket/simulator.ts';
import { AnswerMemory, type Latency, type Traffic } from './answer-memory.ts';

export interface BitbucketSettings {
  readonly repositories: readonly RepositoryOptions[];
  readonly username: string;
  readonly password: string;
  /** Answers from memory what was asked before; without it every answer is made by git, at `latencyMs` from the start. */
  readonly fromMemory: boolean;
  readonly latencyMs?: number;
  readonly rateLimit?: RateLimit;
}

export type Order =
  | { readonly kind: 'start'; readonly settings: BitbucketSettings }
  /** Begins a measurement. */
  | { readonly kind: 'reset'; readonly latency: Latency }
  | { readonly kind: 'forget-lists' }
  | { readonly kind: 'traffic' };

export type Reply = { readonly url?: string; readonly traffic?: Traffic; readonly cpuSeconds?: number };

let simulator: Awaited<ReturnType<typeof startBitbucketSimulator>>;
let memory: AnswerMemory | undefined;
let cpuAtReset = process.cpuUsage();

async function follow(order: Order): Promise<Reply> {
  switch (order.kind) {
    case 'start': {
      const { username, password, fromMemory, latencyMs = 0, ...settings } = order.settings;
      const credentials = [{ kind: 'basic', username, password } as const];
      simulator = await startBitbucketSimulator({ ...settings, credentials, latencyMs });
      if (!fromMemory) return { url: simulator.url };
      memory = new AnswerMemory(simulator.url);
      return { url: await memory.listen() };
    }
    case 'reset':
      simulator.resetRequests();
      memory?.reset();
      if (memory) memory.latency = order.latency;
      cpuAtReset = process.cpuUsage();
      return {};
    case 'forget-lists':
      memory?.forgetLists();
      return {};
    case 'traffic': {
      const { user, system } = process.cpuUsage(cpuAtReset);
      return { traffic: memory?.traffic ?? trafficOf(simulator), cpuSeconds: (user + system) / 1e6 };
    }
  }
}

/** Without the memory in front, times are those of the arrivals alone. */
function trafficOf({ requests: { list } }: typeof simulator): Traffic {
  const seconds = ((list.at(-1)?.atMs ?? 0) - (list[0]?.atMs ?? 0)) / 1000;
  const throttled = list.filter(({ status }) => status === 429).length;
  return { requests: list.map(({ path }) => ({ path, accept: '' })), seconds, unknown: list.length, throttled };
}

process.on('message', (order: Order) => {
  follow(order).then(
    (reply) => process.send?.(reply),
    (error: unknown) => {
      process.stderr.write(`${error instanceof Error ? error.stack : error}\n`);
      process.exit(1);
    },
  );
});
process.on('disconnect', () => process.exit());
