import type { IncomingHttpHeaders } from 'node:http';
import { type ErrorDetails, SatelliteError } from '../errors.ts';
import { redirectHost } from '../http/redirect.ts';
import { parseRetryAfterMs } from '../http/retry.ts';
import { cut } from '../ops/cut.ts';

export interface Answer {
  readonly statusCode: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
  readonly url: string;
  /** To git Bitbucket answers in other forms: its 404 is taken for one in any. */
  readonly isForGit?: boolean;
}

/**
 * What an answer other than 2xx means (bitbucket-dc-rest §2 "Error answers"). Bitbucket's 401 is also its word for "not
 * permitted here", and its 404 for "this version has no such resource": the exception's name and the form of the body
 * tell them apart. Names are compared by their last part, as their packages changed over the years. A 404 in none of
 * Bitbucket's forms is that of a proxy, and says nothing about Bitbucket.
 */
export function answerError(answer: Answer, nowMs: number): SatelliteError {
  const { statusCode, headers, url } = answer;
  const first = readFirstError(answer.body);
  const exception = lastPart(first?.exceptionName);
  const said = first?.message ? `: ${cut(first.message, 200)}` : '';
  const requestId = [headers['x-arequestid'] ?? []].flat()[0];
  const error = (text: string, details: Omit<ErrorDetails, 'url' | 'statusCode'>) =>
    new SatelliteError(
      `${text} (${statusCode}${exception ? ` ${exception}` : ''}${requestId ? `, request ${requestId}` : ''})${said}`,
      { ...details, url, statusCode, ...(requestId === undefined ? {} : { requestId }) },
    );

  switch (statusCode) {
    case 401:
      if (exception === 'AuthorisationException' || isCourtesy(url)) return error('Not permitted', forbidden);
      return error('Bitbucket refuses the credentials', {
        code: 'BITBUCKET_CREDENTIALS_REFUSED',
        kind: 'auth',
        hint: 'Check username and api_key of the integration, and that the user is licensed for Bitbucket. They are not tried again until they change or the satellite is restarted, so that the account is not locked.',
      });
    case 403:
      if (exception === 'CaptchaRequiredAuthenticationException' || isCaptcha(headers)) {
        return error('Bitbucket asks for a CAPTCHA', {
          code: 'BITBUCKET_CAPTCHA',
          kind: 'auth',
          hint: 'Log in once in the browser as the user of the integration and solve the CAPTCHA, or use an HTTP access token.',
        });
      }
      return error('Not permitted', forbidden);
    case 404:
      if (first !== undefined)
        return error('Not found', { code: notFoundCode(exception, first.message), kind: 'gone' });
      if (answer.isForGit || isUnknownRoute(answer.body)) {
        return error('This version of Bitbucket does not know the resource', {
          code: 'BITBUCKET_ROUTE_UNKNOWN',
          kind: 'unsupported',
        });
      }
      return error('Something before Bitbucket says that there is nothing', {
        code: 'BITBUCKET_ANSWER_UNREADABLE',
        kind: 'retryable',
        hint: 'A proxy or load balancer answers in the place of Bitbucket: check the url, and that all paths below it get through.',
      });
    // Of a diff, old versions have the JSON form alone.
    case 406:
      return error('This version of Bitbucket does not have the resource in this form', {
        code: 'BITBUCKET_ROUTE_UNKNOWN',
        kind: 'unsupported',
      });
    case 409:
      return error('Not possible in this state', { code: 'BITBUCKET_CONFLICT', kind: 'gone' });
    case 429: {
      const retryAfterMs = parseRetryAfterMs(headers['retry-after'], nowMs);
      return error('Bitbucket limits the rate', {
        code: 'BITBUCKET_THROTTLED',
        kind: 'throttled',
        ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
      });
    }
  }
  if (statusCode >= 500) {
    const retryAfterMs = statusCode === 503 ? parseRetryAfterMs(headers['retry-after'], nowMs) : undefined;
    return error('Bitbucket or a proxy before it fails', {
      code: 'BITBUCKET_SERVER_ERROR',
      kind: 'retryable',
      ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
    });
  }
  if (statusCode >= 300 && statusCode < 400) {
    return error(`Redirected to ${redirectHost(headers.location, url)}, which is not followed`, {
      code: 'BITBUCKET_REDIRECTED',
      // One that was renamed under our hands is found under its new name by the next job. It is not gone for all that.
      kind: isOfRepository(url) ? 'permission' : 'config',
      hint: 'Set the url of the integration to the final base URL of Bitbucket: a redirect to another host would carry the credentials there.',
    });
  }
  return error('Bitbucket does not accept the request', { code: 'BITBUCKET_REQUEST_REFUSED', kind: 'bug' });
}

/** Of /admin nothing is needed, and a proxy may guard it with a login of its own: credentials are judged by the rest. */
function isCourtesy(url: string): boolean {
  return new URL(url).pathname.includes('/rest/api/latest/admin/');
}

function isOfRepository(url: string): boolean {
  return /\/projects\/[^/]+\/repos\/[^/]+/.test(new URL(url).pathname);
}

const forbidden = {
  code: 'BITBUCKET_FORBIDDEN',
  kind: 'permission',
  hint: 'Give the user of the integration read permission on the project or repository.',
} as const;

interface RestError {
  readonly message: string | undefined;
  readonly exceptionName: string | undefined;
}

/**
 * The first of `errors[]` in Bitbucket's own answers; undefined for any other body (a proxy's HTML, an unknown route).
 * What in it is no text is left out: an answer that cannot be read must not hide what its status says.
 */
function readFirstError(body: string): RestError | undefined {
  try {
    const { errors } = JSON.parse(body) as { errors?: unknown };
    if (!Array.isArray(errors) || errors.length === 0) return undefined;
    const { message, exceptionName } = Object(errors[0]) as Readonly<Record<string, unknown>>;
    return { message: textOrNothing(message), exceptionName: textOrNothing(exceptionName) };
  } catch {
    return undefined;
  }
}

/** As Bitbucket says it, in JSON or XML: `status-code` without `errors[]`. */
function isUnknownRoute(body: string): boolean {
  if (/^\s*(?:<\?xml[^>]*>\s*)?<status>\s*<status-code>404</.test(body)) return true;
  try {
    return Object(JSON.parse(body))['status-code'] === 404;
  } catch {
    return false;
  }
}

function textOrNothing(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

function lastPart(exceptionName: string | undefined): string | undefined {
  return exceptionName?.split('.').at(-1);
}

function isCaptcha(headers: IncomingHttpHeaders): boolean {
  return String(headers['x-authentication-denied-reason'] ?? '').startsWith('CAPTCHA');
}

/** Older servers leave the exception's name out of "No default branch is defined" (bitbucket-dc-rest §5). */
function notFoundCode(exception: string | undefined, message: string | undefined): string {
  if (exception === 'NoDefaultBranchException' || /no default branch/i.test(message ?? '')) {
    return 'BITBUCKET_NO_DEFAULT_BRANCH';
  }
  if (exception === 'NoSuchPullRequestException') return 'BITBUCKET_NO_SUCH_PULL_REQUEST';
  return exception === 'NoSuchCommitException' ? 'BITBUCKET_NO_SUCH_COMMIT' : 'BITBUCKET_NOT_FOUND';
}
