import type { Duplex } from 'node:stream';
import { type DetailedPeerCertificate, TLSSocket } from 'node:tls';

/** What was known of a TLS connection when it failed; all of it is gone from the socket by the time the error is seen. */
export interface TlsFacts {
  readonly isCertificateRefused: boolean;
  readonly hasClientCertificate: boolean;
  readonly certificate?: PresentedCertificate;
}

/** Text from a certificate nobody vouches for: cut short and without control characters. */
export interface PresentedCertificate {
  readonly subject: string;
  /** Who signed the last certificate that the server sent: the one that has to be trusted. */
  readonly issuer: string;
  readonly names: string;
  readonly validFrom: string;
  readonly validTo: string;
}

const factsOfErrors = new WeakMap<object, TlsFacts>();

/** @param thrown the error of a watched socket */
export function tlsFactsOf(thrown: unknown): TlsFacts {
  const facts = typeof thrown === 'object' && thrown !== null ? factsOfErrors.get(thrown) : undefined;
  return facts ?? { isCertificateRefused: false, hasClientCertificate: false };
}

/**
 * Remembers with an error of the socket what the operator needs to know of the certificate. Node offers the certificate
 * only after it has been accepted (`secureConnect`), so it is read at `secure`, right before Node judges it. That event
 * is not documented: without it, messages only lose the names.
 */
export function watchTls(socket: Duplex | null | undefined, hasClientCertificate: boolean): void {
  if (!(socket instanceof TLSSocket)) return;
  let certificate: PresentedCertificate | undefined;
  socket.prependOnceListener('secure', () => {
    certificate = presented(socket.getPeerCertificate(true));
  });
  socket.prependOnceListener('error', (error: Error) => {
    factsOfErrors.set(error, {
      isCertificateRefused: Boolean(socket.authorizationError),
      hasClientCertificate,
      ...(certificate === undefined ? {} : { certificate }),
    });
  });
}

function presented(leaf: Partial<DetailedPeerCertificate>): PresentedCertificate | undefined {
  if (leaf.subject === undefined) return undefined;
  let last = leaf;
  while (last.issuerCertificate !== undefined && last.issuerCertificate.fingerprint256 !== last.fingerprint256) {
    last = last.issuerCertificate;
  }
  return {
    subject: nameOf(leaf.subject),
    issuer: nameOf(last.issuer),
    names: printable(leaf.subjectaltname ?? nameOf(leaf.subject)),
    validFrom: printable(leaf.valid_from ?? ''),
    validTo: printable(leaf.valid_to ?? ''),
  };
}

/** Common name and organisation, what people know an authority by. */
function nameOf(name: Partial<Record<string, string | string[]>> | undefined): string {
  const { CN, O, OU } = name ?? {};
  const parts = [CN ?? OU, O].flat().filter((part) => part !== undefined);
  return parts.length === 0 ? 'without a name' : printable(parts.join(', '));
}

function printable(text: string): string {
  return text.replace(/\p{C}/gu, ' ').slice(0, 200);
}
