/** Makes requests that it is told, so many at a time, and throws the answers away: as fast as Node can be. */
import { Agent } from 'node:http';
import type { MadeRequest } from './answer-memory.ts';
import { get } from './get.ts';

export interface BareLoopOrder {
  readonly url: string;
  readonly authorization: string;
  readonly inFlight: number;
  readonly requests: readonly MadeRequest[];
}

process.once('message', async ({ url, authorization, inFlight, requests }: BareLoopOrder) => {
  const agent = new Agent({ keepAlive: true });
  const rest = requests.values();
  const worker = async () => {
    for (const { path, accept } of rest) {
      const answer = await get(agent, `${url}${path}`, { accept, authorization });
      for await (const _ of answer);
    }
  };
  await Promise.all(Array.from({ length: inFlight }, worker));
  process.disconnect();
});
