import type { IncomingHttpHeaders } from 'node:http';
import type { Got, Request } from 'got';
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
import type { RequestObserver } from '../ops/monitor.ts';
import { type Account, refusalOf, runAsFirst, usableAccounts } from './accounts.ts';
import { type Answer, answerError } from './answer-error.ts';

/** One request, with the credentials to use. */
type Attempt<T> = (authorization: string, heard: () => void) => Promise<T>;

/** How long a diff takes says more about the diff than about the server. */
interface Timing {
  readonly measuresServer: boolean;
  /** Refused, it says nothing about the other requests: an access token may be good for one and not for the other. */
  readonly isForGit?: boolean;
}

/** One request of git's own protocol for reading a repository. */
export interface GitRequest {
  readonly method: 'GET' | 'POST';
  /** Below the base URL, as it goes over the wire, with its query. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: Buffer;
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
/** A clone streams for hours, if it must; a server that says nothing for so long has given up. */
const gitTimeoutMs = 4 * 60 * 60 * 1000;
const gitSilenceMs = 300_000;
/** Several are held at a time, each as text and as what it says. */
const maxAnswerBytes = 64 * 1024 * 1024;
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
  /** Nobody is let in for so long, as the answer to this path had it. */
  readonly onPaused?: (error: SatelliteError, pauseMs: number, path: string) => void;
  /** The path is asked for again after so long. */
  readonly onRetry?: (error: SatelliteError, delayMs: number, path: string) => void;
  /** One of several credentials is refused; the others go on. */
  readonly onRefused?: (refusal: SatelliteError) => void;
  /** Told of each attempt. */
  readonly observer?: RequestObserver | undefined;
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
  readonly #baseUrl: string;
  readonly #newGitHttp: () => Got;
  #gitHttp: Got | undefined;
  readonly #accounts: readonly Account[];
  readonly #clock: Clock;
  readonly #signal: AbortSignal | undefined;
  readonly #proxy: ProxyServer | undefined;
  readonly #probing: Probing | undefined;
  readonly #onRefused: (refusal: SatelliteError) => void;
  readonly #onPaused: NonNullable<ClientOptions['onPaused']>;
  readonly #onRetry: NonNullable<ClientOptions['onRetry']>;
  readonly #observer: RequestObserver | undefined;

  constructor(integration: Pick<IntegrationConfig, 'url' | 'tls'>, options: ClientOptions) {
    const way = { tls: integration.tls, proxy: options.proxy, signal: options.signal };
    this.#http = createHttp({
      ...way,
      baseUrl: `${integration.url}/${restRoot}`.replace(/\/$/, ''),
      headers: { accept: 'application/json' },
      timeoutMs: options.probing?.timeoutMs ?? jsonTimeoutMs,
    });
    this.#newGitHttp = () =>
      createHttp({ ...way, baseUrl: integration.url, headers: { accept: '*/*' }, timeoutMs: gitTimeoutMs });
    this.#baseUrl = integration.url;
    this.#accounts = options.accounts;
    this.#proxy = options.proxy;
    this.#probing = options.probing;
    this.#clock = options.clock;
    this.#signal = options.signal;
    this.#onRefused = options.onRefused ?? (() => undefined);
    this.#onPaused = options.onPaused ?? (() => undefined);
    this.#onRetry = options.onRetry ?? (() => undefined);
    this.#observer = options.observer;
  }

  /** Whether this server has sent a raw diff to this process, in whatever job. */
  get hasSentRawDiff(): boolean {
    return this.#accounts.some(({ rawDiffsOf }) => rawDiffsOf.has(this.#baseUrl));
  }

  noteRawDiff(): void {
    for (const { rawDiffsOf } of this.#accounts) rawDiffsOf.add(this.#baseUrl);
  }

  /** @param path below `/rest/api/latest`, each segment already encoded */
  async getJson<T>(path: string, query: Query = {}): Promise<T> {
    const { body } = await this.getAnswer<T>(path, query);
    return body;
  }

  /** As `getJson`, with the name of the user that Bitbucket took the request for: the one proof of who we are. */
  async getAnswer<T>(path: string, query: Query = {}): Promise<{ body: T; userName: string | undefined }> {
    return this.#retried(path, { measuresServer: true }, async (authorization) => {
      const stream = this.#http.stream.get(path, {
        searchParams: { ...query },
        headers: { authorization },
        ...this.#abortable(),
      });
      return this.#streamed(stream, { mayBeEmpty: true }, async (headers, statusCode) => {
        if (statusCode === 204) return { body: undefined as T, userName: undefined };
        const userName = headers['x-ausername'];
        const body = parseJson<T>(await readText(stream, this.#urlOf(path, false)), this.#urlOf(path, false));
        return { body, userName: typeof userName === 'string' ? userName : undefined };
      });
    });
  }

  /**
   * Streams a text answer through `consume`, which sees the bytes as they arrive; nothing is kept here. An attempt that
   * breaks off is repeated from its beginning, so `consume` must start afresh on each call.
   *
   * @throws SatelliteError `BITBUCKET_DIFF_INCOMPLETE` where it breaks off each time
   */
  async streamText<T>(
    path: string,
    query: Query,
    consume: (chunks: AsyncIterable<Uint8Array>, contentType: string) => Promise<T>,
  ): Promise<T> {
    return this.#retried(path, { measuresServer: false }, async (authorization, heard) => {
      const stream = this.#http.stream.get(path, {
        searchParams: { ...query },
        headers: { accept: 'text/plain', authorization },
        timeout: { request: diffTimeoutMs },
        ...this.#abortable(),
      });
      stream.on('downloadProgress', heard);
      return this.#streamed(stream, {}, async (headers, statusCode) => {
        try {
          return await consume(stream, String(headers['content-type'] ?? ''));
        } catch (thrown) {
          const error = networkError(thrown, 'BITBUCKET', this.#urlOf(path, false));
          const isCut = error instanceof SatelliteError && error.code === 'BITBUCKET_UNREACHABLE';
          throw isCut ? cutText(error, statusCode) : error;
        }
      });
    });
  }

  /**
   * As the git of this machine has it, but with the credentials, the certificates, the proxy and the gate of all the other
   * requests; it holds its place until the answer has passed. `consume` is called once at most.
   *
   * @throws SatelliteError where there is no answer to pass on
   */
  async git<T>(
    { method, path, headers, body }: GitRequest,
    consume: (chunks: AsyncIterable<Uint8Array>, headers: IncomingHttpHeaders) => Promise<T>,
  ): Promise<T> {
    this.#gitHttp ??= this.#newGitHttp();
    const http = this.#gitHttp;
    const isForGit = true;
    const passed = await this.#retried(path, { measuresServer: false, isForGit }, async (authorization) => {
      const stream = http.stream(path, {
        method,
        headers: { ...headers, authorization },
        timeout: { request: gitTimeoutMs, socket: gitSilenceMs },
        ...(body === undefined ? {} : { body }),
        ...this.#abortable(),
      });
      return this.#streamed(stream, { isForGit }, async (answerHeaders) => {
        // From here on an attempt is not repeated: what has passed has passed.
        try {
          return { value: await consume(stream, answerHeaders) };
        } catch (error) {
          return { error };
        }
      });
    });
    if ('value' in passed) return passed.value;
    throw networkError(passed.error, 'BITBUCKET', `${http.defaults.options.prefixUrl}${path}`);
  }

  async #streamed<T>(
    stream: Request,
    { isForGit = false, mayBeEmpty = false }: { readonly isForGit?: boolean; readonly mayBeEmpty?: boolean },
    consume: (headers: IncomingHttpHeaders, statusCode: number) => Promise<T>,
  ): Promise<T> {
    try {
      const response = await new Promise<{ statusCode: number; headers: IncomingHttpHeaders; url: string }>(
        (resolve, reject) => {
          stream.once('response', resolve).once('error', reject);
        },
      );
      const { statusCode, headers, url } = response;
      this.#probing?.onAnswer(headers);
      if (statusCode === 200 || (statusCode === 204 && mayBeEmpty)) return await consume(headers, statusCode);
      throw this.#answerError({ statusCode, headers, body: await readStart(stream), url, isForGit });
    } finally {
      stream.destroy();
    }
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
      onRetry: (error, delayMs) => {
        this.counts.retried++;
        this.#onRetry(error, delayMs, path);
      },
    });
  }

  /** Goes on with another account where one is refused or throttled, and waits where all of them are. */
  async #onSomeAccount<T>(path: string, timing: Timing, attempt: Attempt<T>): Promise<T> {
    const isForGit = timing.isForGit === true;
    const throttles = new Map<Account, number>();
    const inside = async (account: Account) => {
      try {
        return await this.#asAccount(account, path, timing, attempt);
      } catch (error) {
        // Before the place is free again, or the next in line would run into the same 429.
        if (this.#isToWait(error)) {
          const times = (throttles.get(account) ?? 0) + 1;
          throttles.set(account, times);
          this.#pause(account, error, times, path);
        }
        throw error;
      }
    };
    for (;;) {
      const accounts = usableAccounts(this.#accounts, isForGit);
      if (accounts.length === 0) throw this.#accounts[0] && refusalOf(this.#accounts[0], isForGit);
      try {
        return await runAsFirst(accounts, inside, this.#signal, (waitedMs) => this.#observer?.waited(waitedMs / 1000));
      } catch (error) {
        if (!(error instanceof SatelliteError)) throw error;
        if (error.kind === 'auth' && usableAccounts(this.#accounts, isForGit).length > 0) continue;
        if (!this.#isToWait(error)) throw error;
      }
    }
  }

  #isToWait(error: unknown): error is SatelliteError {
    return error instanceof SatelliteError && error.kind === 'throttled' && this.#probing === undefined;
  }

  #pause({ gate }: Account, error: SatelliteError, throttles: number, path: string): void {
    this.counts.throttled++;
    if (error.statusCode === 429) this.#observer?.throttled();
    const backOffMs = retryDelayMs(error, throttles, retryPolicy, this.#clock.random) ?? 0;
    // What is short here, and not at the server, may be there again at any moment.
    const pauseMs = error.statusCode === 429 ? backOffMs : (error.retryAfterMs ?? backOffMs);
    if (error.statusCode === 429) {
      this.#onPaused(error, gate.throttled(pauseMs, this.#clock.elapsedMs()), path);
      return;
    }
    gate.pause(pauseMs, this.#clock.elapsedMs());
    this.#onPaused(error, pauseMs, path);
  }

  async #asAccount<T>(account: Account, path: string, timing: Timing, attempt: Attempt<T>): Promise<T> {
    const { measuresServer, isForGit = false } = timing;
    const refusal = refusalOf(account, isForGit);
    if (refusal !== undefined) throw refusal;
    this.counts.requests++;
    killPoint('fetch:before');
    const begunAtMs = this.#clock.elapsedMs();
    // Git says nothing while it counts, and has a limit of its own for that.
    const inFlight = isForGit ? undefined : this.#observer?.begun?.();
    const endLong = isForGit ? account.gate.beginLong() : undefined;
    const answered = () => {
      const nowMs = this.#clock.elapsedMs();
      account.gate.answered(measuresServer ? nowMs - begunAtMs : undefined, nowMs);
    };
    try {
      const value = await attempt(account.authorization, () => inFlight?.heard());
      answered();
      this.#observer?.ended((this.#clock.elapsedMs() - begunAtMs) / 1000);
      killPoint('fetch:after');
      return value;
    } catch (thrown) {
      const error = networkError(thrown, 'BITBUCKET', this.#urlOf(path, isForGit));
      if (!(error instanceof SatelliteError)) throw error;
      this.#observer?.ended((this.#clock.elapsedMs() - begunAtMs) / 1000, error);
      if (error.statusCode === 503) account.gate.overloaded(this.#clock.elapsedMs());
      else if (error.statusCode !== undefined && error.statusCode !== 429) answered();
      if (error.kind === 'auth' && isForGit) account.gitRefusal = error;
      else if (error.kind === 'auth') {
        account.refusal = error;
        this.#onRefused(error);
      }
      throw error;
    } finally {
      inFlight?.over();
      endLong?.();
    }
  }

  #urlOf(path: string, isForGit: boolean): string {
    return `${((isForGit && this.#gitHttp) || this.#http).defaults.options.prefixUrl}${path}`;
  }
}

/** The server has answered and begun: it may be this very text that it, or a proxy, cannot bring to its end. */
function cutText(cause: SatelliteError, statusCode: number): SatelliteError {
  const { url } = cause;
  return new SatelliteError('The text broke off', {
    code: 'BITBUCKET_DIFF_INCOMPLETE',
    kind: 'retryable',
    statusCode,
    cause,
    ...(url === undefined ? {} : { url }),
  });
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

/** As text alone: the bytes are let go of as they come. */
async function readText(stream: AsyncIterable<Uint8Array>, url: string): Promise<string> {
  const decoder = new TextDecoder();
  let text = '';
  let bytes = 0;
  for await (const chunk of stream) {
    bytes += chunk.length;
    if (bytes > maxAnswerBytes) {
      throw new SatelliteError('The answer is larger than 64 MiB', {
        code: 'BITBUCKET_ANSWER_TOO_LARGE',
        kind: 'unsupported',
        hint: 'Lower the page.max.* properties of Bitbucket.',
        url,
      });
    }
    text += decoder.decode(chunk, { stream: true });
  }
  return text + decoder.decode();
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
