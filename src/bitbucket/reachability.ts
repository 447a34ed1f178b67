import type { Got } from 'got';
import type { IntegrationConfig } from '../config/config.ts';
import { SatelliteError } from '../errors.ts';
import { createHttp } from '../http/http.ts';
import { networkError } from '../http/network-error.ts';
import type { ProxyServer } from '../http/proxy-server.ts';

/** Short, so that three of them are an answer within half a minute. */
const timeoutMs = 4_000;

/**
 * Whether a Bitbucket is there while nothing is asked of it. It asks for what load balancers ask for (bitbucket-dc-rest §1),
 * as nobody: no credential is used, so none can be refused, and no user's rate is touched.
 */
export class Reachability {
  readonly #http: Got;
  readonly #url: string;
  readonly #signal: AbortSignal;

  constructor(
    { url, tls }: Pick<IntegrationConfig, 'url' | 'tls'>,
    { proxy, signal }: { readonly proxy: ProxyServer | undefined; readonly signal: AbortSignal },
  ) {
    this.#http = createHttp({ baseUrl: url, headers: { accept: 'application/json' }, timeoutMs, tls, proxy, signal });
    this.#url = `${url}/status`;
    this.#signal = signal;
  }

  /** @throws SatelliteError where nobody answers, or who answers says that Bitbucket does not work now */
  async ask(): Promise<void> {
    const { statusCode } = await this.#http
      .get('status', { responseType: 'text', signal: this.#signal })
      .catch((thrown: unknown) => {
        throw networkError(thrown, 'BITBUCKET', this.#url);
      });
    if (statusCode < 500) return;
    throw new SatelliteError(`Bitbucket or a proxy before it does not work now (${statusCode})`, {
      code: 'BITBUCKET_SERVER_ERROR',
      kind: 'retryable',
      hint: 'It may be starting or in maintenance: ask those who run it.',
      url: this.#url,
      statusCode,
    });
  }
}
