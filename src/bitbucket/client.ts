import type { Got } from 'got';
import type { Clock } from '../clock.ts';
import type { IntegrationConfig } from '../config/config.ts';
import { SatelliteError } from '../errors.ts';
import { createHttp } from '../http/http.ts';
import { networkError } from '../http/network-error.ts';
import type { Probing } from '../http/probing.ts';
import { proxyAnswerError } from '../http/proxy-error.ts';
import type { ProxyServer } from '../http/proxy-server.ts';
import { type RetryPolicy, retryDelayMs, withRetry } from '../http/retry.ts';
import { killPoint } from '../ops/kill-point.ts';
import { type Account, chooseAccount } from './accounts.ts';
import { type Answer, answerError } from './answer-error.ts';

/** One request, with the credentials to use. */
type Attempt<T> = (authorization: string) => Promise<T>;

/** How long a diff takes says more about the diff than about the server. */
interface Timing {
  readonly measuresServer: boolean;
}

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

/** Each attempt is a process of git on the server, and there is another form to ask for. */
const diffRetryPolicy: RetryPolicy = { ...retryPolicy, maxAttempts: 3 };

export interface ClientOptions {
  /** At least one. */
  readonly accounts: readonly Account[];
  readonly clock: Clock;
  readonly signal?: AbortSignal;
  /** Undefined: none (`bitbucketProxy` decides). */
  readonly proxy?: ProxyServer | undefined;
  /** Undefined: with all the patience of a crawl. */
  readonly probing?: Probing;
  /** Nobody is let in for so long. */
  readonly onPaused?: (error: SatelliteError, pauseMs: number) => void;
  /** One of several credentials is refused; the others go on. */
  readonly onRefused?: (refusal: SatelliteError) => void;
}

/**
 * GET requests to one Bitbucket server, each as the account that has room. Each attempt passes that account's gate, has a
 * total deadline, and ends in a value or a SatelliteError of a kind that tells the caller what to do
 * (`answer-error.ts`). Waiting between attempts happens outside the gate, so that a slow item does not hold a place;
 * being throttled pauses the gate and costs no attempt.
 */
export class BitbucketClient {
  readonly counts: RequestCounts = { requests: 0, throttled: 0, retried: 0 };
  readonly #http: Got;
  readonly #accounts: readonly Account[];
  readonly #clock: Clock;
  readonly #signal: AbortSignal | undefined;
  readonly #proxy: ProxyServer | undefined;
  readonly #probing: Probing | undefined;
  readonly #onRefused: (refusal: SatelliteError) => void;
  readonly #onPaused: (error: SatelliteError, pauseMs: number) => void;

  constructor(integration: Pick<IntegrationConfig, 'url' | 'tls'>, options: ClientOptions) {
    this.#http = createHttp({
      baseUrl: `${integration.url}/${restRoot}`.replace(/\/$/, ''),
      headers: { accept: 'application/json' },
      timeoutMs: options.probing?.timeoutMs ?? jsonTimeoutMs,
      tls: integration.tls,
      proxy: options.proxy,
      signal: options.signal,
    });
    this.#accounts = options.accounts;
    this.#proxy = options.proxy;
    this.#probing = options.probing;
    this.#clock = options.clock;
    this.#signal = options.signal;
    this.#onRefused = options.onRefused ?? (() => undefined);
    this.#onPaused = options.onPaused ?? (() => undefined);
  }

  /** @param path below `/rest/api/latest`, each segment already encoded */
  async getJson<T>(path: string, query: Query = {}): Promise<T> {
    const { body } = await this.getAnswer<T>(path, query);
    return body;
  }

  /** As `getJson`, with the name of the user that Bitbucket took the request for: the one proof of who we are. */
  async getAnswer<T>(path: string, query: Query = {}): Promise<{ body: T; userName: string | undefined }> {
    return this.#retried(path, { measuresServer: true }, async (authorization) => {
      const { statusCode, headers, body, url } = await this.#http.get(path, {
        searchParams: { ...query },
        headers: { authorization },
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
    return this.#retried(path, { measuresServer: false }, async (authorization) => {
      const stream = this.#http.stream.get(path, {
        searchParams: { ...query },
        headers: { accept: 'text/plain', authorization },
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

  async #retried<T>(path: string, timing: Timing, attempt: Attempt<T>): Promise<T> {
    const onSomeAccount = () => this.#onSomeAccount(path, timing, attempt);
    if (this.#probing !== undefined) return onSomeAccount();
    return withRetry(onSomeAccount, {
      policy: timing.measuresServer ? retryPolicy : diffRetryPolicy,
      clock: this.#clock,
      ...this.#abortable(),
      onRetry: () => {
        this.counts.retried++;
      },
    });
  }

  /** Goes on with another account where one is refused, and waits at the gate where one is throttled. */
  async #onSomeAccount<T>(path: string, timing: Timing, attempt: Attempt<T>): Promise<T> {
    for (let throttles = 1; ; throttles++) {
      const account = chooseAccount(this.#accounts);
      if (account === undefined) throw this.#accounts[0]?.refusal;
      try {
        const inside = async () => {
          try {
            return await this.#asAccount(account, path, timing, attempt);
          } catch (error) {
            // Before the place is free again, or the next in line would run into the same 429.
            if (this.#isToWait(error)) this.#pause(account, error, throttles);
            throw error;
          }
        };
        return await account.gate.run(inside, this.#signal);
      } catch (error) {
        if (!(error instanceof SatelliteError)) throw error;
        if (error.kind === 'auth' && chooseAccount(this.#accounts) !== undefined) continue;
        if (!this.#isToWait(error)) throw error;
      }
    }
  }

  #isToWait(error: unknown): error is SatelliteError {
    return error instanceof SatelliteError && error.kind === 'throttled' && this.#probing === undefined;
  }

  #pause({ gate }: Account, error: SatelliteError, throttles: number): void {
    this.counts.throttled++;
    const backOffMs = retryDelayMs(error, throttles, retryPolicy, this.#clock.random) ?? 0;
    // What is short here, and not at the server, may be there again at any moment.
    const pauseMs = error.statusCode === 429 ? backOffMs : (error.retryAfterMs ?? backOffMs);
    this.#onPaused(error, pauseMs);
    if (error.statusCode === 429) gate.throttled(pauseMs, this.#clock.elapsedMs());
    else gate.pause(pauseMs, this.#clock.elapsedMs());
  }

  async #asAccount<T>(account: Account, path: string, { measuresServer }: Timing, attempt: Attempt<T>): Promise<T> {
    if (account.refusal !== undefined) throw account.refusal;
    this.counts.requests++;
    killPoint('fetch:before');
    const begunAtMs = this.#clock.elapsedMs();
    const answered = () => {
      const nowMs = this.#clock.elapsedMs();
      account.gate.answered(measuresServer ? nowMs - begunAtMs : undefined, nowMs);
    };
    try {
      const value = await attempt(account.authorization);
      answered();
      killPoint('fetch:after');
      return value;
    } catch (thrown) {
      const error = networkError(thrown, 'BITBUCKET', this.#urlOf(path));
      if (!(error instanceof SatelliteError)) throw error;
      if (error.statusCode === 503) account.gate.overloaded(this.#clock.elapsedMs());
      else if (error.statusCode !== undefined && error.statusCode !== 429) answered();
      if (error.kind === 'auth') {
        account.refusal = error;
        this.#onRefused(error);
      }
      throw error;
    }
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
