import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { type Authority, CertificateWorkshop, type KeyPair } from './certificates.ts';
import { errorOf, request } from './request.ts';
import { closedPort, startTarget } from './servers.ts';
import { describeWith, openssl } from './tool.ts';

describeWith(openssl)('TLS', () => {
  let workshop: CertificateWorkshop;
  let authority: Authority;
  let good: KeyPair;
  let trusting: { caFile: string };
  beforeAll(async () => {
    workshop = await CertificateWorkshop.open();
    authority = await workshop.authority('Corporate Root');
    good = await workshop.issue(authority);
    trusting = { caFile: authority.certFile };
  });
  afterAll(() => workshop[Symbol.asyncDispose]());

  test('the authority of ca_file is trusted', async () => {
    await using target = await startTarget(good);
    expect(await request({ baseUrl: target.url, tls: trusting })).toBe(200);
  });

  test('ca_file may hold several, with words in between', async () => {
    await using target = await startTarget(good);
    const caFile = await workshop.write('several.pem', 'Other:', await workshop.authority('Other'), 'Ours:', authority);
    expect(await request({ baseUrl: target.url, tls: { caFile } })).toBe(200);
  });

  test('an unknown authority is named, and where to put its certificate', async () => {
    await using target = await startTarget(good);
    const error = await errorOf(request({ baseUrl: target.url }));
    expect(error).toMatchObject({ code: 'SEI_TLS_UNKNOWN_AUTHORITY', kind: 'config' });
    expect(error.message).toBe(
      `The certificate of localhost:${target.port} comes from an authority that is not trusted here: Corporate Root, Test Corp`,
    );
    expect(error.hint).toMatch(/ca_file of satellite\.tls/);
    const atBitbucket = await errorOf(request({ baseUrl: target.url, leg: 'BITBUCKET' }));
    expect(atBitbucket).toMatchObject({ code: 'BITBUCKET_TLS_UNKNOWN_AUTHORITY' });
    expect(atBitbucket.hint).toMatch(/ca_file of the integration's tls/);
    expect(target.requests).toEqual([]);
  });

  test('so is the root that an untrusted server sends along', async () => {
    const chain = await workshop.write('chain.pem', good, authority);
    await using target = await startTarget({ certFile: chain, keyFile: good.keyFile });
    const error = await errorOf(request({ baseUrl: target.url }));
    expect(error).toMatchObject({ code: 'SEI_TLS_UNKNOWN_AUTHORITY', kind: 'config' });
    expect(error.message).toMatch(/: Corporate Root, Test Corp$/);
  });

  test('a certificate that has expired', async () => {
    await using target = await startTarget(await workshop.issueFor(authority, '200101000000Z', '210101000000Z'));
    const error = await errorOf(request({ baseUrl: target.url, tls: trusting }));
    expect(error).toMatchObject({ code: 'SEI_TLS_EXPIRED', kind: 'config' });
    expect(error.message).toBe(`The certificate of localhost:${target.port} has expired (Jan  1 00:00:00 2021 GMT)`);
  });

  test('a certificate that is not valid yet', async () => {
    await using target = await startTarget(await workshop.issueFor(authority, '480101000000Z', '490101000000Z'));
    const error = await errorOf(request({ baseUrl: target.url, tls: trusting }));
    expect(error).toMatchObject({ code: 'SEI_TLS_NOT_YET_VALID', kind: 'config' });
    expect(error.hint).toMatch(/clock/);
  });

  test('a certificate for another host', async () => {
    await using target = await startTarget(
      await workshop.issue(authority, 'DNS:git.corp.example,DNS:git2.corp.example'),
    );
    const error = await errorOf(request({ baseUrl: target.url, tls: trusting }));
    expect(error).toMatchObject({ code: 'SEI_TLS_WRONG_HOST', kind: 'config' });
    expect(error.message).toMatch(/is for another name: DNS:git\.corp\.example, DNS:git2\.corp\.example$/);
  });

  test('a self-signed certificate, which ca_file can vouch for', async () => {
    const self = await workshop.selfSigned();
    await using target = await startTarget(self);
    const error = await errorOf(request({ baseUrl: target.url, tls: trusting }));
    expect(error).toMatchObject({ code: 'SEI_TLS_SELF_SIGNED', kind: 'config' });
    expect(error.hint).toContain(`openssl s_client -showcerts -connect localhost:${target.port}`);
    expect(await request({ baseUrl: target.url, tls: { caFile: self.certFile } })).toBe(200);
  });

  test('insecure is for the client that says so, and for no other', async () => {
    await using target = await startTarget(await workshop.issueFor(authority, '200101000000Z', '210101000000Z'));
    expect(await request({ baseUrl: target.url, tls: { insecure: true } })).toBe(200);
    expect((await errorOf(request({ baseUrl: target.url }))).code).toBe('SEI_TLS_EXPIRED');
    expect(await request({ baseUrl: target.url, tls: { insecure: true } })).toBe(200);
    expect((await errorOf(request({ baseUrl: target.url, tls: { insecure: false } }))).code).toBe('SEI_TLS_EXPIRED');
  });

  test.each(['TLSv1.2', 'TLSv1.3'] as const)('a server that wants a client certificate, with %s', async (version) => {
    const clients = await workshop.authority('Clients');
    const own = await workshop.issue(clients);
    const options = { requestCert: true, ca: readFileSync(clients.certFile), minVersion: version, maxVersion: version };
    await using target = await startTarget({ ...good, options });
    const error = await errorOf(request({ baseUrl: target.url, tls: trusting }));
    expect(error).toMatchObject({ code: 'SEI_TLS_CLIENT_CERTIFICATE_REQUIRED', kind: 'config' });
    expect(error.hint).toMatch(/cert_file and key_file of satellite\.tls/);
    expect(await request({ baseUrl: target.url, tls: { ...trusting, ...own } })).toBe(200);
    expect(await request({ baseUrl: target.url, tls: { insecure: true, ...own } })).toBe(200);
  });

  test.each(['-tls1_2', '-tls1_3'])('a client certificate that the server refuses, with %s', async (version) => {
    const clients = await workshop.authority('Clients');
    const stranger = await workshop.issue(authority);
    // Node's server breaks off without the alert that other servers send.
    const server = spawn(
      openssl,
      ['s_server', '-accept', 'localhost:0', '-cert', good.certFile, '-key', good.keyFile, '-www', version].concat([
        ...['-CAfile', clients.certFile, '-Verify', '1', '-verify_return_error'],
      ]),
      { stdio: ['ignore', 'pipe', 'ignore'] },
    );
    try {
      let port = '';
      for await (const line of createInterface(server.stdout)) {
        port = /^ACCEPT .*:(\d+)$/.exec(line)?.[1] ?? '';
        if (port !== '') break;
      }
      const baseUrl = `https://localhost:${port}`;
      const error = await errorOf(request({ baseUrl, tls: { ...trusting, ...stranger } }));
      expect(error).toMatchObject({ code: 'SEI_TLS_CLIENT_CERTIFICATE_REFUSED', kind: 'config' });
      expect(await request({ baseUrl, tls: { ...trusting, ...(await workshop.issue(clients)) } })).toBe(200);
    } finally {
      server.kill();
      if (server.exitCode === null) await once(server, 'exit');
    }
  });

  test('a server that knows old versions only', async () => {
    const options = { minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' } as const;
    await using target = await startTarget({ ...good, options });
    const error = await errorOf(request({ baseUrl: target.url, tls: trusting }));
    expect(error).toMatchObject({ code: 'SEI_TLS_VERSION', kind: 'config' });
  });

  test('https on a port for plain http', async () => {
    await using target = await startTarget();
    const error = await errorOf(request({ baseUrl: `https://localhost:${target.port}` }));
    expect(error).toMatchObject({ code: 'SEI_TLS_NOT_TLS', kind: 'config' });
    expect(error.hint).toMatch(/begins with https:\/\//);
  });

  test('plain http on a port for https', async () => {
    await using target = await startTarget(good);
    const error = await errorOf(request({ baseUrl: `http://localhost:${target.port}` }));
    expect(error).toMatchObject({ code: 'SEI_UNREACHABLE', kind: 'retryable' });
    expect(error.hint).toMatch(/has to begin with https:\/\//);
  });

  test('nobody listens', async () => {
    const error = await errorOf(request({ baseUrl: `https://localhost:${await closedPort()}` }));
    expect(error).toMatchObject({ code: 'SEI_UNREACHABLE', kind: 'retryable' });
    expect(error.message).toMatch(/ECONNREFUSED/);
  });

  test('files that cannot be used are named', async () => {
    const baseUrl = 'https://localhost';
    const at = (name: string) => join(workshop.folder, name);
    const codeOf = async (tls: object) => {
      const { code, kind, message } = await errorOf(request({ baseUrl, tls }));
      expect(kind).toBe('config');
      return { code, message };
    };
    expect(await codeOf({ caFile: at('missing.pem') })).toEqual({
      code: 'TLS_CA_FILE_UNREADABLE',
      message: expect.stringContaining(at('missing.pem')),
    });
    const der = await workshop.der(authority);
    expect(await codeOf({ caFile: der })).toEqual({
      code: 'TLS_CA_FILE_INVALID',
      message: expect.stringContaining(der),
    });
    expect((await codeOf({ caFile: authority.keyFile })).code).toBe('TLS_CA_FILE_INVALID');
    const text = readFileSync(authority.certFile, 'utf8');
    const cut = await workshop.write('cut.pem', text, text.replace(/\n.{64}\n/, '\nAAAA\n'));
    expect((await codeOf({ caFile: cut })).code).toBe('TLS_CA_FILE_INVALID');
    expect((await codeOf({ ...good, keyFile: at('missing.key') })).code).toBe('TLS_CLIENT_CERTIFICATE_UNREADABLE');
    expect((await codeOf({ ...good, keyFile: authority.keyFile })).message).toMatch(/does not belong to/);
    const encrypted = await workshop.encryptKey(good);
    expect((await codeOf({ ...good, keyFile: encrypted })).code).toBe('TLS_CLIENT_CERTIFICATE_INVALID');
    expect((await codeOf({ certFile: good.keyFile, keyFile: good.certFile })).code).toBe(
      'TLS_CLIENT_CERTIFICATE_INVALID',
    );
  });
});
