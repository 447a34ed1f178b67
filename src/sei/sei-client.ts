import { randomUUID } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import type { Got, OptionsOfTextResponseBody } from 'got';
import type { Clock } from '../clock.ts';
import type { SatelliteConfig } from '../config/config.ts';
import { SatelliteError } from '../errors.ts';
import { createHttp } from '../http/http.ts';
import { networkError } from '../http/network-error.ts';
import type { Probing } from '../http/probing.ts';
import { proxyAnswerError } from '../http/proxy-error.ts';
import type { ProxyServer } from '../http/proxy-server.ts';
import { redirectHost } from '../http/redirect.ts';
import { parseRetryAfterMs } from '../http/retry.ts';
import type { RequestObserver } from '../ops/monitor.ts';
import { scanController } from './handle.ts';
import type { AgentHandle, CreateJobRequest, JobReport, ListWrapper, LiteJobRequest, StorageResult } from './types.ts';

const timeoutMs = 120_000;

export interface PagePush {
  readonly integrationId: string;
  readonly jobId: string;
  /** `<data_type>/<data_type>.<n>.json` */
  readonly relativePath: string;
  readonly content: Uint8Array;
}

/**
 * SEI's control plane and its push (sei-protocol §1, §3). One attempt a call: when to try again is decided by the control
 * loop and the pusher, which have all the time there is. Every call throws a SatelliteError:
 * - `auth` 401 and 403: the key, or the tenant that does not belong to it
 * - `gone` 404, and `SEI_CONFLICT` for 409
 * - `throttled` 429; `retryable` 5xx, 408, 425 and no answer; `config` a redirect, which is not followed; `bug` anything
 *   else
 */
export class SeiClient {
  readonly #http: Got;
  readonly #tenant: string;
  readonly #clock: Clock;
  readonly #signal: AbortSignal | undefined;
  readonly #proxy: ProxyServer | undefined;
  readonly #probing: Probing | undefined;
  readonly #observer: RequestObserver | undefined;

  /** @param options.proxy undefined: none (`seiProxy` decides) */
  constructor(
    satellite: SatelliteConfig,
    options: {
      clock: Clock;
      signal?: AbortSignal;
      proxy?: ProxyServer | undefined;
      probing?: Probing;
      observer?: RequestObserver;
    },
  ) {
    this.#http = createHttp({
      baseUrl: `${satellite.url}/v1/ingestion`,
      headers: { accept: 'application/json', authorization: `Apikey ${satellite.apiKey}` },
      timeoutMs: options.probing?.timeoutMs ?? timeoutMs,
      tls: satellite.tls,
      proxy: options.proxy,
      signal: options.signal,
    });
    this.#proxy = options.proxy;
    this.#probing = options.probing;
    this.#observer = options.observer;
    this.#tenant = satellite.tenant;
    this.#clock = options.clock;
    this.#signal = options.signal;
  }

  async register(handle: AgentHandle): Promise<void> {
    await this.#post('agent-callback/register', handle);
  }

  async heartbeat(handle: AgentHandle): Promise<void> {
    await this.#post('agent-callback/heartbeat', handle);
  }

  async listJobs(handle: AgentHandle): Promise<readonly LiteJobRequest[]> {
    const answer = await this.#post('agent-callback/jobs/requests/list', handle, { reserved: 'true' });
    return parseJson<ListWrapper<LiteJobRequest>>(answer).records ?? [];
  }

  /**
   * Whether SEI takes the key and the tenant, by the one call that proves both and changes nothing: the list of open jobs,
   * asked for under an id that nobody has and for no integration. It is a query; a job is taken by accept alone. `register`
   * would leave a satellite that does not exist in SEI's list for ten minutes, `heartbeat` too if an SEI were to take one
   * of an unknown id. `accept` of a job that does not exist answers 404, as a wrong url does. Here a key that does not hold
   * is 401, another tenant or a missing right 403 (sei-protocol §1.2), and the answer has a form of its own, which a login
   * page has not. 409 would say that the id is unknown, which comes after both. That the key may push is not proved.
   */
  async probe(): Promise<void> {
    const handle: AgentHandle = {
      agent_id: randomUUID(),
      agent_type: 'default',
      controller_names: [scanController],
      tenant_id: this.#tenant,
      integration_ids: [],
    };
    try {
      const answer = await this.#post('agent-callback/jobs/requests/list', handle, { reserved: 'true' });
      const list = parseJson<Partial<ListWrapper<LiteJobRequest>> | null>(answer);
      if (!Array.isArray(list?.records)) throw unreadable('What answers is not SEI');
    } catch (error) {
      if (!(error instanceof SatelliteError) || error.code !== 'SEI_CONFLICT') throw error;
    }
  }

  /** Undefined where it is gone or another satellite was faster. */
  async acceptJob(jobId: string, agentId: string): Promise<CreateJobRequest | undefined> {
    try {
      const answer = await this.#send('agent-callback/jobs/requests/accept', {
        method: 'GET',
        searchParams: { job_id: jobId, agent_id: agentId, tenant_id: this.#tenant },
      });
      return parseJson<CreateJobRequest>(answer);
    } catch (error) {
      if (error instanceof SatelliteError && error.kind === 'gone') return undefined;
      throw error;
    }
  }

  /** @param status `scheduled` gives it back, `invalid` says that it cannot be run */
  async rejectJob(jobId: string, agentId: string, status: 'scheduled' | 'invalid'): Promise<void> {
    await this.#send('agent-callback/jobs/requests/reject', {
      method: 'GET',
      searchParams: { job_id: jobId, agent_id: agentId, status, tenant_id: this.#tenant },
    });
  }

  /** The ids of the jobs that SEI has taken note of. */
  async report(jobs: readonly JobReport[]): Promise<ReadonlySet<string>> {
    const wrapper: ListWrapper<JobReport> = { records: jobs, count: jobs.length };
    const body = Buffer.from(JSON.stringify(wrapper));
    const answer = await this.#post('agent-callback/jobs/report', body, { tenant_id: this.#tenant }).catch((error) => {
      throw isPageTooLarge(error) ? reportTooLarge(error, body.length) : error;
    });
    const acknowledged = parseJson<Record<string, boolean>>(answer);
    return new Set(Object.keys(acknowledged).filter((id) => acknowledged[id] === true));
  }

  /** Stores one page; the pointers are to be handed back in the result exactly as they came. */
  async push({ integrationId, jobId, relativePath, content }: PagePush): Promise<StorageResult> {
    const facts = {
      integration_key: { tenant_id: this.#tenant, integration_id: integrationId },
      job_id: jobId,
      relative_path: relativePath,
      content_type: 'application/json; charset=UTF-8',
    };
    const answer = await this.#post('storage/push', pushBody(facts, content));
    const stored = parseJson<StorageResult>(answer);
    if (!Array.isArray(stored?.records) || stored.records.length === 0) {
      throw unreadable('SEI stored a page but names no pointer');
    }
    return stored;
  }

  /** @param body an object, or its JSON as bytes */
  async #post(path: string, body: object, searchParams: Record<string, string> = {}): Promise<string> {
    return this.#send(path, {
      method: 'POST',
      searchParams,
      body: Buffer.isBuffer(body) ? body : JSON.stringify(body),
      headers: { 'content-type': 'application/json; charset=utf-8' },
    });
  }

  async #send(path: string, options: OptionsOfTextResponseBody): Promise<string> {
    const begunAtMs = this.#clock.elapsedMs();
    const seconds = () => (this.#clock.elapsedMs() - begunAtMs) / 1000;
    try {
      const body = await this.#exchange(path, options);
      this.#observer?.ended(seconds());
      return body;
    } catch (error) {
      if (error instanceof SatelliteError) {
        this.#observer?.ended(seconds(), error);
        if (error.statusCode === 429) this.#observer?.throttled();
      }
      throw error;
    }
  }

  async #exchange(path: string, options: OptionsOfTextResponseBody): Promise<string> {
    const url = `${this.#http.defaults.options.prefixUrl}${path}`;
    const { statusCode, headers, body } = await this.#http(path, {
      ...options,
      responseType: 'text',
      ...(this.#signal === undefined ? {} : { signal: this.#signal }),
    }).catch((thrown: unknown) => {
      throw networkError(thrown, 'SEI', url);
    });
    this.#probing?.onAnswer(headers);
    if (statusCode >= 200 && statusCode < 300) return body;
    throw (
      proxyAnswerError({ statusCode, headers, url }, this.#proxy) ??
      statusError(statusCode, headers, url, this.#clock.now())
    );
  }
}

function isPageTooLarge(error: unknown): error is SatelliteError {
  return error instanceof SatelliteError && error.code === 'SEI_PAGE_TOO_LARGE';
}

/** A report names each page of its job, and cannot be divided. */
function reportTooLarge({ statusCode, url }: SatelliteError, bytes: number): SatelliteError {
  return new SatelliteError(`The report of ${bytes} bytes is too large for SEI (${statusCode})`, {
    code: 'SEI_REPORT_TOO_LARGE',
    kind: 'retryable',
    hint: 'Let the gateway before SEI take bodies of that size: the report names each page, and cannot be divided.',
    ...(statusCode === undefined ? {} : { statusCode }),
    ...(url === undefined ? {} : { url }),
  });
}

/** So that a chunk ends with a whole group of base64. */
const chunkBytes = 3 * 16_384;

/**
 * `facts` with a page as their `content`, in base64. A page is megabytes: as text, as base64 and as JSON it would be there
 * three times until the next collection, so it is encoded in its place.
 */
function pushBody(facts: object, content: Uint8Array): Buffer {
  const head = `${JSON.stringify(facts).slice(0, -1)},"content":"`;
  const tail = '"}';
  const bytes = Buffer.from(content.buffer, content.byteOffset, content.byteLength);
  const encodedBytes = 4 * Math.ceil(bytes.length / 3);
  const body = Buffer.alloc(Buffer.byteLength(head) + encodedBytes + tail.length);
  let at = body.write(head);
  for (let from = 0; from < bytes.length; from += chunkBytes) {
    at += body.write(bytes.toString('base64', from, from + chunkBytes), at, 'latin1');
  }
  body.write(tail, at);
  return body;
}

function statusError(statusCode: number, headers: IncomingHttpHeaders, url: string, nowMs: number): SatelliteError {
  const error = (message: string, code: string, kind: SatelliteError['kind'], hint?: string) => {
    const retryAfterMs = parseRetryAfterMs(headers['retry-after'], nowMs);
    return new SatelliteError(`${message} (${statusCode})`, {
      code,
      kind,
      url,
      statusCode,
      ...(hint === undefined ? {} : { hint }),
      ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
    });
  };
  switch (statusCode) {
    case 401:
    case 403:
      return error(
        'SEI refuses the key',
        'SEI_KEY_REFUSED',
        'auth',
        'Check satellite.api_key, that it belongs to satellite.tenant, and that it may ingest.',
      );
    case 404:
      return error('SEI does not know it', 'SEI_NOT_FOUND', 'gone', 'Check satellite.url.');
    case 409:
      return error('SEI refuses it in this state', 'SEI_CONFLICT', 'gone');
    case 413:
      return error(
        'The page is too large for SEI',
        'SEI_PAGE_TOO_LARGE',
        'bug',
        'Lower satellite.push.max_page_bytes.',
      );
    case 429:
      return error('SEI limits the rate', 'SEI_THROTTLED', 'throttled');
  }
  // 408 and 425 come from gateways: the request was too slow, or too early.
  if (statusCode >= 500 || statusCode === 408 || statusCode === 425) {
    return error('SEI or a proxy before it fails', 'SEI_SERVER_ERROR', 'retryable');
  }
  if (statusCode >= 300 && statusCode < 400) {
    return error(
      `Redirected to ${redirectHost(headers.location, url)}, which is not followed`,
      'SEI_REDIRECTED',
      'config',
      'Set satellite.url to the final base URL, or see which gateway sends to a login page: a redirect would carry the key there.',
    );
  }
  return error('SEI does not accept the request', 'SEI_REQUEST_REFUSED', 'bug');
}

function parseJson<T>(body: string): T {
  try {
    return JSON.parse(body) as T;
  } catch (cause) {
    throw unreadable('The answer of SEI is not JSON', cause);
  }
}

function unreadable(message: string, cause?: unknown): SatelliteError {
  return new SatelliteError(message, {
    code: 'SEI_ANSWER_UNREADABLE',
    kind: 'retryable',
    hint: 'A proxy may stand between the satellite and SEI: check satellite.url.',
    cause,
  });
}
