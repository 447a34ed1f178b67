import type { Got } from 'got';
import type { Clock } from '../clock.ts';
import type { IntegrationConfig } from '../config/config.ts';
import { SatelliteError } from '../errors.ts';
import { createHttp } from '../http/http.ts';
import { networkError } from '../http/network-error.ts';
import type { Probing } from '../http/probing.ts';
import { proxyAnswerError } from '../http/proxy-error.ts';
import type { ProxyServer } from '../http/proxy-server.ts';
import { type RetryPolicy, withRetry } from '../http/retry.ts';
import { killPoint } from '../ops/kill-point.ts';
import { type Answer, answerError } from './answer-error.ts';
import type { Gate } from './gate.ts';

export type Query = Readonly<Record<string, string | number | boolean | undefined>>;

/** What the client has asked for so far; only ever grows. */
export interface RequestCounts {
  requests: number;
  throttled: number;
  retried: number;
}

const restRoot = 'rest/api/latest/';
const jsonTimeoutMs = 60_000;
/** A diff streams for as long as git needs to make it. */
const diffTimeoutMs = 300_000;
const maxErrorBodyBytes = 64 * 1024;

const retryPolicy: RetryPolicy = { maxAttempts: 6, baseDelayMs: 1_000, maxDelayMs: 60_000, retries500: false };

/**
 * GET requests to one Bitbucket server with one credential. Each attempt passes the gate, has a total deadline, and
 * ends in a value or a SatelliteError of a kind that tells the caller what to do (`answer-error.ts`). Waiting between
 * attempts happens outside the gate, so that a slow item does not hold a place.
 */
export class BitbucketClient {
  readonly counts: RequestCounts = { requests: 0, throttled: 0, retried: 0 };
  readonly #http: Got;
  readonly #gate: Gate;
  readonly #clock: Clock;
  readonly #signal: AbortSignal | undefined;
  readonly #proxy: ProxyServer | undefined;
  readonly #probing: Probing | undefined;
  /** The answer that refused the credentials: from then on nothing is asked, so that the account is not locked. */
  #refusal: SatelliteError | undefined;

  /**
   * @param options.proxy undefined: none (`bitbucketProxy` decides)
   * @param options.probing undefined: with all the patience of a crawl
   */
  constructor(
    integration: IntegrationConfig,
    options: { gate: Gate; clock: Clock; signal?: AbortSignal; proxy?: ProxyServer | undefined; probing?: Probing },
  ) {
    const { credentials } = integration;
    this.#http = createHttp({
      baseUrl: `${integration.url}/${restRoot}`.replace(/\/$/, ''),
      headers: {
        accept: 'application/json',
        authorization:
          credentials.kind === 'bearer'
            ? `Bearer ${credentials.token}`
            : `Basic ${Buffer.from(`${credentials.username}:${credentials.password}`).toString('base64')}`,
      },
      timeoutMs: options.probing?.timeoutMs ?? jsonTimeoutMs,
      tls: integration.tls,
      proxy: options.proxy,
      signal: options.signal,
    });
    this.#proxy = options.proxy;
    this.#probing = options.probing;
    this.#gate = options.gate;
    this.#clock = options.clock;
    this.#signal = options.signal;
  }

  /** @param path below `/rest/api/latest`, each segment already encoded */
  async getJson<T>(path: string, query: Query = {}): Promise<T> {
    const { body } = await this.getAnswer<T>(path, query);
    return body;
  }

  /** As `getJson`, with the name of the user that Bitbucket took the request for: the one proof of who we are. */
  async getAnswer<T>(path: string, query: Query = {}): Promise<{ body: T; userName: string | undefined }> {
    return this.#retried(path, async () => {
      const { statusCode, headers, body, url } = await this.#http.get(path, {
        searchParams: { ...query },
        responseType: 'text',
        ...this.#abortable(),
      });
      this.#probing?.onAnswer(headers);
      if (statusCode === 204) return { body: undefined as T, userName: undefined };
      if (statusCode !== 200) throw this.#answerError({ statusCode, headers, body, url });
      const userName = headers['x-ausername'];
      return { body: parseJson<T>(body, url), userName: typeof userName === 'string' ? userName : undefined };
    });
  }

  /**
   * Streams a text answer through `consume`, which sees the bytes as they arrive; nothing is kept here. An attempt that
   * breaks off is repeated from its beginning, so `consume` must start afresh on each call.
   */
  async streamText<T>(
    path: string,
    query: Query,
    consume: (chunks: AsyncIterable<Uint8Array>, contentType: string) => Promise<T>,
  ): Promise<T> {
    return this.#retried(path, async () => {
      const stream = this.#http.stream.get(path, {
        searchParams: { ...query },
        headers: { accept: 'text/plain' },
        timeout: { request: diffTimeoutMs },
        ...this.#abortable(),
      });
      try {
        const response = await new Promise<{
          statusCode: number;
          headers: NodeJS.Dict<string | string[]>;
          url: string;
        }>((resolve, reject) => {
          stream.once('response', resolve).once('error', reject);
        });
        const { statusCode, headers, url } = response;
        if (statusCode === 200) return await consume(stream, String(headers['content-type'] ?? ''));
        throw this.#answerError({ statusCode, headers, body: await readStart(stream), url });
      } finally {
        stream.destroy();
      }
    });
  }

  #answerError(answer: Answer): SatelliteError {
    return proxyAnswerError(answer, this.#proxy) ?? answerError(answer, this.#clock.now());
  }

  #abortable() {
    return this.#signal === undefined ? {} : { signal: this.#signal };
  }

  async #retried<T>(path: string, attempt: () => Promise<T>): Promise<T> {
    const throughGate = () =>
      this.#gate.run(async () => {
        if (this.#refusal !== undefined) throw this.#refusal;
        this.counts.requests++;
        killPoint('fetch:before');
        try {
          const value = await attempt();
          killPoint('fetch:after');
          return value;
        } catch (thrown) {
          const error = networkError(thrown, 'BITBUCKET', this.#urlOf(path));
          if (error instanceof SatelliteError && error.kind === 'auth') this.#refusal = error;
          throw error;
        }
      }, this.#signal);
    if (this.#probing !== undefined) return throughGate();
    return withRetry(throughGate, {
      policy: retryPolicy,
      clock: this.#clock,
      ...this.#abortable(),
      onRetry: (error, delayMs) => {
        if (error.kind === 'throttled') {
          this.counts.throttled++;
          this.#gate.pause(delayMs, this.#clock.elapsedMs());
        } else {
          this.counts.retried++;
        }
      },
    });
  }

  #urlOf(path: string): string {
    return `${this.#http.defaults.options.prefixUrl}${path}`;
  }
}

function parseJson<T>(body: string, url: string): T {
  try {
    return JSON.parse(body) as T;
  } catch (cause) {
    throw new SatelliteError(body === '' ? 'The answer is empty' : 'The answer is not JSON', {
      code: 'BITBUCKET_ANSWER_UNREADABLE',
      kind: 'retryable',
      hint: 'A login page or a proxy may stand between the satellite and Bitbucket: check the url.',
      url,
      cause,
    });
  }
}

async function readStart(stream: AsyncIterable<Uint8Array>): Promise<string> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of stream) {
    chunks.push(chunk);
    bytes += chunk.length;
    if (bytes >= maxErrorBodyBytes) break;
  }
  return Buffer.concat(chunks).toString('utf8');
}
