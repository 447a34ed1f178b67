import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { createServer } from 'node:tls';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { type Authority, CertificateWorkshop, type KeyPair } from './network/certificates.ts';
import { startConnectProxy } from './network/connect-proxy.ts';
import { closedPort, listen } from './network/servers.ts';
import { describeWith, openssl } from './network/tool.ts';
import { checkWorld, secrets } from './support/check-world.ts';

const dayMs = 24 * 60 * 60 * 1000;

/** TLS in front of a server that has none. */
async function tlsFront({ certFile, keyFile }: KeyPair, url: string) {
  const server = createServer({ cert: readFileSync(certFile), key: readFileSync(keyFile) }, (socket) => {
    const onward = connect(Number(new URL(url).port), '127.0.0.1');
    onward.on('error', () => socket.destroy());
    socket.on('error', () => onward.destroy());
    socket.pipe(onward).pipe(socket);
  });
  return listen(server);
}

/** YYMMDDHHMMSSZ */
function opensslTime(ms: number): string {
  return `${new Date(ms).toISOString().slice(2, 19).replace(/\D/g, '')}Z`;
}

describeWith(openssl)('TLS', () => {
  let workshop: CertificateWorkshop;
  let authority: Authority;

  beforeAll(async () => {
    workshop = await CertificateWorkshop.open();
    authority = await workshop.authority('Check Root');
  });
  afterAll(async () => {
    await workshop[Symbol.asyncDispose]();
  });

  /** A world whose Bitbucket has a certificate that is good for so many days. */
  async function world(days: number, tls: object | undefined) {
    const now = Date.now();
    const pair = await workshop.issueFor(authority, opensslTime(now - 2 * dayMs), opensslTime(now + days * dayMs));
    const plain = await checkWorld();
    const front = await tlsFront(pair, plain.bitbucket.url);
    const url = `https://localhost:${front.port}`;
    const own = await checkWorld({ integration: { url, ...(tls && { tls }) } });
    return {
      check: () => own.check(),
      requests: plain.bitbucket.requests,
      async [Symbol.asyncDispose]() {
        await front[Symbol.asyncDispose]();
        await plain[Symbol.asyncDispose]();
        await own[Symbol.asyncDispose]();
      },
    };
  }

  test('of an authority that is not trusted: nothing is sent', async () => {
    await using bitbucket = await world(300, undefined);
    const checked = await bitbucket.check();
    expect([checked.exitCode, checked.trouble]).toEqual([78, ['connection failed BITBUCKET_TLS_UNKNOWN_AUTHORITY']]);
    expect(checked.step('connection').detail).toContain('Check Root, Test Corp');
    expect(checked.step('connection').hint).toContain("ca_file of the integration's tls");
    expect(bitbucket.requests.total).toBe(0);
  });

  test('of an authority that the file names: issuer, end and days are told', async () => {
    await using bitbucket = await world(300, { ca_file: authority.certFile });
    const checked = await bitbucket.check();
    // The root of these tests itself is good for 30 days, and so is what it has signed.
    expect(checked.step('connection').detail).toMatch(
      /^TLSv1\.3, certificate from Check Root, Test Corp, good until \d{4}-\d\d-\d\d \(its authority Check Root, Test Corp\): 29 days$/,
    );
    expect([checked.exitCode, checked.trouble]).toEqual([0, ['connection warning CERTIFICATE_ENDS_SOON']]);
  });

  test('with a certificate that ends soon', async () => {
    await using bitbucket = await world(10, { ca_file: authority.certFile });
    const checked = await bitbucket.check();
    const day = new Date(Date.now() + 10 * dayMs).toISOString().slice(0, 10);
    expect(checked.step('connection')).toMatchObject({
      status: 'warning',
      code: 'CERTIFICATE_ENDS_SOON',
      detail: expect.stringContaining(`good until ${day}: 9 days`),
      hint: expect.stringContaining(`before ${day}`),
    });
    expect(checked.exitCode).toBe(0);
    expect(checked.step('login').status).toBe('ok');
  });

  test('with a certificate that has expired', async () => {
    await using bitbucket = await world(-1, { ca_file: authority.certFile });
    const checked = await bitbucket.check();
    expect([checked.exitCode, checked.trouble]).toEqual([78, ['connection failed BITBUCKET_TLS_EXPIRED']]);
  });

  test('that is not verified says what verification would have met', async () => {
    await using bitbucket = await world(300, { insecure: true });
    const checked = await bitbucket.check();
    expect(checked.exitCode).toBe(0);
    expect(checked.trouble).toEqual(['config warning CONFIG_WARNING', 'connection warning TLS_NOT_VERIFIED']);
    expect(checked.step('connection').hint).toMatch(
      /not verified\. It would not pass: .*Name its authority in tls\.ca_file/,
    );
  });

  test('through a proxy is made with the server itself', async () => {
    await using plain = await checkWorld();
    const pair = await workshop.issue(authority);
    await using front = await tlsFront(pair, plain.bitbucket.url);
    await using proxy = await startConnectProxy();
    await using world = await checkWorld({
      integration: { url: `https://localhost:${front.port}`, tls: { ca_file: authority.certFile } },
    });
    const env = { HTTPS_PROXY: `http://user:${encodeURIComponent(secrets.proxyPassword)}@127.0.0.1:${proxy.port}` };
    const checked = await world.check([], env);
    expect(checked.exitCode).toBe(0);
    expect(checked.step('name-resolution').detail).toBe(
      `127.0.0.1 is an address; localhost is left to the proxy 127.0.0.1:${proxy.port}`,
    );
    expect(checked.step('proxy').detail).toBe(
      `127.0.0.1:${proxy.port} (HTTPS_PROXY) connects to localhost:${front.port}`,
    );
    expect(checked.step('connection').detail).toContain('Check Root');
    expect(new Set(proxy.requests.map(({ line }) => line))).toEqual(new Set([`CONNECT localhost:${front.port}`]));
    expect(checked.steps('proxy', 'sei')).toEqual([]);
  });

  test.each([
    [
      'wants another password',
      'HTTP/1.1 407 No\r\nProxy-Authenticate: Basic\r\n\r\n',
      78,
      'PROXY_AUTHENTICATION_REQUIRED',
    ],
    ['does not allow it', 'HTTP/1.1 403 No\r\n\r\n', 78, 'PROXY_REFUSED'],
    ['does not get through', 'HTTP/1.1 502 No\r\n\r\n', 69, 'PROXY_CONNECT_FAILED'],
  ])('through a proxy that %s', async (_name, answer, exitCode, code) => {
    await using proxy = await startConnectProxy({ answer });
    const satellite = {
      proxy: {
        host: '127.0.0.1',
        port: proxy.port,
        username: 'user',
        password: secrets.proxyPassword,
        all_traffic: true,
      },
    };
    await using world = await checkWorld({ integration: { url: 'https://bitbucket.invalid' }, satellite });
    const checked = await world.check();
    expect([checked.exitCode, checked.step('proxy')]).toMatchObject([exitCode, { status: 'failed', code }]);
    expect(checked.step('login').status).toBe('skipped');
    expect(proxy.requests.filter(({ line }) => line.startsWith('CONNECT'))).toHaveLength(1);
  });
});

test('a proxy that is not there', async () => {
  const satellite = { proxy: { host: '127.0.0.1', port: await closedPort() } };
  await using world = await checkWorld({ satellite });
  const checked = await world.check();
  expect([checked.exitCode, checked.trouble]).toEqual([69, ['proxy failed PROXY_UNREACHABLE']]);
  expect(checked.outline('sei')).toEqual([
    'name-resolution ok',
    'proxy failed',
    'connection skipped',
    'sei skipped',
    'clock skipped',
    'key skipped',
    'tenant skipped',
  ]);
});

test('plain http through a proxy', async () => {
  await using proxy = await startConnectProxy();
  const satellite = { proxy: { host: '127.0.0.1', port: proxy.port, all_traffic: true } };
  await using world = await checkWorld({ satellite });
  const checked = await world.check();
  expect([checked.exitCode, checked.trouble]).toEqual([0, []]);
  expect(checked.step('proxy', 'bitbucket').detail).toBe(`127.0.0.1:${proxy.port} (satellite.proxy) is there`);
  expect(checked.step('connection', 'bitbucket').detail).toMatch(/^connected to the proxy, for 127\.0\.0\.1:/);
});
