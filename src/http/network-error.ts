import { RequestError } from 'got';
import { SatelliteError } from '../errors.ts';

/** OpenSSL's and Node's words for a certificate that is not trusted: waiting does not mend it, the operator does. */
const tlsErrorCodes = new Set([
  'CERT_HAS_EXPIRED',
  'CERT_NOT_YET_VALID',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'ERR_TLS_CERT_ALTNAME_INVALID',
  'EPROTO',
]);

/**
 * What got throws when no usable answer came: the deadline passed, the connection failed or broke, the certificate was
 * refused. An abort and anything that is not got's is passed through as it is.
 *
 * @param leg prefix of the code, `BITBUCKET` or `SEI`
 */
export function networkError(thrown: unknown, leg: string, url: string): unknown {
  if (!(thrown instanceof RequestError) || thrown.name === 'AbortError') return thrown;
  const { code } = thrown;
  if (tlsErrorCodes.has(code)) {
    return new SatelliteError(`The TLS certificate of ${new URL(url).host} is not accepted: ${thrown.message}`, {
      code: `${leg}_TLS_REFUSED`,
      kind: 'config',
      hint: 'Add the certificate of your authority with tls.ca_file; the host name in the url must be the one in the certificate.',
      url,
      cause: thrown,
    });
  }
  const timedOut = code === 'ETIMEDOUT';
  return new SatelliteError(`${timedOut ? 'No complete answer in time' : 'Not reachable'}: ${thrown.message}`, {
    code: `${leg}_${timedOut ? 'TIMEOUT' : 'UNREACHABLE'}`,
    kind: 'retryable',
    hint: 'Check the url, name resolution, firewall and proxy between the satellite and the server.',
    url,
    cause: thrown,
  });
}
