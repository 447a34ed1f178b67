import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { answerError } from '../../../src/bitbucket/answer-error.ts';
import { type ErrorKind, SatelliteError } from '../../../src/errors.ts';

const url = 'https://bitbucket.example.org/rest/api/latest/projects/PAY/repos/ledger';
const nowMs = Date.UTC(2026, 5, 15, 12);

function errorOf(
  statusCode: number,
  body: string,
  headers: Readonly<Record<string, string>> = {},
  asked = url,
): SatelliteError {
  return answerError({ statusCode, headers, body, url: asked }, nowMs);
}

/** As Bitbucket says it itself; an exception without a package is written as it is. */
function said(exceptionName: string | null, message: string | null = 'Said by a test.'): string {
  return JSON.stringify({ errors: [{ context: null, message, exceptionName }] });
}

const unknownRouteJson = '{"message":"HTTP 404 Not Found","status-code":404,"sub-code":-1}';
const unknownRouteXml =
  '<?xml version="1.0" encoding="UTF-8"?><status><status-code>404</status-code><message>null for uri</message></status>';
const html = '<html><body><h1>Please wait</h1></body></html>';

describe('what an answer means', () => {
  test.each<[string, number, string, ErrorKind, string]>([
    ['a parameter that is refused', 400, said('com.x.ArgumentValidationException'), 'bug', 'REQUEST_REFUSED'],
    ['a parameter that is refused without a name', 400, said(null), 'bug', 'REQUEST_REFUSED'],
    [
      'a wrong password',
      401,
      said('com.x.auth.IncorrectPasswordAuthenticationException'),
      'auth',
      'CREDENTIALS_REFUSED',
    ],
    ['anonymous', 401, said('com.y.AuthenticationRequiredException'), 'auth', 'CREDENTIALS_REFUSED'],
    ['no licence', 401, said('com.x.auth.NoAccessAuthenticationException'), 'auth', 'CREDENTIALS_REFUSED'],
    ['a 401 of a proxy', 401, html, 'auth', 'CREDENTIALS_REFUSED'],
    ['a 401 without a body', 401, '', 'auth', 'CREDENTIALS_REFUSED'],
    ['a 401 that says "not permitted here"', 401, said('com.x.AuthorisationException'), 'permission', 'FORBIDDEN'],
    [
      'the same of a Stash-era server',
      401,
      said('com.stash.exception.AuthorisationException'),
      'permission',
      'FORBIDDEN',
    ],
    [
      'an exception that only ends like it',
      401,
      said('com.x.NonAuthorisationException'),
      'auth',
      'CREDENTIALS_REFUSED',
    ],
    ['a CAPTCHA', 403, said('com.x.auth.CaptchaRequiredAuthenticationException'), 'auth', 'CAPTCHA'],
    ['a token without the scope', 403, said('com.x.AuthorisationException'), 'permission', 'FORBIDDEN'],
    ['a 403 of a proxy', 403, html, 'permission', 'FORBIDDEN'],
    ['no such project', 404, said('com.x.project.NoSuchProjectException'), 'gone', 'NOT_FOUND'],
    ['no such repository', 404, said('com.x.repository.NoSuchRepositoryException'), 'gone', 'NOT_FOUND'],
    ['no such pull request', 404, said('com.x.pull.NoSuchPullRequestException'), 'gone', 'NO_SUCH_PULL_REQUEST'],
    ['no such commit', 404, said('com.x.commit.NoSuchCommitException'), 'gone', 'NO_SUCH_COMMIT'],
    ['no default branch', 404, said('com.x.NoDefaultBranchException'), 'gone', 'NO_DEFAULT_BRANCH'],
    ['no default branch, by its text', 404, said(null, 'No default branch is defined'), 'gone', 'NO_DEFAULT_BRANCH'],
    ['a 404 of an error without a name', 404, said(null, null), 'gone', 'NOT_FOUND'],
    ['an unknown route, as JSON', 404, unknownRouteJson, 'unsupported', 'ROUTE_UNKNOWN'],
    ['an unknown route, as XML', 404, unknownRouteXml, 'unsupported', 'ROUTE_UNKNOWN'],
    ['a 404 with no error in the list', 404, '{"errors":[]}', 'retryable', 'ANSWER_UNREADABLE'],
    ['a 404 of a proxy', 404, html, 'retryable', 'ANSWER_UNREADABLE'],
    ['a 404 of a proxy in JSON', 404, '{"message":"no Route matched"}', 'retryable', 'ANSWER_UNREADABLE'],
    ['a 404 of a proxy in XML', 404, '<?xml version="1.0"?><Error></Error>', 'retryable', 'ANSWER_UNREADABLE'],
    ['a 404 without a body', 404, '', 'retryable', 'ANSWER_UNREADABLE'],
    ['a closed pull request', 409, said('com.x.pull.IllegalPullRequestStateException'), 'gone', 'CONFLICT'],
    ['a resource that has no such form', 406, '', 'unsupported', 'ROUTE_UNKNOWN'],
    ['a rate limit', 429, said(null), 'throttled', 'THROTTLED'],
    ['a rate limit in HTML', 429, html, 'throttled', 'THROTTLED'],
    ['an exception', 500, said('java.lang.IllegalStateException'), 'retryable', 'SERVER_ERROR'],
    ['a proxy without an upstream', 502, html, 'retryable', 'SERVER_ERROR'],
    ['overload', 503, html, 'retryable', 'SERVER_ERROR'],
    ['a slow upstream', 504, '', 'retryable', 'SERVER_ERROR'],
    ['a repository that has moved out of reach', 307, '', 'permission', 'REDIRECTED'],
  ])('%s (%i)', (_name, statusCode, body, kind, code) => {
    expect(errorOf(statusCode, body)).toMatchObject({ kind, code: `BITBUCKET_${code}`, statusCode, url });
  });

  test('a redirect of what is no repository is a matter of the configuration', () => {
    expect(errorOf(302, '', {}, 'https://bitbucket.example.org/rest/api/latest/repos')).toMatchObject({
      code: 'BITBUCKET_REDIRECTED',
      kind: 'config',
    });
  });

  test('a 401 to what nobody needs says nothing of the credentials', () => {
    const admin = 'https://bitbucket.example.org/rest/api/latest/admin/rate-limit/settings/users/ada';
    expect(errorOf(401, html, {}, admin)).toMatchObject({ code: 'BITBUCKET_FORBIDDEN', kind: 'permission' });
  });

  test('a CAPTCHA is also known by its header', () => {
    const headers = { 'x-authentication-denied-reason': 'CAPTCHA_CHALLENGE; login-url=https://bitbucket.example.org' };
    expect(errorOf(403, said('com.x.AuthorisationException'), headers)).toMatchObject({ code: 'BITBUCKET_CAPTCHA' });
    expect(errorOf(403, '', { 'x-authentication-denied-reason': 'OTHER' })).toMatchObject({ kind: 'permission' });
  });

  test.each([429, 503])('a %i says how long to wait, where it does', (statusCode) => {
    expect(errorOf(statusCode, '', { 'retry-after': '17' }).retryAfterMs).toBe(17_000);
    expect(errorOf(statusCode, '', { 'retry-after': 'Mon, 15 Jun 2026 12:00:20 GMT' }).retryAfterMs).toBe(20_000);
    expect(errorOf(statusCode, '').retryAfterMs).toBeUndefined();
  });

  test('the message names exception, request and what Bitbucket said, and no more than a line of it', () => {
    const { message } = errorOf(404, said('com.x.NoSuchRepositoryException', `${'x'.repeat(500)}END`), {
      'x-arequestid': '@1ABCx2',
    });
    expect(message).toContain('404 NoSuchRepositoryException, request @1ABCx2');
    expect(message).toContain('xxx');
    expect(message).not.toContain('END');
  });

  test('whatever a proxy or a later version puts into a body, it is an error of ours', () => {
    const text = fc.option(fc.anything({ maxDepth: 2 }), { nil: undefined });
    const error = fc.oneof(fc.anything(), fc.record({ message: text, exceptionName: text }, { requiredKeys: [] }));
    const body = fc.oneof(
      fc.string(),
      fc.json(),
      fc.array(error, { maxLength: 2 }).map((errors) => JSON.stringify({ errors }, (_key, value) => plain(value))),
    );
    const statusCode = fc.constantFrom(201, 302, 400, 401, 403, 404, 409, 418, 429, 500, 503);
    fc.assert(
      fc.property(statusCode, body, (status, text) => {
        expect(errorOf(status, text)).toBeInstanceOf(SatelliteError);
      }),
      { numRuns: 500 },
    );
  });
});

function plain(value: unknown): unknown {
  return typeof value === 'bigint' ? String(value) : value;
}

interface RegistryEntry {
  readonly status: number;
  readonly exception?: string;
  readonly exampleMessage?: string;
  readonly emptyBody?: boolean;
}

/** The sheet's table, written once more and by what it says rather than by how the code goes about it. */
function kindByTheTable({ status, exception = '' }: RegistryEntry): ErrorKind {
  const byStatus: Readonly<Record<number, ErrorKind>> = {
    307: 'permission',
    400: 'bug',
    401: exception.endsWith('.AuthorisationException') ? 'permission' : 'auth',
    404: exception === '' ? 'unsupported' : 'gone',
    406: 'unsupported',
    409: 'gone',
  };
  const kind = byStatus[status];
  if (kind === undefined) throw new Error(`the table has no status ${status}`);
  return kind;
}

function bodyOf({ status, exception, exampleMessage, emptyBody }: RegistryEntry): string {
  if (emptyBody) return '';
  if (exception === undefined && exampleMessage === undefined)
    return unknownRouteJson.replaceAll('404', String(status));
  return JSON.stringify({ errors: [{ context: null, message: exampleMessage, exceptionName: exception ?? null }] });
}

const registry = new URL(
  '../../../../shared/fixtures/bitbucket-dc/vriesdemichael_bitbucket-data-center-cli/docs/quality/bitbucket-error-registry.json',
  import.meta.url,
);

describe('the answers of a real server', () => {
  if (!existsSync(registry)) {
    test.skip(`left out: there is no ${registry.pathname}`, () => undefined);
    return;
  }
  const { entries } = JSON.parse(readFileSync(registry, 'utf8')) as { entries: readonly RegistryEntry[] };
  const errors = entries.filter(({ status }) => status >= 300);

  test('there are some', () => {
    expect(errors.length).toBeGreaterThan(15);
  });

  test.each(errors.map((entry) => [entry.status, entry.exception ?? 'without a name', entry] as const))(
    '%i %s',
    (status, _exception, entry) => {
      expect(errorOf(status, bodyOf(entry)).kind).toBe(kindByTheTable(entry));
    },
  );
});
