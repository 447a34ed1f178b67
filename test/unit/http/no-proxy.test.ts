import { describe, expect, test } from '@jest/globals';
import { isExempt } from '../../../src/http/no-proxy.ts';

describe('NO_PROXY', () => {
  test.each<[noProxy: string, url: string, exempt: boolean]>([
    ['', 'https://bitbucket.example.com', false],
    [',, ', 'https://bitbucket.example.com', false],
    ['*', 'https://bitbucket.example.com', true],
    ['a.example, *', 'http://10.1.2.3:7990', true],

    ['bitbucket.example.com', 'https://bitbucket.example.com/bitbucket', true],
    ['BitBucket.Example.COM', 'https://bitbucket.example.com', true],
    ['bitbucket.example.com.', 'https://bitbucket.example.com', true],
    ['bitbucket.example.com', 'https://bitbucket.example.com./', true],
    ['other.example.com', 'https://bitbucket.example.com', false],
    ['other.example.com bitbucket.example.com', 'https://bitbucket.example.com', true],
    ['other.example.com,\tbitbucket.example.com', 'https://bitbucket.example.com', true],

    ['example.com', 'https://bitbucket.example.com', true],
    ['.example.com', 'https://bitbucket.example.com', true],
    ['*.example.com', 'https://bitbucket.example.com', true],
    ['.example.com', 'https://example.com', true],
    ['example.com', 'https://notexample.com', false],
    ['.example.com', 'https://notexample.com', false],
    ['bitbucket.example.com', 'https://example.com', false],
    ['.', 'https://example.com', false],

    ['example.com:443', 'https://bitbucket.example.com', true],
    ['example.com:443', 'http://bitbucket.example.com', false],
    ['example.com:80', 'http://bitbucket.example.com', true],
    ['example.com:8443', 'https://bitbucket.example.com:8443', true],
    ['example.com:8443', 'https://bitbucket.example.com', false],
    ['*:7990', 'http://bitbucket.example.com:7990', true],
    ['*:7990', 'http://bitbucket.example.com:7991', false],

    ['10.1.2.3', 'http://10.1.2.3:7990', true],
    ['10.1.2.3:7990', 'http://10.1.2.3:7990', true],
    ['10.1.2.3:7991', 'http://10.1.2.3:7990', false],
    ['10.1.2.30', 'http://10.1.2.3', false],
    ['2.3', 'http://10.1.2.3', false],
    ['10.0.0.0/8', 'http://10.255.2.3', true],
    ['10.0.0.0/8', 'http://11.0.0.1', false],
    ['10.0.0.0/8:7990', 'http://10.1.2.3:7990', true],
    ['10.0.0.0/8:7990', 'http://10.1.2.3', false],
    ['10.1.2.3/32', 'http://10.1.2.3', true],
    ['0.0.0.0/0', 'http://10.1.2.3', true],
    ['0.0.0.0/0', 'http://[fd00::1]', false],
    ['10.0.0.0/33', 'http://10.1.2.3', false],
    ['10.0.0.0/', 'http://10.1.2.3', false],
    ['10.0.0.0/x', 'http://10.1.2.3', false],
    // A name is never looked up.
    ['127.0.0.0/8', 'http://localhost', false],
    ['10.0.0.0/8', 'http://10.example.com', false],

    ['::1', 'http://[::1]:7990', true],
    ['[::1]', 'http://[::1]:7990', true],
    ['[::1]:7990', 'http://[::1]:7990', true],
    ['[::1]:7991', 'http://[::1]:7990', false],
    ['fd00:0:0::1', 'https://[fd00::1]', true],
    ['fd00::/8', 'https://[fd12:3456::1]', true],
    ['[fd00::/8]:443', 'https://[fd12:3456::1]', true],
    ['fd00::/8', 'https://[fe80::1]', false],
    ['fd00::/129', 'https://[fd12:3456::1]', false],
    ['10.0.0.0/8', 'https://[::ffff:10.1.2.3]', true],

    // Not special.
    ['', 'http://127.0.0.1:7990', false],
    ['', 'http://localhost:7990', false],
    ['', 'http://[::1]:7990', false],
    ['localhost', 'http://localhost:7990', true],
    ['localhost', 'http://127.0.0.1:7990', false],
  ])('%j takes %s out: %s', (noProxy, url, exempt) => {
    expect(isExempt(new URL(url), noProxy)).toBe(exempt);
  });
});
