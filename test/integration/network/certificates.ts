import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { openssl } from './tool.ts';

const run = promisify(execFile);
const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];

/** Paths of PEM files. */
export interface KeyPair {
  readonly certFile: string;
  readonly keyFile: string;
}

export interface Authority extends KeyPair {
  readonly name: string;
}

/** Makes certificates with openssl in a folder of its own. */
export class CertificateWorkshop {
  readonly folder: string;
  #count = 0;

  private constructor(folder: string) {
    this.folder = folder;
  }

  static async open(): Promise<CertificateWorkshop> {
    const folder = await mkdtemp(join(tmpdir(), 'satellite-certificates-'));
    await writeFile(join(folder, 'index.txt'), '');
    return new CertificateWorkshop(folder);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.folder, { recursive: true, force: true });
  }

  async authority(name: string): Promise<Authority> {
    const pair = this.#pair('authority');
    const subject = ['-subj', `/O=Test Corp/CN=${name}`];
    await this.#openssl('req', '-x509', ...newKey, ...out(pair), ...subject, '-days', '30');
    return { name, ...pair };
  }

  /** A certificate for these subject alternative names. */
  async issue(authority: Authority, names = 'DNS:localhost,IP:127.0.0.1,IP:::1'): Promise<KeyPair> {
    const pair = this.#pair('issued');
    await this.#openssl(
      ...['req', '-x509', '-CA', authority.certFile, '-CAkey', authority.keyFile, ...newKey, ...out(pair)],
      ...['-subj', '/CN=issued', '-addext', `subjectAltName=${names}`, '-addext', 'basicConstraints=CA:false'],
      ...['-days', '30'],
    );
    return pair;
  }

  async selfSigned(): Promise<KeyPair> {
    const pair = this.#pair('self');
    const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost'];
    await this.#openssl('req', '-x509', ...newKey, ...out(pair), ...subject, '-days', '30');
    return pair;
  }

  /** For localhost, valid from one UTC time to another (YYMMDDHHMMSSZ), which only `openssl ca` can make of any times. */
  async issueFor(authority: Authority, from: string, to: string): Promise<KeyPair> {
    const pair = this.#pair('dated');
    const request = `${pair.certFile}.csr`;
    const config = `${pair.certFile}.cnf`;
    await writeFile(
      config,
      [
        '[ca]\ndefault_ca = own',
        `[own]\ndatabase = ${join(this.folder, 'index.txt')}\nnew_certs_dir = ${this.folder}`,
        'rand_serial = yes\nunique_subject = no\ndefault_md = sha256\npolicy = any\nx509_extensions = names',
        '[any]\ncommonName = supplied',
        '[names]\nsubjectAltName = DNS:localhost,IP:127.0.0.1\n',
      ].join('\n'),
    );
    await this.#openssl('req', '-new', ...newKey, '-keyout', pair.keyFile, '-out', request, '-subj', '/CN=dated');
    await this.#openssl(
      ...['ca', '-batch', '-notext', '-config', config, '-cert', authority.certFile, '-keyfile', authority.keyFile],
      ...['-in', request, '-out', pair.certFile, '-startdate', from, '-enddate', to],
    );
    return pair;
  }

  async encryptKey({ keyFile }: KeyPair): Promise<string> {
    const encrypted = `${keyFile}.encrypted`;
    await this.#openssl('pkcs8', '-topk8', '-in', keyFile, '-out', encrypted, '-passout', 'pass:secret');
    return encrypted;
  }

  async der({ certFile }: KeyPair): Promise<string> {
    await this.#openssl('x509', '-in', certFile, '-outform', 'der', '-out', `${certFile}.der`);
    return `${certFile}.der`;
  }

  async write(name: string, ...parts: (string | KeyPair)[]): Promise<string> {
    const texts = parts.map((part) => (typeof part === 'string' ? part : readFile(part.certFile, 'utf8')));
    const path = join(this.folder, name);
    await writeFile(path, (await Promise.all(texts)).join('\n'));
    return path;
  }

  #pair(kind: string): KeyPair {
    const name = `${kind}-${++this.#count}`;
    return { certFile: join(this.folder, `${name}.pem`), keyFile: join(this.folder, `${name}.key`) };
  }

  async #openssl(...args: string[]): Promise<void> {
    await run(openssl, args, { cwd: this.folder });
  }
}

function out({ certFile, keyFile }: KeyPair): string[] {
  return ['-keyout', keyFile, '-out', certFile];
}
