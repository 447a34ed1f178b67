import { describe, expect, test } from '@jest/globals';
import { connectRefused, proxyAnswerError } from '../../../src/http/proxy-error.ts';
import type { ProxyServer } from '../../../src/http/proxy-server.ts';

const proxy: ProxyServer = {
  protocol: 'http',
  host: 'proxy.example',
  port: 3128,
  authorizationHeader: 'Proxy-Authorization',
  source: 'satellite.proxy',
};
const knownProxy: ProxyServer = { ...proxy, credentials: { username: 'u', password: 'p' } };
const target = { name: 'bitbucket.example:443', url: 'https://bitbucket.example/rest' };
const url = 'http://bitbucket.example/rest';

describe('what a proxy says to CONNECT', () => {
  test.each([
    [400, 'PROXY_REFUSED', 'config'],
    [401, 'PROXY_AUTHENTICATION_REQUIRED', 'config'],
    [403, 'PROXY_REFUSED', 'config'],
    [405, 'PROXY_REFUSED', 'config'],
    [407, 'PROXY_AUTHENTICATION_REQUIRED', 'config'],
    [408, 'PROXY_CONNECT_FAILED', 'retryable'],
    [429, 'PROXY_CONNECT_FAILED', 'retryable'],
    [500, 'PROXY_CONNECT_FAILED', 'retryable'],
    [502, 'PROXY_CONNECT_FAILED', 'retryable'],
    [503, 'PROXY_CONNECT_FAILED', 'retryable'],
  ])('%i is %s', (statusCode, code, kind) => {
    const error = connectRefused(proxy, target, { statusCode, headers: {} });
    expect(error).toMatchObject({ code, kind, url: target.url });
    expect(error.message).toContain('proxy.example:3128');
    // A 500 of Bitbucket's own is not tried again; that of a proxy is.
    expect(error.statusCode).toBeUndefined();
  });

  test.each<[what: string, schemes: string | string[] | undefined, words: RegExp]>([
    ['no scheme', undefined, /refuses the user name or password/],
    ['Basic', 'Basic realm="x"', /refuses the user name or password/],
    ['several with Basic', ['Negotiate', 'NTLM', 'basic realm="x"'], /refuses the user name or password/],
    ['Basic in a list', 'Negotiate, NTLM, Basic realm="a, b c", charset="UTF-8"', /refuses the user name or password/],
    [
      'a list without',
      'Negotiate, Digest realm="Basic, really", nonce="x"',
      /wants a login by Negotiate or Digest only/,
    ],
    ['none that is ours', ['Negotiate', 'NTLM'], /wants a login by Negotiate or NTLM only/],
  ])('407 that offers %s', (_what, schemes, words) => {
    const headers = { 'proxy-authenticate': schemes };
    expect(connectRefused(knownProxy, target, { statusCode: 407, headers }).message).toMatch(words);
  });

  test('407 to somebody who said no name tells where to write it', () => {
    expect(connectRefused(proxy, target, { statusCode: 407, headers: {} }).hint).toMatch(/satellite\.proxy/);
    const fromEnvironment = connectRefused({ ...proxy, source: 'https_proxy' }, target, {
      statusCode: 407,
      headers: {},
    });
    expect(fromEnvironment.hint).toMatch(/https_proxy/);
  });
});

describe('what a proxy says in place of a server in plain http', () => {
  test.each<[statusCode: number, headers: NodeJS.Dict<string>, code: string | undefined]>([
    [407, {}, 'PROXY_AUTHENTICATION_REQUIRED'],
    [401, { server: 'tinyproxy/1.11.1' }, 'PROXY_AUTHENTICATION_REQUIRED'],
    [403, { 'x-squid-error': 'ERR_ACCESS_DENIED 0' }, 'PROXY_REFUSED'],
    [503, { 'x-squid-error': 'ERR_CONNECT_FAIL 111' }, 'PROXY_CONNECT_FAILED'],
    [500, { server: 'tinyproxy/1.11.1' }, 'PROXY_CONNECT_FAILED'],
    [401, { server: 'AtlassianEdge' }, undefined],
    [403, {}, undefined],
    [503, {}, undefined],
  ])('%i with %j: %s', (statusCode, headers, code) => {
    expect(proxyAnswerError({ statusCode, headers, url }, knownProxy)?.code).toBe(code);
  });

  test('without a proxy of ours only 407 is one', () => {
    expect(proxyAnswerError({ statusCode: 401, headers: { server: 'tinyproxy' }, url }, undefined)).toBeUndefined();
    expect(proxyAnswerError({ statusCode: 407, headers: {}, url }, undefined)).toMatchObject({
      code: 'PROXY_AUTHENTICATION_REQUIRED',
      message: 'A proxy on the way asks for a user name and a password',
    });
  });
});
