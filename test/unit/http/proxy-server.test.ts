import { describe, expect, test } from '@jest/globals';
import type { ProxyConfig } from '../../../src/config/config.ts';
import { SatelliteError } from '../../../src/errors.ts';
import { type Env, type Leg, proxyFor, proxyName } from '../../../src/http/proxy-server.ts';

const sei = 'https://app.harness.io/gratis/sei/api';
const bitbucket = 'https://bitbucket.corp.example';
const plainBitbucket = 'http://bitbucket.corp.example:7990/bitbucket';

function configured(changes: Partial<ProxyConfig> = {}): ProxyConfig {
  return {
    type: 'http',
    host: 'file.example',
    port: 8080,
    authorizationHeader: 'Proxy-Authorization',
    allTraffic: false,
    ...changes,
  };
}

function choose(leg: Leg, url: string, env: Env, proxy?: ProxyConfig): string {
  const server = proxyFor(leg, url, { configured: proxy, env });
  return server === undefined ? 'none' : `${server.protocol} ${proxyName(server)} by ${server.source}`;
}

describe('which proxy', () => {
  const both = { HTTPS_PROXY: 'http://tls.example:1', HTTP_PROXY: 'http://plain.example:2' };
  test.each<[leg: Leg, url: string, env: Env, choice: string]>([
    ['SEI', sei, {}, 'none'],
    ['SEI', sei, both, 'http tls.example:1 by HTTPS_PROXY'],
    ['BITBUCKET', bitbucket, both, 'http tls.example:1 by HTTPS_PROXY'],
    ['BITBUCKET', plainBitbucket, both, 'http plain.example:2 by HTTP_PROXY'],
    ['BITBUCKET', plainBitbucket, { HTTPS_PROXY: 'http://tls.example:1' }, 'none'],
    ['SEI', sei, { HTTP_PROXY: 'http://plain.example:2' }, 'none'],

    ['SEI', sei, { https_proxy: 'http://lower.example:1', ...both }, 'http lower.example:1 by https_proxy'],
    ['SEI', sei, { https_proxy: '', ...both }, 'http tls.example:1 by HTTPS_PROXY'],
    ['SEI', sei, { https_proxy: '  ', HTTPS_PROXY: '' }, 'none'],
    ['SEI', sei, { ALL_PROXY: 'socks5h://s.example' }, 'socks5h s.example:1080 by ALL_PROXY'],
    ['BITBUCKET', plainBitbucket, { all_proxy: 'socks5://s.example' }, 'socks5 s.example:1080 by all_proxy'],
    ['SEI', sei, { ALL_PROXY: 'http://all.example', ...both }, 'http tls.example:1 by HTTPS_PROXY'],

    ['BITBUCKET', bitbucket, { ...both, NO_PROXY: '.corp.example' }, 'none'],
    ['BITBUCKET', bitbucket, { ...both, no_proxy: 'corp.example' }, 'none'],
    [
      'BITBUCKET',
      bitbucket,
      { ...both, no_proxy: 'other.example', NO_PROXY: '*' },
      'http tls.example:1 by HTTPS_PROXY',
    ],
    ['SEI', sei, { ...both, NO_PROXY: '.corp.example' }, 'http tls.example:1 by HTTPS_PROXY'],
    // What cannot be used does no harm where it is not needed.
    ['SEI', sei, { HTTPS_PROXY: 'ftp://x', NO_PROXY: '*' }, 'none'],

    ['SEI', sei, { HTTPS_PROXY: 'proxy.example:3128' }, 'http proxy.example:3128 by HTTPS_PROXY'],
    ['SEI', sei, { HTTPS_PROXY: 'proxy.example' }, 'http proxy.example:80 by HTTPS_PROXY'],
    ['SEI', sei, { HTTPS_PROXY: ' http://proxy.example:3128/ ' }, 'http proxy.example:3128 by HTTPS_PROXY'],
    ['SEI', sei, { HTTPS_PROXY: 'HTTPS://proxy.example' }, 'https proxy.example:443 by HTTPS_PROXY'],
    ['SEI', sei, { HTTPS_PROXY: 'http://[fd00::1]:3128' }, 'http [fd00::1]:3128 by HTTPS_PROXY'],
    ['SEI', sei, { HTTPS_PROXY: 'socks5://[fd00::1]' }, 'socks5 [fd00::1]:1080 by HTTPS_PROXY'],
    ['SEI', sei, { HTTPS_PROXY: 'socks://s.example:1' }, 'socks5h s.example:1 by HTTPS_PROXY'],
    ['SEI', sei, { HTTPS_PROXY: 'socks4a://s.example' }, 'socks4a s.example:1080 by HTTPS_PROXY'],
  ])('%s %s with %j: %s', (leg, url, env, choice) => {
    expect(choose(leg, url, env)).toBe(choice);
  });

  test('the proxy of the file carries the traffic to SEI only, whatever the environment says', () => {
    const env = { ...both, NO_PROXY: '*' };
    expect(choose('SEI', sei, env, configured())).toBe('http file.example:8080 by satellite.proxy');
    expect(choose('BITBUCKET', bitbucket, both, configured())).toBe('none');
    expect(choose('BITBUCKET', plainBitbucket, both, configured())).toBe('none');
  });

  test('with all_traffic it carries that to Bitbucket too', () => {
    const all = configured({ allTraffic: true });
    expect(choose('SEI', sei, both, all)).toBe('http file.example:8080 by satellite.proxy');
    expect(choose('BITBUCKET', plainBitbucket, both, all)).toBe('http file.example:8080 by satellite.proxy');
  });

  test('with type socks names are left to the proxy', () => {
    expect(choose('SEI', sei, {}, configured({ type: 'socks', host: '[fd00::1]', port: 1080 }))).toBe(
      'socks5h [fd00::1]:1080 by satellite.proxy',
    );
  });
});

describe('credentials', () => {
  test('of the file', () => {
    const proxy = configured({ username: 'u', password: 'p:ä', authorizationHeader: 'X-Proxy-Login' });
    expect(proxyFor('SEI', sei, { configured: proxy, env: {} })).toMatchObject({
      credentials: { username: 'u', password: 'p:ä' },
      authorizationHeader: 'X-Proxy-Login',
    });
  });

  test.each<[url: string, username: string, password: string]>([
    ['http://u:p@proxy.example', 'u', 'p'],
    ['u:p@proxy.example:3128', 'u', 'p'],
    ['http://u@proxy.example', 'u', ''],
    ['http://CORP%5Cu:p%40ss%3A%2F@proxy.example', 'CORP\\u', 'p@ss:/'],
    ['http://u:100%@proxy.example', 'u', '100%'],
    ['socks5://u:p%20p@s.example', 'u', 'p p'],
  ])('in %s', (value, username, password) => {
    const proxy = proxyFor('SEI', sei, { env: { HTTPS_PROXY: value } });
    expect(proxy).toMatchObject({ credentials: { username, password }, authorizationHeader: 'Proxy-Authorization' });
  });

  test.each([
    'http://u:s3cret/x@proxy.example',
    'http://u:s3cret@proxy.example:99999',
    'ftp://u:s3cret@proxy.example',
    'http://u:s3cret@',
    'http://u:1234#s3cret@proxy.example:3128',
    'http://u:1234/s3cret@proxy.example:3128',
    'http://u:1234?s3cret@proxy.example:3128',
    'socks6://u:s3cret@proxy.example',
    '://u:s3cret@proxy.example',
  ])('a variable that is no url of a proxy is named, but not shown: %s', (value) => {
    const work = () => proxyFor('SEI', sei, { env: { https_proxy: value } });
    expect(work).toThrow(expect.objectContaining({ code: 'PROXY_URL_INVALID', kind: 'config' }));
    expect(work).toThrow(/https_proxy/);
    expect(work).not.toThrow(/s3cret|1234/);
    try {
      work();
    } catch (error) {
      expect(error).toBeInstanceOf(SatelliteError);
      expect((error as SatelliteError).cause).toBeUndefined();
    }
  });
});
