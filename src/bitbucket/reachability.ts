import type { Got } from 'got';
import type { IntegrationConfig } from '../config/config.ts';
import { SatelliteError } from '../errors.ts';
import { createHttp } from '../http/http.ts';
import { networkError } from '../http/network-error.ts';
import type { ProxyServer } from '../http/proxy-server.ts';

/** Short, so that three of them are an answer within half a minute. */
const timeoutMs = 4_000;

/**
 * Whether a Bitbucket is there, whatever is asked of it besides. It asks for what load balancers ask for
 * (bitbucket-dc-rest §1), as nobody: no credential is used, so none can be refused, and no user's rate is touched.
 */
export class Reachability {
  readonly #http: Got;
  readonly #baseUrl: string;
  readonly #signal: AbortSignal;

  constructor(
    { url, tls }: Pick<IntegrationConfig, 'url' | 'tls'>,
    { proxy, signal }: { readonly proxy: ProxyServer | undefined; readonly signal: AbortSignal },
  ) {
    this.#http = createHttp({ baseUrl: url, headers: { accept: 'application/json' }, timeoutMs, tls, proxy, signal });
    this.#baseUrl = url;
    this.#signal = signal;
  }

  /** @throws SatelliteError where nobody answers, or who answers says that Bitbucket does not work now */
  async ask(): Promise<void> {
    await this.#askFor('status');
  }

  /**
   * Whether REST answers, as far as nobody can see it: its version is shown to everybody. That `/status` answers says
   * nothing about it.
   *
   * @throws SatelliteError as `ask`
   */
  async askRest(): Promise<void> {
    await this.#askFor('rest/api/latest/application-properties');
  }

  async #askFor(path: string): Promise<void> {
    const url = `${this.#baseUrl}/${path}`;
    const { statusCode } = await this.#http
      .get(path, { responseType: 'text', signal: this.#signal })
      .catch((thrown: unknown) => {
        throw networkError(thrown, 'BITBUCKET', url);
      });
    if (statusCode < 500) return;
    throw new SatelliteError(`Bitbucket or a proxy before it does not work now (${statusCode})`, {
      code: 'BITBUCKET_SERVER_ERROR',
      kind: 'retryable',
      hint: 'It may be starting or in maintenance: ask those who run it.',
      url,
      statusCode,
    });
  }
}
