import { describe, expect, test } from '@jest/globals';
import nock from 'nock';
import { soleAccount } from '../../../src/bitbucket/accounts.ts';
import { Bitbucket, pathOf } from '../../../src/bitbucket/bitbucket.ts';
import { BitbucketClient } from '../../../src/bitbucket/client.ts';
import { Gate } from '../../../src/bitbucket/gate.ts';
import { onlyExpectedRequests } from '../crawl/expected-requests.ts';
import { FakeClock } from '../crawl/fake-clock.ts';
import { integration } from '../crawl/integration.ts';

const ledger = { projectKey: 'PAY', slug: 'ledger' };
const rest = '/rest/api/latest';
const R = `${rest}/projects/PAY/repos/ledger`;

onlyExpectedRequests();

// Without TLS: a client of its own for each test would read the system's certificates each time.
const url = 'http://bitbucket.example.org';

function server(): nock.Scope {
  return nock(url);
}

function bitbucket(): Bitbucket {
  const clock = new FakeClock();
  return new Bitbucket(
    new BitbucketClient(integration({ url }), {
      accounts: soleAccount(integration(), new Gate({ maxInFlight: 4 })),
      clock,
    }),
  );
}

function lastPage(...values: unknown[]) {
  return { isLastPage: true, values };
}

function said(exceptionName: string | null, message = 'Said by a test.') {
  return { errors: [{ context: null, message, exceptionName }] };
}

const unknownRouteJson = { message: 'HTTP 404 Not Found', 'status-code': 404, 'sub-code': -1 };
const unknownRouteXml = '<?xml version="1.0"?><status><status-code>404</status-code></status>';

describe('what is asked for', () => {
  test('repositories: personal and archived ones too, as many as a page may hold', async () => {
    server()
      .get(`${rest}/repos`)
      .query({ archived: 'ALL', limit: 1000, start: 0 })
      .reply(200, lastPage({ id: 1 }));
    const pages = await Array.fromAsync(bitbucket().repositoryPages());
    expect(pages.map(({ values }) => values)).toEqual([[{ id: 1 }]]);
  });

  test('branches: without details, which fail where the default branch is missing', async () => {
    server()
      .get(`${R}/branches`)
      .query({ orderBy: 'MODIFICATION', limit: 1000, start: 0 })
      .reply(200, lastPage({ id: 'refs/heads/main' }));
    expect(await Array.fromAsync(bitbucket().branches(ledger))).toEqual([{ id: 'refs/heads/main' }]);
  });

  test('commits of a range from a page on', async () => {
    server()
      .get(`${R}/commits`)
      .query({ until: 'b', since: 'a', merges: 'include', limit: 100, start: 300 })
      .reply(200, lastPage({ id: 'b' }));
    const commits = bitbucket().commits(ledger, { until: 'b', since: 'a' }, 300);
    expect(await Array.fromAsync(commits)).toEqual([{ values: [{ id: 'b' }], start: 300, nextStart: undefined }]);
  });

  test('commits since one, up to whatever the default branch is', async () => {
    server().get(`${R}/commits`).query({ since: 'a', merges: 'include', limit: 100, start: 0 }).reply(200, lastPage());
    expect(await Array.fromAsync(bitbucket().commits(ledger, { since: 'a' }))).toHaveLength(1);
  });

  test('pull requests with their counts', async () => {
    const query = { order: 'NEWEST', withProperties: true, withAttributes: false, limit: 100, start: 0 };
    server()
      .get(`${R}/pull-requests`)
      .query({ ...query, state: 'OPEN' })
      .reply(200, lastPage());
    await Array.fromAsync(bitbucket().pullRequests(ledger, 'OPEN'));
  });

  test('one pull request, its activities and its commits', async () => {
    server().get(`${R}/pull-requests/3`).reply(200, { id: 3 });
    server()
      .get(`${R}/pull-requests/3/activities`)
      .query({ limit: 100, start: 0 })
      .reply(200, lastPage({ action: 'OPENED' }));
    server()
      .get(`${R}/pull-requests/3/commits`)
      .query({ limit: 100, start: 0 })
      .reply(200, lastPage({ id: 'c' }));
    const source = bitbucket();
    expect(await source.pullRequest(ledger, 3)).toEqual({ id: 3 });
    expect(await Array.fromAsync(source.activities(ledger, 3))).toEqual([{ action: 'OPENED' }]);
    expect(await Array.fromAsync(source.pullRequestCommits(ledger, 3))).toEqual([{ id: 'c' }]);
  });

  test('activities beyond what the server gives at once', async () => {
    const page = (start: number, next?: number) => ({
      limit: 100,
      isLastPage: next === undefined,
      nextPageStart: next,
      values: [{ id: start, action: 'SOMETHING_NEW' }],
    });
    const url = `${R}/pull-requests/3/activities`;
    server().get(url).query({ limit: 100, start: 0 }).reply(200, page(0, 500));
    server().get(url).query({ limit: 100, start: 500 }).reply(200, page(500));
    const activities = await Array.fromAsync(bitbucket().activities(ledger, 3));
    expect(activities.map(({ id }) => id)).toEqual([0, 500]);
  });

  test('tags', async () => {
    server()
      .get(`${R}/tags`)
      .query({ limit: 1000, start: 0 })
      .reply(200, lastPage({ id: 'refs/tags/v1' }));
    expect(await Array.fromAsync(bitbucket().tags(ledger))).toMatchObject([{ values: [{ id: 'refs/tags/v1' }] }]);
  });

  test.each([
    ['~jdoe', 'a.b', 'projects/~jdoe/repos/a.b'],
    ['P', 'a#b%c d+e?f/g', 'projects/P/repos/a%23b%25c%20d%2Be%3Ff%2Fg'],
    ['ÜB', 'ö', 'projects/%C3%9CB/repos/%C3%B6'],
  ])('a path of %s/%s that survives its signs', (projectKey, slug, path) => {
    expect(pathOf({ projectKey, slug })).toBe(path);
  });
});

describe('who we are', () => {
  test('is in a header of every answer to a user', async () => {
    server().get(`${rest}/application-properties`).reply(200, { version: '9.4.0' }, { 'X-AUSERNAME': 'reader' });
    expect(await bitbucket().userName()).toBe('reader');
  });

  test('is not known of a token without a user, nor of a stranger', async () => {
    server().get(`${rest}/application-properties`).reply(200, { version: '9.4.0' });
    expect(await bitbucket().userName()).toBeUndefined();
  });
});

describe('the default branch', () => {
  const main = { id: 'refs/heads/main', displayId: 'main', type: 'BRANCH' };

  test('of a current server', async () => {
    server().get(`${R}/default-branch`).reply(200, main);
    expect(await bitbucket().defaultBranch(ledger)).toEqual(main);
  });

  test.each([
    ['JSON', unknownRouteJson],
    ['XML', unknownRouteXml],
  ])('of an older one, which says in %s that it has no such resource', async (_name, body) => {
    server().get(`${R}/default-branch`).reply(404, body);
    server().get(`${R}/branches/default`).reply(200, main);
    expect(await bitbucket().defaultBranch(ledger)).toEqual(main);
  });

  test('of an empty repository on an older one is none: 204', async () => {
    server().get(`${R}/default-branch`).reply(404, unknownRouteJson);
    server().get(`${R}/branches/default`).reply(204);
    expect(await bitbucket().defaultBranch(ledger)).toBeUndefined();
  });

  test.each([
    ['by its exception', said('com.atlassian.bitbucket.repository.NoDefaultBranchException')],
    ['by its text', said(null, 'No default branch is defined')],
  ])('that is said not to be there, %s, is none', async (_name, body) => {
    server().get(`${R}/default-branch`).reply(404, body);
    expect(await bitbucket().defaultBranch(ledger)).toBeUndefined();
  });

  test('on an older one costs the newer resource once, not once a repository', async () => {
    server().get(`${R}/default-branch`).reply(404, unknownRouteJson);
    server().get(`${R}/branches/default`).times(2).reply(204);
    const older = bitbucket();
    for (let n = 0; n < 2; n++) expect(await older.defaultBranch(ledger)).toBeUndefined();
  });

  test('of a server that knows neither resource is none', async () => {
    server().get(`${R}/default-branch`).reply(404, unknownRouteJson);
    server().get(`${R}/branches/default`).reply(404, unknownRouteXml);
    expect(await bitbucket().defaultBranch(ledger)).toBeUndefined();
  });

  test('of a repository that is gone is an error', async () => {
    server()
      .get(`${R}/default-branch`)
      .reply(404, said('com.atlassian.bitbucket.repository.NoSuchRepositoryException'));
    await expect(bitbucket().defaultBranch(ledger)).rejects.toMatchObject({
      code: 'BITBUCKET_NOT_FOUND',
      kind: 'gone',
    });
  });
});

describe('the files of a commit', () => {
  const commit = (id: string, ...parents: string[]) => ({ id, parents: parents.map((parent) => ({ id: parent })) });
  const rawDiff = [
    'diff --git src://a.txt dst://a.txt',
    'index 1..2 100644',
    '--- src://a.txt',
    '+++ dst://a.txt',
    '@@ -1,1 +1,2 @@',
    '-one',
    '+two',
    '+three',
    '',
  ].join('\n');
  const jsonDiff = {
    truncated: false,
    diffs: [
      {
        source: { components: ['a.txt'], toString: 'a.txt' },
        destination: { components: ['a.txt'], toString: 'a.txt' },
        hunks: [
          {
            segments: [
              { type: 'REMOVED', lines: [{ line: 'one' }] },
              { type: 'ADDED', lines: [{ line: '2' }, { line: '3' }] },
            ],
          },
        ],
      },
    ],
  };
  const counted = {
    files: [{ sourcePath: 'a.txt', destinationPath: 'a.txt', linesAdded: 2, linesRemoved: 1 }],
    truncated: false,
  };

  function raw(id: string, since?: string) {
    return server()
      .get(`${R}/diff`)
      .query({ until: id, ...(since === undefined ? {} : { since }), contextLines: 0 });
  }

  function json(id: string) {
    return server().get(`${R}/commits/${id}/diff`).query({ contextLines: 0, withComments: false });
  }

  test('are counted from the raw diff against its first parent', async () => {
    raw('c', 'p').matchHeader('accept', 'text/plain').reply(200, rawDiff, { 'content-type': 'text/plain' });
    expect(await bitbucket().commitFiles(ledger, commit('c', 'p', 'q'))).toEqual(counted);
  });

  test('of a root commit have nothing to be compared with', async () => {
    raw('c').reply(200, '', { 'content-type': 'text/plain' });
    expect(await bitbucket().commitFiles(ledger, commit('c'))).toEqual({ files: [], truncated: false });
  });

  test.each([
    ['does not know the raw diff, and says so in JSON', 404, unknownRouteJson],
    ['does not know the raw diff, and says so in XML', 404, unknownRouteXml],
    ['answers JSON all the same', 200, jsonDiff],
    ['has a diff as JSON alone', 406, ''],
  ])('of a server that %s are counted from JSON from then on', async (_name, statusCode, body) => {
    raw('c', 'p').reply(statusCode, body);
    json('c').reply(200, jsonDiff);
    json('d').reply(200, jsonDiff);
    const source = bitbucket();
    expect(await source.commitFiles(ledger, commit('c', 'p'))).toEqual(counted);
    expect(await source.commitFiles(ledger, commit('d', 'c'))).toEqual(counted);
  });

  test('of one commit whose raw diff cannot be read are counted from JSON, and the next one from the raw diff', async () => {
    raw('c', 'p').reply(200, 'diff --cc a.txt\n', { 'content-type': 'text/plain' });
    json('c').reply(200, jsonDiff);
    raw('d', 'c').reply(200, rawDiff, { 'content-type': 'text/plain' });
    const source = bitbucket();
    expect(await source.commitFiles(ledger, commit('c', 'p'))).toEqual(counted);
    expect(await source.commitFiles(ledger, commit('d', 'c'))).toEqual(counted);
  });

  test('a login page in the place of the raw diff is not a commit without files', async () => {
    raw('c', 'p').reply(200, '<html>Log in</html>', { 'content-type': 'text/html' });
    json('c').times(6).reply(200, '<html>Log in</html>', { 'content-type': 'text/html' });
    await expect(bitbucket().commitFiles(ledger, commit('c', 'p'))).rejects.toMatchObject({
      code: 'BITBUCKET_ANSWER_UNREADABLE',
    });
  });

  test('that are too much for the server in one form are asked for in the other, for this commit alone', async () => {
    raw('c', 'p').reply(500, said('java.lang.OutOfMemoryError'));
    json('c').reply(200, jsonDiff);
    raw('d', 'p').reply(200, rawDiff);
    const own = bitbucket();
    expect(await own.commitFiles(ledger, commit('c', 'p'))).toEqual(counted);
    expect(await own.commitFiles(ledger, commit('d', 'p'))).toEqual(counted);
  });

  test.each([403, 400])(
    'that something refuses as text (%i) are asked for as JSON, for this commit alone',
    async (status) => {
      raw('c', 'p').reply(status, 'blocked');
      json('c').reply(200, jsonDiff);
      raw('d', 'p').reply(200, rawDiff);
      const own = bitbucket();
      expect(await own.commitFiles(ledger, commit('c', 'p'))).toEqual(counted);
      expect(await own.commitFiles(ledger, commit('d', 'p'))).toEqual(counted);
    },
  );

  const cutDiff = { ...jsonDiff, truncated: true };
  const text = { 'content-type': 'text/plain' };

  test.each([
    ['was refused', 403, 'BITBUCKET_FORBIDDEN'],
    ['was refused as a request', 400, 'BITBUCKET_REQUEST_REFUSED'],
  ])(
    'that the server cut short are not taken where the raw diff %s on its way: it may be whole later',
    async (_name, status, code) => {
      raw('c', 'p').reply(status, 'blocked');
      json('c').reply(200, cutDiff);
      await expect(bitbucket().commitFiles(ledger, commit('c', 'p'))).rejects.toMatchObject({ code });
    },
  );

  const textWithoutItsEnd = rawDiff.slice(0, -10);

  test('that broke off on their way are not taken from JSON that the server cut short', async () => {
    raw('c', 'p').times(3).reply(200, textWithoutItsEnd, text);
    json('c').reply(200, cutDiff);
    await expect(bitbucket().commitFiles(ledger, commit('c', 'p'))).rejects.toMatchObject({
      code: 'BITBUCKET_DIFF_INCOMPLETE',
    });
  });

  test('that break off in both forms are a matter of this diff', async () => {
    raw('c', 'p').times(3).reply(200, textWithoutItsEnd, text);
    json('c').times(6).reply(200, '{"diffs": [', { 'content-type': 'application/json' });
    await expect(bitbucket().commitFiles(ledger, commit('c', 'p'))).rejects.toMatchObject({
      code: 'BITBUCKET_DIFF_INCOMPLETE',
    });
  });

  test('that the server cut short are marked', async () => {
    raw('c', 'p').reply(404, unknownRouteJson);
    json('c').reply(200, cutDiff);
    expect(await bitbucket().commitFiles(ledger, commit('c', 'p'))).toEqual({ ...counted, truncated: true });
  });

  test('one 404 of a proxy in the place of a raw diff does not make JSON of all that follow', async () => {
    raw('c', 'p').reply(404, '<html>no backend</html>', { 'content-type': 'text/html' });
    raw('c', 'p').reply(200, rawDiff, text);
    raw('d', 'c').reply(200, rawDiff, text);
    const source = bitbucket();
    expect(await source.commitFiles(ledger, commit('c', 'p'))).toEqual(counted);
    expect(await source.commitFiles(ledger, commit('d', 'c'))).toEqual(counted);
  });

  test('that a server cut short are taken only after it was asked once more for the whole', async () => {
    raw('c', 'p').reply(404, unknownRouteJson);
    json('c').reply(200, jsonDiff);
    json('d').reply(200, cutDiff);
    raw('d', 'c').reply(200, rawDiff, text);
    raw('e', 'd').reply(200, rawDiff, text);
    const source = bitbucket();
    for (const [id, parent] of ['cp', 'dc', 'ed']) {
      expect(await source.commitFiles(ledger, commit(id ?? '', parent ?? ''))).toEqual(counted);
    }
  });

  test('are not taken cut short of a server that has sent raw diffs before, be it in another job', async () => {
    const accounts = soleAccount(integration(), new Gate({ maxInFlight: 4 }));
    const job = () => new Bitbucket(new BitbucketClient(integration({ url }), { accounts, clock: new FakeClock() }));
    raw('c', 'p').reply(200, rawDiff, text);
    expect(await job().commitFiles(ledger, commit('c', 'p'))).toEqual(counted);
    const later = job();
    raw('d', 'c').reply(404, unknownRouteJson);
    json('d').reply(200, cutDiff);
    await expect(later.commitFiles(ledger, commit('d', 'c'))).rejects.toMatchObject({
      code: 'BITBUCKET_ROUTE_UNKNOWN',
      kind: 'retryable',
    });
    raw('d', 'c').reply(404, unknownRouteJson);
    json('d').reply(200, jsonDiff);
    raw('e', 'd').reply(200, rawDiff, text);
    expect(await later.commitFiles(ledger, commit('d', 'c'))).toEqual(counted);
    expect(await later.commitFiles(ledger, commit('e', 'd'))).toEqual(counted);
  });

  test.each([
    ['gone', 404, said('com.atlassian.bitbucket.commit.NoSuchCommitException'), 'gone'],
    ['closed to us', 401, said('com.atlassian.bitbucket.AuthorisationException'), 'permission'],
  ])('of a commit that is %s are not asked for in another way', async (_name, statusCode, body, kind) => {
    raw('c', 'p').reply(statusCode, body);
    await expect(bitbucket().commitFiles(ledger, commit('c', 'p'))).rejects.toMatchObject({ kind, statusCode });
  });
});
