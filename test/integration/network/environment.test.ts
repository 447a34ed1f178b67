import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { type Authority, CertificateWorkshop, type KeyPair } from './certificates.ts';
import { startConnectProxy } from './connect-proxy.ts';
import { proxyAt, type RequestOptions } from './request.ts';
import { startTarget } from './servers.ts';
import { startSocksServer } from './socks-server.ts';
import { describeWith, openssl } from './tool.ts';

const program = fileURLToPath(new URL('environment-client.ts', import.meta.url));

describeWith(openssl)('a process of its own', () => {
  let workshop: CertificateWorkshop;
  let authority: Authority;
  let pair: KeyPair;
  beforeAll(async () => {
    workshop = await CertificateWorkshop.open();
    authority = await workshop.authority('Corporate Root');
    pair = await workshop.issue(authority);
  });
  afterAll(() => workshop[Symbol.asyncDispose]());

  async function run(requests: readonly RequestOptions[], env: NodeJS.ProcessEnv = {}): Promise<string[]> {
    const { stdout } = await promisify(execFile)(process.execPath, [program, JSON.stringify(requests)], {
      env: { PATH: process.env.PATH, ...env },
      timeout: 15_000,
    });
    return stdout.trim().split('\n');
  }

  test("trusted are the system's store, NODE_EXTRA_CA_CERTS and ca_file together, whatever NODE_TLS_REJECT_UNAUTHORIZED says", async () => {
    const [system, extra, stranger] = await Promise.all(
      ['System Root', 'Extra Root', 'Stranger'].map((name) => workshop.authority(name)),
    );
    if (!system || !extra || !stranger) throw new Error('an authority is missing');
    await using ofFile = await startTarget(pair);
    await using ofSystem = await startTarget(await workshop.issue(system));
    await using ofExtra = await startTarget(await workshop.issue(extra));
    await using ofStranger = await startTarget(await workshop.issue(stranger));
    await using proxy = await startConnectProxy();
    await using strangeProxy = await startConnectProxy({ tls: await workshop.issue(stranger) });
    const tls = { caFile: authority.certFile };
    const ends = await run(
      [
        ...[ofFile, ofSystem, ofExtra, ofStranger].map(({ url }) => ({ baseUrl: url, tls })),
        { baseUrl: ofFile.url },
        { baseUrl: ofStranger.url, tls, proxy: proxyAt(proxy.port) },
        { baseUrl: ofFile.url, tls, proxy: proxyAt(strangeProxy.port, { protocol: 'https' }) },
        { baseUrl: ofStranger.url, tls: { insecure: true } },
      ],
      {
        NODE_EXTRA_CA_CERTS: extra.certFile,
        NODE_TLS_REJECT_UNAUTHORIZED: '0',
        SSL_CERT_FILE: system.certFile,
        // Without it Debian's own folder counts as well, which does no harm but takes its time.
        SSL_CERT_DIR: join(workshop.folder, 'none'),
      },
    );
    const unknown = 'SEI_TLS_UNKNOWN_AUTHORITY';
    expect(ends).toEqual(['200', '200', '200', unknown, unknown, unknown, 'PROXY_TLS_UNKNOWN_AUTHORITY', '200']);
  });

  test('connections that are kept for the next request do not keep the process', async () => {
    await using target = await startTarget(pair);
    await using plain = await startTarget();
    await using proxy = await startConnectProxy();
    await using tlsProxy = await startConnectProxy({ tls: pair });
    await using socks = await startSocksServer();
    const tls = { caFile: authority.certFile };
    const proxies = [
      undefined,
      proxyAt(proxy.port),
      proxyAt(tlsProxy.port, { protocol: 'https' }),
      proxyAt(socks.port, { protocol: 'socks5h' }),
    ];
    const requests = [target, plain].flatMap(({ url }) =>
      proxies.map((server) => ({ baseUrl: url, tls, proxy: server })),
    );
    const startedAt = performance.now();
    expect(await run(requests)).toEqual(requests.map(() => '200'));
    // Node's servers close a kept connection after five seconds, which would let go of a process that waits for them.
    expect(performance.now() - startedAt).toBeLessThan(4_500);
  });
});
