import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { type Authority, CertificateWorkshop, type KeyPair } from './certificates.ts';
import { startConnectProxy } from './connect-proxy.ts';
import { client, errorOf, proxyAt, request, user, userHeader } from './request.ts';
import { closedPort, startTarget } from './servers.ts';
import { describeWith, openssl, testIpv6 } from './tool.ts';

/** What got waits for at most, so that a silent proxy does not make a slow test. */
const impatient = { timeoutMs: 300 };

describeWith(openssl)('https through CONNECT', () => {
  let workshop: CertificateWorkshop;
  let authority: Authority;
  let pair: KeyPair;
  let trusting: { caFile: string };
  beforeAll(async () => {
    workshop = await CertificateWorkshop.open();
    authority = await workshop.authority('Corporate Root');
    pair = await workshop.issue(authority);
    trusting = { caFile: authority.certFile };
  });
  afterAll(() => workshop[Symbol.asyncDispose]());

  test('the proxy sees the login and the host, and nothing of the requests', async () => {
    await using proxy = await startConnectProxy();
    await using target = await startTarget(pair);
    const get = client({ baseUrl: target.url, tls: trusting, proxy: proxyAt(proxy.port, { credentials: user }) });
    expect([await get(), await get()]).toEqual([200, 200]);
    expect(proxy.requests).toEqual([
      {
        line: `CONNECT localhost:${target.port}`,
        headers: { host: `localhost:${target.port}`, connection: 'keep-alive', 'proxy-authorization': userHeader },
      },
    ]);
    expect(target.requests).toHaveLength(2);
    expect(target.requests[0]?.headers).toMatchObject({ authorization: 'Apikey of the target' });
    expect(target.requests[0]?.headers).not.toHaveProperty('proxy-authorization');
  });

  test('the login goes into the header that was asked for', async () => {
    await using proxy = await startConnectProxy();
    await using target = await startTarget(pair);
    const server = proxyAt(proxy.port, { credentials: user, authorizationHeader: 'X-Corp-Proxy-Login' });
    expect(await request({ baseUrl: target.url, tls: trusting, proxy: server })).toBe(200);
    expect(proxy.requests[0]?.headers).toMatchObject({ 'x-corp-proxy-login': userHeader });
    expect(proxy.requests[0]?.headers).not.toHaveProperty('proxy-authorization');
    expect(target.requests[0]?.headers).not.toHaveProperty('x-corp-proxy-login');
  });

  test('many requests at once', async () => {
    await using proxy = await startConnectProxy();
    await using target = await startTarget(pair);
    const get = client({ baseUrl: target.url, tls: trusting, proxy: proxyAt(proxy.port) });
    expect(new Set(await Promise.all(Array.from({ length: 20 }, get)))).toEqual(new Set([200]));
    expect(target.requests).toHaveLength(20);
  });

  testIpv6('an IPv6 address is put in brackets', async () => {
    await using proxy = await startConnectProxy();
    await using target = await startTarget(pair, '[::1]');
    expect(await request({ baseUrl: target.url, tls: trusting, proxy: proxyAt(proxy.port) })).toBe(200);
    expect(proxy.requests[0]?.line).toBe(`CONNECT [::1]:${target.port}`);
  });

  test("the target's certificate is verified behind the proxy", async () => {
    await using proxy = await startConnectProxy();
    await using target = await startTarget(pair);
    await using wrong = await startTarget(await workshop.issue(authority, 'DNS:git.corp.example'));
    const through = { proxy: proxyAt(proxy.port), leg: 'BITBUCKET' } as const;
    const unknown = await errorOf(request({ baseUrl: target.url, ...through }));
    expect(unknown).toMatchObject({ code: 'BITBUCKET_TLS_UNKNOWN_AUTHORITY', kind: 'config' });
    expect(unknown.message).toContain(`localhost:${target.port}`);
    expect(unknown.message).toMatch(/Corporate Root/);
    const named = await errorOf(request({ baseUrl: wrong.url, tls: trusting, ...through }));
    expect(named.code).toBe('BITBUCKET_TLS_WRONG_HOST');
    expect(await request({ baseUrl: wrong.url, tls: { insecure: true }, ...through })).toBe(200);
    expect(target.requests).toEqual([]);
  });

  test('a client certificate reaches the target', async () => {
    await using proxy = await startConnectProxy();
    const options = { requestCert: true, ca: readFileSync(authority.certFile) };
    await using target = await startTarget({ ...pair, options });
    const through = { baseUrl: target.url, proxy: proxyAt(proxy.port) };
    expect((await errorOf(request({ ...through, tls: trusting }))).code).toBe('SEI_TLS_CLIENT_CERTIFICATE_REQUIRED');
    expect(await request({ ...through, tls: { ...trusting, ...pair } })).toBe(200);
  });

  test('an https:// proxy is verified with the same authorities', async () => {
    await using proxy = await startConnectProxy({ tls: pair });
    await using target = await startTarget(pair);
    const server = proxyAt(proxy.port, { protocol: 'https', credentials: user });
    expect(await request({ baseUrl: target.url, tls: trusting, proxy: server })).toBe(200);
    expect(proxy.requests[0]?.headers).toMatchObject({ 'proxy-authorization': userHeader });
    const error = await errorOf(request({ baseUrl: target.url, proxy: server }));
    expect(error).toMatchObject({ code: 'PROXY_TLS_UNKNOWN_AUTHORITY', kind: 'config' });
    expect(error.message).toContain(`localhost:${proxy.port}`);
    // What the integration says of its server says nothing of the proxy.
    const insecure = await errorOf(request({ baseUrl: target.url, tls: { insecure: true }, proxy: server }));
    expect(insecure.code).toBe('PROXY_TLS_UNKNOWN_AUTHORITY');
    expect(proxy.requests).toHaveLength(1);
  });

  test('https:// for a proxy that is spoken to in plain text', async () => {
    await using proxy = await startConnectProxy();
    const server = proxyAt(proxy.port, { protocol: 'https' });
    const error = await errorOf(request({ baseUrl: 'https://localhost', proxy: server }));
    expect(error).toMatchObject({ code: 'PROXY_TLS_NOT_TLS', kind: 'config' });
  });
});

describe('a proxy that does not let through', () => {
  const baseUrl = 'https://bitbucket.invalid';
  const ntlm = 'HTTP/1.1 407 No\r\nProxy-Authenticate: Negotiate\r\nProxy-Authenticate: NTLM\r\n\r\n';
  test.each<[answer: string, code: string, kind: string, words: RegExp]>([
    ['HTTP/1.1 407 Login\r\n\r\n', 'PROXY_AUTHENTICATION_REQUIRED', 'config', /refuses the user name or password/],
    [ntlm, 'PROXY_AUTHENTICATION_REQUIRED', 'config', /wants a login by Negotiate or NTLM only/],
    [
      'HTTP/1.1 403 No\r\nContent-Length: 2\r\n\r\nno',
      'PROXY_REFUSED',
      'config',
      /not allow .* bitbucket\.invalid:443 \(403/,
    ],
    ['HTTP/1.1 502 Bad\r\n\r\n', 'PROXY_CONNECT_FAILED', 'retryable', /cannot reach bitbucket\.invalid:443 \(502/],
    ['HTTP/1.0 500 Unable\r\n\r\n', 'PROXY_CONNECT_FAILED', 'retryable', /cannot reach/],
    ['SSH-2.0-OpenSSH_9.2\r\n', 'PROXY_PROTOCOL_WRONG', 'config', /not a proxy that speaks HTTP/],
    ['reset', 'PROXY_UNREACHABLE', 'retryable', /breaks the connection off/],
    ['', 'PROXY_UNREACHABLE', 'retryable', /breaks the connection off/],
  ])('%j is %s', async (answer, code, kind, words) => {
    await using proxy = await startConnectProxy({ answer });
    const error = await errorOf(request({ baseUrl, proxy: proxyAt(proxy.port, { credentials: user }) }));
    expect(error).toMatchObject({ code, kind, url: `${baseUrl}/rest/resource` });
    expect(error.message).toMatch(words);
    expect(error.message).toContain(`localhost:${proxy.port}`);
    expect(error.hint).toBeDefined();
  });

  test('nobody listens', async () => {
    const port = await closedPort();
    const error = await errorOf(request({ baseUrl, proxy: proxyAt(port, { credentials: user }) }));
    expect(error).toMatchObject({ code: 'PROXY_UNREACHABLE', kind: 'retryable' });
    expect(error.message).toMatch(new RegExp(`^The proxy localhost:${port} cannot be reached: .*ECONNREFUSED`));
  });

  test('the name of the proxy does not exist', async () => {
    const error = await errorOf(request({ baseUrl, proxy: proxyAt(3128, { host: 'proxy.invalid' }) }));
    expect(error).toMatchObject({ code: 'PROXY_UNREACHABLE', kind: 'retryable' });
    expect(error.message).toMatch(/proxy\.invalid:3128/);
  });

  test.each(['https://bitbucket.invalid', 'http://bitbucket.invalid'])(
    'it stays silent: the deadline holds for %s, and the connection is not left behind',
    async (url) => {
      await using proxy = await startConnectProxy({ answer: 'silence' });
      const error = await errorOf(request({ baseUrl: url, proxy: proxyAt(proxy.port), ...impatient }));
      expect(error.kind).toBe('retryable');
      expect(error.message).toContain(`localhost:${proxy.port}`);
      await until(() => proxy.openConnections() === 0);
    },
  );

  test('an abort does not wait for it', async () => {
    await using proxy = await startConnectProxy({ answer: 'silence' });
    const abort = new AbortController();
    const asked = request({ baseUrl, proxy: proxyAt(proxy.port), signal: abort.signal });
    await until(() => proxy.requests.length === 1);
    abort.abort();
    await expect(asked).rejects.toThrow(expect.objectContaining({ name: 'AbortError' }));
    await until(() => proxy.openConnections() === 0);
  });
});

describe('plain http through an HTTP proxy', () => {
  test('the proxy is told the whole url, and alone sees the login', async () => {
    await using proxy = await startConnectProxy();
    await using target = await startTarget();
    const get = client({
      baseUrl: `${target.url}/bitbucket`,
      proxy: proxyAt(proxy.port, { credentials: user }),
    });
    expect([await get(), await get()]).toEqual([200, 200]);
    expect(proxy.requests[0]).toMatchObject({
      line: `GET ${target.url}/bitbucket/rest/resource?limit=1`,
      headers: {
        host: `localhost:${target.port}`,
        'proxy-authorization': userHeader,
        authorization: 'Apikey of the target',
      },
    });
    expect(target.requests[0]?.path).toBe('/bitbucket/rest/resource?limit=1');
  });

  test('each request has a connection of its own: tinyproxy closes them without announcing it', async () => {
    await using proxy = await startConnectProxy();
    await using target = await startTarget();
    const get = client({ baseUrl: target.url, proxy: proxyAt(proxy.port) });
    for (let count = 0; count < 5; count++) await get();
    expect(proxy.requests.map(({ headers }) => headers.connection)).toEqual(Array(5).fill('close'));
    await until(() => proxy.openConnections() === 0);
  });

  test('a proxy that breaks off or is not there is named', async () => {
    await using proxy = await startConnectProxy({ answer: 'reset' });
    const broken = await errorOf(request({ baseUrl: 'http://localhost:1', proxy: proxyAt(proxy.port) }));
    expect(broken).toMatchObject({ kind: 'retryable' });
    expect(broken.message).toContain(`localhost:${proxy.port}`);
    const port = await closedPort();
    const missing = await errorOf(request({ baseUrl: 'http://localhost:1', proxy: proxyAt(port) }));
    expect(missing).toMatchObject({ code: 'PROXY_UNREACHABLE', kind: 'retryable' });
    expect(missing.message).toContain(`localhost:${port}`);
  });
});

async function until(condition: () => boolean): Promise<void> {
  const deadline = performance.now() + 5_000;
  while (!condition()) {
    if (performance.now() > deadline) throw new Error('it did not come to that in time');
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
