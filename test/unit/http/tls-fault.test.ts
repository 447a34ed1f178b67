import { describe, expect, test } from '@jest/globals';
import { type TlsFault, tlsFault } from '../../../src/http/tls-fault.ts';

/** As Node writes it. */
function openssl(number: string, text: string): string {
  return `write EPROTO 40AD81AF077F0000:error:${number}:SSL routines:ssl3_read_bytes:${text}:../deps/openssl/openssl/ssl/record/rec_layer_s3.c:918:\n`;
}

describe('the certificate of the server', () => {
  test.each<[code: string, fault: TlsFault]>([
    ['CERT_HAS_EXPIRED', 'EXPIRED'],
    ['CERT_NOT_YET_VALID', 'NOT_YET_VALID'],
    ['ERR_TLS_CERT_ALTNAME_INVALID', 'WRONG_HOST'],
    ['DEPTH_ZERO_SELF_SIGNED_CERT', 'SELF_SIGNED'],
    ['SELF_SIGNED_CERT_IN_CHAIN', 'UNKNOWN_AUTHORITY'],
    ['UNABLE_TO_GET_ISSUER_CERT', 'UNKNOWN_AUTHORITY'],
    ['UNABLE_TO_GET_ISSUER_CERT_LOCALLY', 'UNKNOWN_AUTHORITY'],
    ['UNABLE_TO_VERIFY_LEAF_SIGNATURE', 'UNKNOWN_AUTHORITY'],
    ['CERT_REVOKED', 'REFUSED'],
    ['UNSPECIFIED', 'REFUSED'],
  ])('%s is %s', (code, fault) => {
    expect(tlsFault(code, 'words', false)).toBe(fault);
  });
});

describe('what the server ends the handshake with', () => {
  test.each<[number: string, text: string, without: TlsFault, withClientCertificate: TlsFault]>([
    ['0A00045C', 'tlsv13 alert certificate required', 'CLIENT_CERTIFICATE_REQUIRED', 'CLIENT_CERTIFICATE_REQUIRED'],
    ['0A000410', 'ssl/tls alert handshake failure', 'CLIENT_CERTIFICATE_REQUIRED', 'CLIENT_CERTIFICATE_REFUSED'],
    ['0A000412', 'ssl/tls alert bad certificate', 'CLIENT_CERTIFICATE_REQUIRED', 'CLIENT_CERTIFICATE_REFUSED'],
    ['0A000415', 'ssl/tls alert certificate expired', 'CLIENT_CERTIFICATE_REQUIRED', 'CLIENT_CERTIFICATE_REFUSED'],
    ['0A000418', 'tlsv1 alert unknown ca', 'CLIENT_CERTIFICATE_REQUIRED', 'CLIENT_CERTIFICATE_REFUSED'],
    ['0A00042E', 'tlsv1 alert protocol version', 'VERSION', 'VERSION'],
    ['0A000102', 'unsupported protocol', 'VERSION', 'VERSION'],
    ['0A00010B', 'wrong version number', 'NOT_TLS', 'NOT_TLS'],
    ['0A0000C6', 'packet length too long', 'NOT_TLS', 'NOT_TLS'],
    ['0A00009C', 'http request', 'NOT_TLS', 'NOT_TLS'],
    ['0A000438', 'tlsv1 alert internal error', 'FAILED', 'FAILED'],
    ['0A000119', 'decryption failed or bad record mac', 'FAILED', 'FAILED'],
  ])('%s %s is %s, with a client certificate %s', (number, text, without, withClientCertificate) => {
    for (const code of ['EPROTO', 'ERR_SSL_WHATEVER']) {
      expect(tlsFault(code, openssl(number, text), false)).toBe(without);
      expect(tlsFault(code, openssl(number, text), true)).toBe(withClientCertificate);
    }
  });

  test('without a number it may pass', () => {
    expect(tlsFault('EPROTO', 'write EPROTO', false)).toBe('FAILED');
    expect(tlsFault('ERR_SSL_SOMETHING_NEW', 'words', false)).toBe('FAILED');
  });
});

test.each(['ECONNREFUSED', 'ECONNRESET', 'ENOTFOUND', 'ETIMEDOUT', 'HPE_INVALID_CONSTANT', undefined])(
  '%s is not about TLS',
  (code) => {
    expect(tlsFault(code, 'connect ECONNREFUSED 127.0.0.1:443', false)).toBeUndefined();
  },
);
