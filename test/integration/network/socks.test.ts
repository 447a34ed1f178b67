import { createServer } from 'node:http';
import { describe, expect, test } from '@jest/globals';
import { CertificateWorkshop } from './certificates.ts';
import { client, errorOf, proxyAt, request, user } from './request.ts';
import { closedPort, listen, startTarget } from './servers.ts';
import { startSocksServer } from './socks-server.ts';
import { describeWith, openssl, testIpv6 } from './tool.ts';

const login = `${user.username}:${user.password}`;

describe('a SOCKS5 proxy', () => {
  test('plain http, the connection is kept, and the name is left to the proxy', async () => {
    await using proxy = await startSocksServer();
    await using target = await startTarget();
    const get = client({ baseUrl: target.url, proxy: proxyAt(proxy.port, { protocol: 'socks5h' }) });
    expect([await get(), await get()]).toEqual([200, 200]);
    expect(proxy.destinations).toEqual([`name localhost:${target.port}`]);
    expect(target.requests).toHaveLength(2);
  });

  test('with socks5 the name is looked up here', async () => {
    await using proxy = await startSocksServer();
    await using target = await startTarget();
    expect(await request({ baseUrl: target.url, proxy: proxyAt(proxy.port, { protocol: 'socks5' }) })).toBe(200);
    expect(proxy.destinations).toEqual([expect.stringMatching(/^address (127\.0\.0\.1|[0:]+:0*1):\d+$/)]);
    const unknown = request({ baseUrl: 'http://git.invalid', proxy: proxyAt(proxy.port, { protocol: 'socks5' }) });
    expect(await errorOf(unknown)).toMatchObject({ code: 'PROXY_TARGET_UNRESOLVED', kind: 'retryable' });
  });

  testIpv6('an IPv6 address', async () => {
    await using proxy = await startSocksServer();
    await using target = await startTarget(undefined, '[::1]');
    expect(await request({ baseUrl: target.url, proxy: proxyAt(proxy.port, { protocol: 'socks5h' }) })).toBe(200);
    expect(proxy.destinations).toEqual([`address 0000:0000:0000:0000:0000:0000:0000:0001:${target.port}`]);
  });

  test('user and password', async () => {
    await using proxy = await startSocksServer({ login });
    await using target = await startTarget();
    const through = (credentials?: typeof user) =>
      request({
        baseUrl: target.url,
        proxy: proxyAt(proxy.port, { protocol: 'socks5h', ...(credentials && { credentials }) }),
      });
    expect(await through(user)).toBe(200);
    const wrong = await errorOf(through({ ...user, password: 'wrong' }));
    expect(wrong).toMatchObject({ code: 'PROXY_AUTHENTICATION_REQUIRED', kind: 'config' });
    expect(wrong.message).toBe(`The proxy localhost:${proxy.port} refuses the user name or password`);
    const none = await errorOf(through());
    expect(none).toMatchObject({ code: 'PROXY_AUTHENTICATION_REQUIRED', kind: 'config' });
    expect(none.message).toBe(`The proxy localhost:${proxy.port} asks for a user name and a password`);
    expect(target.requests).toHaveLength(1);
  });

  test.each([
    [1, 'PROXY_CONNECT_FAILED', 'retryable'],
    [2, 'PROXY_REFUSED', 'config'],
    [5, 'PROXY_CONNECT_FAILED', 'retryable'],
  ])('its refusal %i is %s', async (reply, code, kind) => {
    await using proxy = await startSocksServer({ login, reply });
    const server = proxyAt(proxy.port, { protocol: 'socks5h', credentials: user });
    const error = await errorOf(request({ baseUrl: 'https://git.invalid', proxy: server }));
    expect(error).toMatchObject({ code, kind });
    expect(error.message).toContain(`localhost:${proxy.port}`);
    expect(error.message).toContain('git.invalid:443');
  });

  test('one that is none, and one that is not there', async () => {
    await using web = await listen(createServer());
    const none = await errorOf(
      request({ baseUrl: 'http://git.invalid', proxy: proxyAt(web.port, { protocol: 'socks5h' }) }),
    );
    expect(none).toMatchObject({ code: 'PROXY_PROTOCOL_WRONG', kind: 'config' });
    const missing = proxyAt(await closedPort(), { protocol: 'socks5h', credentials: user });
    expect(await errorOf(request({ baseUrl: 'http://git.invalid', proxy: missing }))).toMatchObject({
      code: 'PROXY_UNREACHABLE',
      kind: 'retryable',
    });
  });
});

describeWith(openssl)('https through a SOCKS5 proxy', () => {
  test("the target's certificate is verified", async () => {
    await using workshop = await CertificateWorkshop.open();
    const authority = await workshop.authority('Corporate Root');
    await using proxy = await startSocksServer({ login });
    await using target = await startTarget(await workshop.issue(authority));
    const server = proxyAt(proxy.port, { protocol: 'socks5h', credentials: user });
    const get = client({ baseUrl: target.url, tls: { caFile: authority.certFile }, proxy: server });
    expect([await get(), await get()]).toEqual([200, 200]);
    expect(proxy.destinations).toHaveLength(1);
    expect((await errorOf(request({ baseUrl: target.url, proxy: server }))).code).toBe('SEI_TLS_UNKNOWN_AUTHORITY');
  });
});
