import { once } from 'node:events';
import { Agent, createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { crc32 } from 'node:zlib';
import { get } from './get.ts';

/** One request, as far as it has to be known to make it again. */
export interface MadeRequest {
  readonly path: string;
  readonly accept: string;
}

/** What was asked for since the last reset. */
export interface Traffic {
  readonly requests: readonly MadeRequest[];
  /** From the arrival of the first request to the end of the last answer. */
  readonly seconds: number;
  /** Requests that had to be handed to the simulator. */
  readonly unknown: number;
  /** Answers 429. */
  readonly throttled: number;
}

/** How long the server takes. */
export interface Latency {
  readonly everyMs: number;
  /** Of one path in twenty, always the same ones, instead. */
  readonly slowMs?: number;
}

interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

/**
 * Stands before a Bitbucket simulator and answers what it has answered before from memory, after a latency. So the time
 * that git takes to make a diff on this machine, which a client cannot do anything about, is in no measurement.
 */
export class AnswerMemory {
  latency: Latency = { everyMs: 0 };
  readonly #target: string;
  readonly #answers = new Map<string, Answer>();
  readonly #agent = new Agent({ keepAlive: true });
  readonly #server = createServer({ keepAliveTimeout: 60_000 }, (request, response) => {
    this.#exchange(request, response).catch(() => response.destroy());
  });
  #requests: MadeRequest[] = [];
  #unknown = 0;
  #firstAtMs: number | undefined;
  #lastAtMs = 0;

  /** @param target url of the simulator */
  constructor(target: string) {
    this.#target = target;
  }

  /** Resolves with the url. */
  async listen(): Promise<string> {
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  get traffic(): Traffic {
    const seconds = (this.#lastAtMs - (this.#firstAtMs ?? this.#lastAtMs)) / 1000;
    return { requests: this.#requests, seconds, unknown: this.#unknown, throttled: 0 };
  }

  reset(): void {
    this.#requests = [];
    this.#unknown = 0;
    this.#firstAtMs = undefined;
    this.#lastAtMs = 0;
  }

  /** Everything but diffs, which are of commits and never change. */
  forgetLists(): void {
    for (const key of this.#answers.keys()) if (!/\/diff(\?|$)/.test(key)) this.#answers.delete(key);
  }

  async #exchange(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = request.url ?? '/';
    const accept = request.headers.accept ?? '*/*';
    this.#firstAtMs ??= performance.now();
    this.#requests.push({ path, accept });
    const latencyMs = latencyOf(path, this.latency);
    if (latencyMs > 0) await delay(latencyMs);
    const key = `${accept} ${path}`;
    let answer = this.#answers.get(key);
    if (answer === undefined) {
      this.#unknown++;
      answer = await this.#ask(path, accept, request.headers.authorization ?? '');
      this.#answers.set(key, answer);
    }
    response.once('close', () => {
      this.#lastAtMs = performance.now();
    });
    response.writeHead(answer.status, answer.headers);
    response.end(answer.body);
  }

  async #ask(path: string, accept: string, authorization: string): Promise<Answer> {
    const answer = await get(this.#agent, `${this.#target}${path}`, { accept, authorization });
    const headers: Record<string, string> = {};
    for (const name of ['content-type', 'x-ausername', 'x-arequestid', 'cache-control']) {
      const value = answer.headers[name];
      if (value !== undefined) headers[name] = String(value);
    }
    const body = Buffer.concat(await answer.toArray());
    return { status: answer.statusCode ?? 0, headers: { ...headers, 'content-length': String(body.length) }, body };
  }
}

function latencyOf(path: string, { everyMs, slowMs }: Latency): number {
  return slowMs !== undefined && crc32(path) % 20 === 0 ? slowMs : everyMs;
}
