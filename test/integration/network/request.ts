import { inspect } from 'node:util';
import { SatelliteError } from '../../../src/errors.ts';
import { createHttp, type HttpOptions } from '../../../src/http/http.ts';
import { networkError } from '../../../src/http/network-error.ts';
import type { Leg, ProxyServer } from '../../../src/http/proxy-server.ts';

export const user = { username: 'satellite', password: 'pa55: w@rd/' };
export const userHeader = `Basic ${Buffer.from(`${user.username}:${user.password}`).toString('base64')}`;

export type RequestOptions = Pick<HttpOptions, 'baseUrl'> & Partial<HttpOptions> & { readonly leg?: Leg };

/** One client of a leg; each call is one request, which ends as the leg sees it. */
export function client({ leg = 'SEI', ...options }: RequestOptions): () => Promise<number> {
  const http = createHttp({
    headers: { authorization: 'Apikey of the target' },
    timeoutMs: 10_000,
    tls: {},
    ...options,
  });
  return async () => {
    try {
      return (await http.get('rest/resource', { searchParams: { limit: 1 } })).statusCode;
    } catch (thrown) {
      throw networkError(thrown, leg, `${options.baseUrl}/rest/resource`);
    }
  };
}

export async function request(options: RequestOptions): Promise<number> {
  return client(options)();
}

/** The SatelliteError that the work ends with, which must not show the password of the proxy to anybody. */
export async function errorOf(work: Promise<unknown>): Promise<SatelliteError> {
  const outcome = await work.then(
    (value) => new Error(`It worked: ${inspect(value)}`),
    (error: unknown) => error,
  );
  if (!(outcome instanceof SatelliteError)) throw new Error('not the end that was expected', { cause: outcome });
  const shown = inspect(outcome, { depth: 12 }) + JSON.stringify(outcome) + outcome.hint;
  for (const secret of [user.password, userHeader.slice(6), encodeURIComponent(user.password)]) {
    if (shown.includes(secret)) throw new Error('the error shows the password of the proxy', { cause: outcome });
  }
  return outcome;
}

export function proxyAt(port: number, changes: Partial<ProxyServer> = {}): ProxyServer {
  return {
    protocol: 'http',
    host: 'localhost',
    port,
    authorizationHeader: 'Proxy-Authorization',
    source: 'satellite.proxy',
    ...changes,
  };
}
