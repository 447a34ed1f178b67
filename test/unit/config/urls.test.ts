import { describe, expect, test } from '@jest/globals';
import { parseBitbucketUrl } from '../../../src/config/bitbucket-url.ts';
import { parseSeiUrl } from '../../../src/config/sei-url.ts';

describe('the address of Bitbucket', () => {
  test.each([
    ['https://b.example.com', 'https://b.example.com', undefined],
    ['HTTPS://B.Example.com:443/', 'https://b.example.com', undefined],
    ['http://b.example.com:7990', 'http://b.example.com:7990', undefined],
    ['https://[2001:db8::1]:8443/', 'https://[2001:db8::1]:8443', undefined],
    ['https://b.example.com/a/deep/context', 'https://b.example.com/a/deep/context', undefined],
    ['https://b.example.com/ctx/rest', 'https://b.example.com/ctx', undefined],
    ['https://b.example.com/rest/api/latest/', 'https://b.example.com', undefined],
    ['https://b.example.com/v1', 'https://b.example.com', undefined],
    ['https://b.example.com/login?next=/projects', 'https://b.example.com', undefined],
    ['https://b.example.com/plugins/servlet/access-tokens', 'https://b.example.com', undefined],
    ['https://b.example.com/projects/PAY/repos/ledger', 'https://b.example.com', 'PAY/ledger'],
    ['https://b.example.com/projects/pay/repos/ledger/commits/abc', 'https://b.example.com', 'PAY/ledger'],
    ['https://b.example.com/projects/~jdoe/repos/notes', 'https://b.example.com', '~jdoe/notes'],
    ['https://b.example.com/scm/pay/ledger.git', 'https://b.example.com', 'PAY/ledger'],
    ['https://b.example.com/scm/pay/ledger', 'https://b.example.com', 'PAY/ledger'],
    ['https://b.example.com/scm/projects/PAY/repos/ledger', 'https://b.example.com/scm', 'PAY/ledger'],
    ['https://b.example.com/rest/api/1.0/projects/PAY/repos/ledger', 'https://b.example.com', 'PAY/ledger'],
    ['https://b.example.com/rest/api/1.0/users/jdoe/repos/notes', 'https://b.example.com', '~jdoe/notes'],
  ])('%s', (text, url, repo) => {
    expect(parseBitbucketUrl(text)).toMatchObject(repo === undefined ? { url } : { url, repo });
  });

  test.each([
    ['https://b.example.com/projects/PAY', 'PAY'],
    ['https://b.example.com/projects/pay/permissions', 'PAY'],
    ['https://b.example.com/users/jdoe', '~jdoe'],
  ])('%s is a project', (text, project) => {
    expect(parseBitbucketUrl(text)).toMatchObject({ url: 'https://b.example.com', project });
  });

  test.each([
    ['b.example.com', 'the scheme is missing', 'https://b.example.com'],
    ['b.example.com:7990/x', 'the scheme is missing', 'https://b.example.com:7990/x'],
    ['http:/b.example.com', '"://" is not complete', 'http://b.example.com'],
    ['https;//b.example.com', '"://" is not complete', 'https://b.example.com'],
    ['ssh://git@b.example.com:7999/pay/ledger.git', expect.stringContaining('ssh'), 'https://b.example.com'],
    ['git@b.example.com:pay/ledger.git', expect.stringContaining('ssh'), 'https://b.example.com'],
    ['git://b.example.com/pay/ledger.git', expect.stringContaining('ssh'), 'https://b.example.com'],
    ['https://b.example.com/pay/ledger.git', 'the address of a git repository', 'https://b.example.com'],
    ['file:///srv/git', 'only http and https are spoken here', undefined],
    ['https://bitbucket.org', expect.stringContaining('Bitbucket Cloud'), undefined],
    ['https://notbitbucket.org.example.com:x', 'not a URL', undefined],
  ])('%s is refused', (text, problem, suggestion) => {
    expect(parseBitbucketUrl(text)).toMatchObject(suggestion === undefined ? { problem } : { problem, suggestion });
  });

  test('a host that only ends like Bitbucket Cloud is another one', () => {
    expect(parseBitbucketUrl('https://my-bitbucket.org')).toMatchObject({ url: 'https://my-bitbucket.org' });
  });
});

describe('the address of SEI', () => {
  test.each([
    ['https://app.harness.io/gratis/sei/api', 'https://app.harness.io/gratis/sei/api'],
    ['https://app.harness.io/gratis/sei/api/', 'https://app.harness.io/gratis/sei/api'],
    ['https://app.harness.io/gateway/sei/api/v1/', 'https://app.harness.io/gateway/sei/api'],
    ['https://api.levelops.io', 'https://api.levelops.io'],
    ['https://eu1.api.propelo.ai/v1', 'https://eu1.api.propelo.ai'],
  ])('%s', (text, url) => expect(parseSeiUrl(text)).toMatchObject({ url, readable: false }));

  test('without TLS the key can be read, except on this machine', () => {
    expect(parseSeiUrl('http://sei.example.com')).toMatchObject({ readable: true });
    expect(parseSeiUrl('http://localhost:8080')).toMatchObject({ readable: false });
    expect(parseSeiUrl('http://[::1]:8080')).toMatchObject({ readable: false });
  });
});
