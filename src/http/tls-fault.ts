/** What a failed TLS connection comes down to. */
export type TlsFault =
  | 'EXPIRED'
  | 'NOT_YET_VALID'
  | 'WRONG_HOST'
  | 'SELF_SIGNED'
  | 'UNKNOWN_AUTHORITY'
  /** Not accepted for any other reason: revoked, too weak a key, not meant for a server. */
  | 'REFUSED'
  | 'CLIENT_CERTIFICATE_REQUIRED'
  | 'CLIENT_CERTIFICATE_REFUSED'
  /** What answers does not speak TLS. */
  | 'NOT_TLS'
  /** No version of TLS in common. */
  | 'VERSION'
  /** The handshake broke for a reason that may pass. */
  | 'FAILED';

const certificateFaults: Readonly<Record<string, TlsFault>> = {
  CERT_HAS_EXPIRED: 'EXPIRED',
  CERT_NOT_YET_VALID: 'NOT_YET_VALID',
  ERR_TLS_CERT_ALTNAME_INVALID: 'WRONG_HOST',
  HOSTNAME_MISMATCH: 'WRONG_HOST',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'SELF_SIGNED',
  SELF_SIGNED_CERT_IN_CHAIN: 'UNKNOWN_AUTHORITY',
  UNABLE_TO_GET_ISSUER_CERT: 'UNKNOWN_AUTHORITY',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: 'UNKNOWN_AUTHORITY',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'UNKNOWN_AUTHORITY',
  CERT_UNTRUSTED: 'UNKNOWN_AUTHORITY',
  CERT_CHAIN_TOO_LONG: 'REFUSED',
  CERT_REJECTED: 'REFUSED',
  CERT_REVOKED: 'REFUSED',
  CERT_SIGNATURE_FAILURE: 'REFUSED',
  INVALID_CA: 'REFUSED',
  INVALID_PURPOSE: 'REFUSED',
  PATH_LENGTH_EXCEEDED: 'REFUSED',
  UNABLE_TO_DECODE_ISSUER_PUBLIC_KEY: 'REFUSED',
  UNABLE_TO_DECRYPT_CERT_SIGNATURE: 'REFUSED',
  // Node has no name for the newer ones, such as a key that is too short.
  UNSPECIFIED: 'REFUSED',
};

/** Alerts by which a server refuses the certificate that it was shown: bad, unsupported, revoked, expired, unknown, unknown authority, access denied. */
const certificateAlerts = new Set([42, 43, 44, 45, 46, 48, 49]);

/** Reasons of OpenSSL's record layer for bytes that are no TLS: http request, https proxy request, packet too long, wrong version number. */
const notTlsReasons = new Set([155, 156, 198, 267]);

const unsupportedProtocolReason = 258;

/**
 * @param hasClientCertificate this side has one to show. A server that wants one and gets none says so in TLS 1.3 (alert
 *   116) and ends in a plain handshake failure (40) before that; Java's says "bad certificate" (42).
 * @returns undefined for an error that is not one of TLS
 */
export function tlsFault(
  code: string | undefined,
  message: string,
  hasClientCertificate: boolean,
): TlsFault | undefined {
  const fault = certificateFaults[code ?? ''];
  if (fault !== undefined) return fault;
  const reason = opensslReason(message);
  if (reason === undefined) return code === 'EPROTO' || code?.startsWith('ERR_SSL_') ? 'FAILED' : undefined;
  if (notTlsReasons.has(reason)) return 'NOT_TLS';
  if (reason === unsupportedProtocolReason) return 'VERSION';
  const alert = reason - 1000;
  if (alert === 70) return 'VERSION';
  if (alert === 116) return 'CLIENT_CERTIFICATE_REQUIRED';
  if (alert === 40 || certificateAlerts.has(alert)) {
    return hasClientCertificate ? 'CLIENT_CERTIFICATE_REFUSED' : 'CLIENT_CERTIFICATE_REQUIRED';
  }
  return 'FAILED';
}

/**
 * OpenSSL's number for what went wrong; that of an alert is 1000 + the alert's. Node puts it into the text, whether the
 * code is EPROTO or ERR_SSL_…, and the number does not change with the wording.
 */
function opensslReason(message: string): number | undefined {
  const packed = /error:0A([\dA-F]{6}):/i.exec(message)?.[1];
  return packed === undefined ? undefined : Number.parseInt(packed, 16) & 0x7f_ff_ff;
}
