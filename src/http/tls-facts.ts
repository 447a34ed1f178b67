import type { Duplex } from 'node:stream';
import { type DetailedPeerCertificate, TLSSocket } from 'node:tls';
import { cut } from '../ops/cut.ts';

/** What is known of one end of TLS connections, for when one of them fails: by then the socket has forgotten it. */
export interface TlsFacts {
  readonly hasClientCertificate: boolean;
  /** What the latest handshake brought, accepted or not. */
  certificate?: PresentedCertificate;
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

/**
 * Keeps what the operator needs to know of the server's certificate. Node offers it only after it has been accepted
 * (`secureConnect`), so it is read at `secure`, right before Node judges it. That event is not documented: without it,
 * messages only lose the names.
 */
export function watchTls(socket: Duplex | null | undefined, facts: TlsFacts): void {
  if (!(socket instanceof TLSSocket)) return;
  socket.prependOnceListener('secure', () => {
    const certificate = presented(socket.getPeerCertificate(true));
    if (certificate !== undefined) facts.certificate = certificate;
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
  return cut(text.replace(/\p{C}/gu, ' '), 200);
}
