import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createSecureContext, getCACertificates, type SecureContext } from 'node:tls';
import type { TlsConfig } from '../config/config.ts';
import { SatelliteError } from '../errors.ts';

export interface Trust {
  /** For the server: whom to trust, and the client certificate to show. */
  readonly server: SecureContext;
  /** For an https:// proxy on the way: the same authorities, but the client certificate is none of its business. */
  readonly proxy: SecureContext;
  readonly hasClientCertificate: boolean;
}

/**
 * The certificates of one leg. Made once per client rather than per connection: it parses some hundred certificates.
 * Trusted are Node's own list, NODE_EXTRA_CA_CERTS, the system's store, and the leg's CA file.
 *
 * @throws SatelliteError `TLS_CA_FILE_UNREADABLE`, `TLS_CA_FILE_INVALID`, `TLS_CLIENT_CERTIFICATE_UNREADABLE`,
 *   `TLS_CLIENT_CERTIFICATE_INVALID`
 */
export function trustOf({ caFile, certFile, keyFile }: TlsConfig): Trust {
  const ca = [
    ...new Set([
      ...getCACertificates('default'),
      ...getCACertificates('system'),
      ...(caFile === undefined ? [] : readAuthorities(caFile)),
    ]),
  ];
  const proxy = createSecureContext({ ca });
  if (certFile === undefined || keyFile === undefined) return { server: proxy, proxy, hasClientCertificate: false };
  const cert = readClientFile(certFile, 'cert_file');
  const key = readClientFile(keyFile, 'key_file');
  try {
    return { server: createSecureContext({ ca, cert, key }), proxy, hasClientCertificate: true };
  } catch (cause) {
    throw invalidClientCertificate(certFile, keyFile, cause);
  }
}

/** Each certificate is looked at, because OpenSSL silently takes a file without any for an empty list. */
function readAuthorities(file: string): string[] {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (cause) {
    throw new SatelliteError(`The CA file ${file} cannot be read`, {
      code: 'TLS_CA_FILE_UNREADABLE',
      kind: 'config',
      hint: 'Point tls.ca_file to a PEM file that the satellite may read.',
      cause,
    });
  }
  const certificates = text.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
  if (certificates.length > 0 && certificates.every(isCertificate)) return certificates;
  throw new SatelliteError(
    certificates.length === 0
      ? `There is no certificate in the CA file ${file}`
      : `A certificate in the CA file ${file} cannot be read`,
    {
      code: 'TLS_CA_FILE_INVALID',
      kind: 'config',
      hint: 'tls.ca_file needs PEM (-----BEGIN CERTIFICATE-----); from DER, openssl x509 -inform der -in FILE -out ca.pem makes it.',
    },
  );
}

function isCertificate(pem: string): boolean {
  try {
    new X509Certificate(pem);
    return true;
  } catch {
    return false;
  }
}

function readClientFile(file: string, key: string): Buffer {
  try {
    return readFileSync(file);
  } catch (cause) {
    throw new SatelliteError(`The file ${file} of the client certificate cannot be read`, {
      code: 'TLS_CLIENT_CERTIFICATE_UNREADABLE',
      kind: 'config',
      hint: `Point tls.${key} to a PEM file that the satellite may read.`,
      cause,
    });
  }
}

function invalidClientCertificate(certFile: string, keyFile: string, cause: unknown): SatelliteError {
  const { code } = cause as NodeJS.ErrnoException;
  const isMismatch = code === 'ERR_OSSL_X509_KEY_VALUES_MISMATCH';
  return new SatelliteError(
    isMismatch
      ? `The key ${keyFile} does not belong to the client certificate ${certFile}`
      : `The client certificate ${certFile} and its key ${keyFile} cannot be used (${code ?? 'unknown format'})`,
    {
      code: 'TLS_CLIENT_CERTIFICATE_INVALID',
      kind: 'config',
      hint: 'tls.cert_file needs the certificate and tls.key_file its key without a passphrase, both as PEM.',
      cause,
    },
  );
}
