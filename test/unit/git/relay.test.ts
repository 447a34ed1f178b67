import { expect, test } from '@jest/globals';
import type { GitRequest } from '../../../src/bitbucket/client.ts';
import { Relay } from '../../../src/git/relay.ts';

async function* chunks(...texts: string[]): AsyncGenerator<Uint8Array> {
  for (const text of texts) yield Buffer.from(text);
}

async function open(answer = chunks('0000'), contentType = 'application/x-git-upload-pack-result') {
  const asked: GitRequest[] = [];
  let passed = 0;
  const relay = await Relay.open({
    client: {
      git: (request, consume) => {
        asked.push(request);
        return consume(answer, { 'content-type': contentType });
      },
    },
    repositoryPath: 'scm/pay/ledger.git',
    onBytes: (bytes) => {
      passed = bytes;
    },
  });
  const [name = '', token = ''] = (relay.config['http.extraHeader'] ?? '').split(': ');
  const base = new URL(relay.url).origin;
  return { relay, asked, base, header: { [name]: token }, passed: () => passed };
}

test('it passes on what is needed to read the one repository, to whoever knows the token', async () => {
  const { relay, asked, base, header, passed } = await open(chunks('0005a', '0000'));
  try {
    const headers = { ...header, 'git-protocol': 'version=2', authorization: 'Basic eDp5' };
    const answer = await fetch(`${base}/scm/pay/ledger.git/git-upload-pack`, { method: 'POST', headers, body: 'want' });
    expect([answer.status, await answer.text(), passed()]).toEqual([200, '0005a0000', 9]);
    expect(asked).toHaveLength(1);
    expect(asked[0]).toMatchObject({ method: 'POST', path: 'scm/pay/ledger.git/git-upload-pack' });
    expect(asked[0]?.body?.toString()).toBe('want');
    expect(asked[0]?.headers['git-protocol']).toBe('version=2');
    // Nothing else of what came in goes out, the token least of all.
    expect(Object.keys(asked[0]?.headers ?? {}).sort()).toEqual([
      'accept',
      'content-type',
      'git-protocol',
      'user-agent',
    ]);
  } finally {
    await relay.close();
  }
});

test.each([
  ['without the token', 'GET', '/scm/pay/ledger.git/info/refs?service=git-upload-pack', {}],
  [
    'with another token',
    'GET',
    '/scm/pay/ledger.git/info/refs?service=git-upload-pack',
    { 'x-satellite-relay': 'x'.repeat(43) },
  ],
  ['for a push', 'GET', '/scm/pay/ledger.git/info/refs?service=git-receive-pack', undefined],
  ['for a push', 'POST', '/scm/pay/ledger.git/git-receive-pack', undefined],
  ['for another repository', 'POST', '/scm/pay/other.git/git-upload-pack', undefined],
  ['for REST', 'GET', '/rest/api/latest/projects', undefined],
])('%s nobody gets through: %s %s', async (_name, method, path, shown) => {
  const { relay, asked, base, header } = await open();
  try {
    const answer = await fetch(base + path, { method, headers: shown ?? header });
    expect([answer.status, asked]).toEqual([403, []]);
  } finally {
    await relay.close();
  }
});

test('a login page is no answer', async () => {
  const { relay, base, header } = await open(chunks('<html>'), 'text/html');
  try {
    const answer = await fetch(`${base}/scm/pay/ledger.git/info/refs?service=git-upload-pack`, { headers: header });
    expect(answer.status).toBe(502);
    expect(relay.failure).toMatchObject({ code: 'BITBUCKET_ANSWER_UNREADABLE' });
  } finally {
    await relay.close();
  }
});

test('each relay has a token and a port of its own, and none once it is closed', async () => {
  const [one, other] = await Promise.all([open(), open()]);
  expect(one.header).not.toEqual(other.header);
  await one.relay.close();
  await expect(fetch(one.base)).rejects.toThrow();
  await other.relay.close();
});
