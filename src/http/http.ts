import { readFileSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import { getCACertificates } from 'node:tls';
import got, { type Got } from 'got';
import { SatelliteError } from '../errors.ts';

export interface HttpOptions {
  /** Without a trailing slash. */
  readonly baseUrl: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Total deadline of one request, from the call to the last byte of the answer. */
  readonly timeoutMs: number;
  readonly tls: {
    /** PEM file whose certificates are trusted in addition to the system's. */
    readonly caFile?: string;
    readonly insecure?: boolean;
  };
}

/**
 * One leg's HTTP: got with keep-alive and a total deadline, and with everything off that decides on its own.
 * Retries are ours (`retry.ts`), because got gives up where `Retry-After` is longer than the deadline; a status is
 * classified by the leg, so none of them throws here; a redirect is followed on the same origin only, so that the
 * credentials never leave for another host.
 */
export function createHttp({ baseUrl, headers, timeoutMs, tls }: HttpOptions): Got {
  return got.extend({
    prefixUrl: `${baseUrl}/`,
    headers: { 'user-agent': 'ingestion-satellite', ...headers },
    agent: { http: new http.Agent({ keepAlive: true }), https: new https.Agent({ keepAlive: true }) },
    https: {
      rejectUnauthorized: tls.insecure !== true,
      ...(tls.caFile === undefined ? {} : { certificateAuthority: trustedCertificates(tls.caFile) }),
    },
    timeout: { request: timeoutMs },
    retry: { limit: 0 },
    throwHttpErrors: false,
    followRedirect: ({ url, headers: { location } }) =>
      location !== undefined && new URL(location, url).origin === new URL(url).origin,
    maxRedirects: 3,
  });
}

function trustedCertificates(caFile: string): string[] {
  try {
    return [...getCACertificates('default'), readFileSync(caFile, 'utf8')];
  } catch (cause) {
    throw new SatelliteError(`The CA file ${caFile} cannot be read`, {
      code: 'TLS_CA_FILE_UNREADABLE',
      kind: 'config',
      hint: 'Point tls.ca_file to a PEM file that the satellite may read.',
      cause,
    });
  }
}
