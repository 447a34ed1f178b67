import { SatelliteError } from '../errors.ts';
import type { PresentedCertificate, TlsFacts } from './tls-facts.ts';
import { type TlsFault, tlsFault } from './tls-fault.ts';

export interface TlsPeer {
  /** First part of the code. */
  readonly prefix: 'BITBUCKET' | 'SEI' | 'PROXY';
  /** `host:port` of whom the handshake was with. */
  readonly name: string;
  readonly url: string;
}

/** The section of the file that the certificates of a peer are configured in. */
const tlsSections = {
  BITBUCKET: "the integration's tls",
  SEI: 'satellite.tls',
  PROXY: 'the same tls section',
} as const;

/**
 * A failed TLS connection, said in terms of what the operator can do; undefined where TLS is not the trouble. The text of
 * OpenSSL and Node is left out: it names files of their source and options that are not ours.
 *
 * @param thrown as the socket said it
 */
export function tlsError(
  thrown: unknown,
  peer: TlsPeer,
  facts: TlsFacts,
  cause: unknown = thrown,
): SatelliteError | undefined {
  const { code, message = '' } = (thrown ?? {}) as Partial<NodeJS.ErrnoException>;
  const fault = tlsFault(code, message, facts.hasClientCertificate);
  if (fault === undefined) return undefined;
  const { problem, hint } = wording(fault, facts.certificate, peer, code ?? 'unknown reason');
  return new SatelliteError(problem, {
    code: `${peer.prefix}_TLS_${fault}`,
    kind: fault === 'FAILED' ? 'retryable' : 'config',
    hint,
    url: peer.url,
    cause,
  });
}

function wording(
  fault: TlsFault,
  certificate: PresentedCertificate | undefined,
  { name, prefix }: TlsPeer,
  code: string,
): { problem: string; hint: string } {
  const section = tlsSections[prefix];
  switch (fault) {
    case 'EXPIRED':
      return {
        problem: `The certificate of ${name} has expired${certificate ? ` (${certificate.validTo})` : ''}`,
        hint: 'Have it renewed by whoever runs that server. If it is still good, the clock of this machine is wrong.',
      };
    case 'NOT_YET_VALID':
      return {
        problem: `The certificate of ${name} is not valid yet${certificate ? ` (from ${certificate.validFrom})` : ''}`,
        hint: 'The clock of this machine is probably behind: set it, or have it kept by NTP.',
      };
    case 'WRONG_HOST':
      return {
        problem: `The certificate of ${name} is for another name${certificate ? `: ${certificate.names}` : ''}`,
        hint: 'Write the url with a name that the certificate has, or have the certificate reissued with this one as a subject alternative name.',
      };
    case 'SELF_SIGNED':
      return {
        problem: `The certificate of ${name} is self-signed${certificate ? ` (${certificate.subject})` : ''}`,
        hint: `Save it as PEM (openssl s_client -showcerts -connect ${name} </dev/null), make sure that it is the right one, and name the file in ca_file of ${section}.`,
      };
    case 'UNKNOWN_AUTHORITY':
      return {
        problem: `The certificate of ${name} comes from an authority that is not trusted here${certificate ? `: ${certificate.issuer}` : ''}`,
        hint: `Get the certificate of that authority as PEM and name the file in ca_file of ${section}. If it is a public authority, the server does not send its intermediate certificate: complete the chain there, or put the intermediate into the file.`,
      };
    case 'REFUSED':
      return {
        problem: `The certificate of ${name} is not accepted (${code})`,
        hint: 'Have it replaced by whoever runs that server.',
      };
    case 'CLIENT_CERTIFICATE_REQUIRED':
      return {
        problem: `${name} ends the TLS handshake because it wants a client certificate`,
        hint: `Name a certificate and its key in cert_file and key_file of ${section}. Servers before TLS 1.3 end it in the same way where no cipher is shared.`,
      };
    case 'CLIENT_CERTIFICATE_REFUSED':
      return {
        problem: `${name} refuses the client certificate`,
        hint: `Check that cert_file of ${section} has not expired, that it comes from an authority the server trusts, and that the file holds the intermediate certificates too.`,
      };
    case 'NOT_TLS':
      return {
        problem: `${name} does not speak TLS`,
        hint:
          prefix === 'PROXY'
            ? 'An https:// proxy is spoken to in TLS; most proxies are not: write http:// even where the target is https.'
            : 'The url begins with https://, but the port is probably one for plain http: correct the port or the scheme.',
      };
    case 'VERSION':
      return {
        problem: `${name} has no TLS version in common with the satellite`,
        hint: 'The satellite needs TLS 1.2 or newer: have it enabled on that server.',
      };
    case 'FAILED':
      return {
        problem: `The TLS connection to ${name} failed (${code})`,
        hint: 'It is tried again. If it stays, look at what stands between the satellite and that server: a firewall or a TLS inspection.',
      };
  }
}
