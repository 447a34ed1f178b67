import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import nock from 'nock';
import { soleAccount } from '../../../src/bitbucket/accounts.ts';
import { BitbucketClient } from '../../../src/bitbucket/client.ts';
import { Gate, type GateOptions } from '../../../src/bitbucket/gate.ts';
import type { IntegrationConfig } from '../../../src/config/config.ts';
import { SatelliteError } from '../../../src/errors.ts';
import { onlyExpectedRequests } from '../crawl/expected-requests.ts';
import { FakeClock } from '../crawl/fake-clock.ts';
import { integration } from '../crawl/integration.ts';

const origin = 'https://bitbucket.example.org';
const rest = '/rest/api/latest';
/** `reader` and `secret`. */
const basicHeader = 'Basic cmVhZGVyOnNlY3JldA==';
const attempts = 6;

/** A gate that is told of pauses but has no patience for them: the tests of the gate itself do. */
class OpenGate extends Gate {
  readonly pauses: number[] = [];

  constructor(options: GateOptions = { maxInFlight: 4 }) {
    super(options);
  }

  override pause(ms: number): void {
    this.pauses.push(ms);
  }
}

function setUp({ gate = new OpenGate(), ...overrides }: Partial<IntegrationConfig> & { gate?: OpenGate } = {}) {
  const clock = new FakeClock();
  const own = integration(overrides);
  const client = new BitbucketClient(own, { accounts: soleAccount(own, gate), clock });
  return { client, clock, gate };
}

/** The SatelliteError that the work ends with; anything else fails the test. */
async function errorOf(work: Promise<unknown>): Promise<SatelliteError> {
  const outcome = await work.catch((error: unknown) => error);
  if (outcome instanceof SatelliteError) return outcome;
  throw new Error('not the end that was expected', { cause: outcome });
}

function said(exceptionName: string) {
  return { errors: [{ context: null, message: 'Said by a test.', exceptionName }] };
}

async function textOf(chunks: AsyncIterable<Uint8Array>): Promise<string> {
  return Buffer.concat(await Array.fromAsync(chunks)).toString();
}

onlyExpectedRequests();

describe('what is sent', () => {
  test('name and password, and that JSON is wanted', async () => {
    const headers = { authorization: basicHeader, accept: 'application/json', 'user-agent': 'ingestion-satellite' };
    nock(origin, { reqheaders: headers }).get(`${rest}/repos`).reply(200, { ok: true });
    expect(await setUp().client.getJson('repos')).toEqual({ ok: true });
  });

  test('a password beyond ASCII in UTF-8', async () => {
    const authorization = 'Basic asO8cmdlbjrwn5SRw6k=';
    nock(origin, { reqheaders: { authorization } }).get(`${rest}/repos`).reply(200, {});
    const credentials = { kind: 'basic', username: 'jürgen', password: '🔑é' } as const;
    await setUp({ credentials }).client.getJson('repos');
  });

  test('a token as a bearer', async () => {
    nock(origin, { reqheaders: { authorization: 'Bearer abc' } })
      .get(`${rest}/repos`)
      .reply(200, {});
    await setUp({ credentials: { kind: 'bearer', token: 'abc' } }).client.getJson('repos');
  });

  test('the context path stays in front', async () => {
    nock(origin).get(`/tools/stash${rest}/repos`).reply(200, {});
    await setUp({ url: `${origin}/tools/stash` }).client.getJson('repos');
  });

  test('an encoded path as it is, a query encoded, and nothing for what is undefined', async () => {
    const name = 'refs/heads/a "$;><&#=@!|., +%';
    nock(origin)
      .get(`${rest}/projects/~jdoe/repos/a%23b%20%25/commits`)
      .query({ until: name, limit: '100', withComments: 'false' })
      .reply(200, {});
    await setUp().client.getJson('projects/~jdoe/repos/a%23b%20%25/commits', {
      until: name,
      since: undefined,
      limit: 100,
      withComments: false,
    });
  });

  test('that text is wanted, where it is streamed', async () => {
    nock(origin, { reqheaders: { accept: 'text/plain', authorization: basicHeader } })
      .get(`${rest}/diff`)
      .query({ until: 'abc' })
      .reply(200, 'a\nb\n', { 'content-type': 'text/plain;charset=UTF-8' });
    const read = setUp().client.streamText('diff', { until: 'abc' }, async (chunks, type) => [
      await textOf(chunks),
      type,
    ]);
    expect(await read).toEqual(['a\nb\n', 'text/plain;charset=UTF-8']);
  });
});

describe('what comes back', () => {
  test('the name of the user, where there is one', async () => {
    nock(origin).get(`${rest}/x`).reply(200, { version: '9.4.0' }, { 'X-AUSERNAME': 'reader' });
    nock(origin).get(`${rest}/x`).reply(200, {});
    const { client } = setUp();
    expect(await client.getAnswer('x')).toEqual({ body: { version: '9.4.0' }, userName: 'reader' });
    expect(await client.getAnswer('x')).toEqual({ body: {}, userName: undefined });
  });

  test('nothing, where there is no content', async () => {
    nock(origin).get(`${rest}/x`).reply(204);
    expect(await setUp().client.getJson('x')).toBeUndefined();
  });

  test.each([
    ['a login page', '<html>Log in</html>'],
    ['nothing at all', ''],
    ['half of an answer', '{"values":['],
  ])('%s instead of JSON is no answer', async (_name, body) => {
    nock(origin).get(`${rest}/x`).times(attempts).reply(200, body, { 'content-type': 'text/html' });
    expect(await errorOf(setUp().client.getJson('x'))).toMatchObject({
      code: 'BITBUCKET_ANSWER_UNREADABLE',
      kind: 'retryable',
      url: `${origin}${rest}/x`,
    });
  });
});

describe('trying again', () => {
  test.each([502, 503, 504])('a %i, with growing waits and as often as there are attempts', async (statusCode) => {
    nock(origin).get(`${rest}/x`).times(attempts).reply(statusCode, '<html>');
    const { client, clock, gate } = setUp();
    expect(await errorOf(client.getJson('x'))).toMatchObject({ code: 'BITBUCKET_SERVER_ERROR', statusCode });
    expect(clock.sleeps).toEqual([500, 1_000, 2_000, 4_000, 8_000]);
    expect(client.counts).toEqual({ requests: 6, retried: 5, throttled: 0 });
    expect(gate.pauses).toEqual([]);
  });

  test.each(['ECONNREFUSED', 'ECONNRESET', 'ENOTFOUND', 'EPIPE'])('a connection that fails (%s)', async (code) => {
    nock(origin)
      .get(`${rest}/x`)
      .times(attempts - 1)
      .replyWithError(Object.assign(new Error(code), { code }));
    nock(origin).get(`${rest}/x`).reply(200, { ok: true });
    expect(await setUp().client.getJson('x')).toEqual({ ok: true });
  });

  test('a connection that always fails, until the attempts are used up', async () => {
    nock(origin)
      .get(`${rest}/x`)
      .times(attempts)
      .replyWithError(Object.assign(new Error('no'), { code: 'ECONNREFUSED' }));
    expect(await errorOf(setUp().client.getJson('x'))).toMatchObject({
      code: 'BITBUCKET_UNREACHABLE',
      kind: 'retryable',
      url: `${origin}${rest}/x`,
    });
  });

  test('not a certificate that is not trusted', async () => {
    const error = Object.assign(new Error('self-signed'), { code: 'DEPTH_ZERO_SELF_SIGNED_CERT' });
    nock(origin).get(`${rest}/x`).replyWithError(error);
    const { client, clock } = setUp();
    expect(await errorOf(client.getJson('x'))).toMatchObject({ kind: 'config' });
    expect(clock.sleeps).toEqual([]);
  });

  test.each([
    [400, 'bug'],
    [401, 'auth'],
    [403, 'permission'],
    [404, 'unsupported'],
    [409, 'gone'],
    [500, 'retryable'],
  ])('not a %i', async (statusCode, kind) => {
    nock(origin).get(`${rest}/x`).reply(statusCode, { 'status-code': statusCode });
    const { client, clock } = setUp();
    expect(await errorOf(client.getJson('x'))).toMatchObject({ kind, statusCode });
    expect(clock.sleeps).toEqual([]);
  });

  test('a stream from its beginning', async () => {
    nock(origin).get(`${rest}/diff`).reply(503, '<html>');
    nock(origin).get(`${rest}/diff`).reply(200, 'whole');
    const { client } = setUp();
    expect(await client.streamText('diff', {}, textOf)).toBe('whole');
    expect(client.counts).toEqual({ requests: 2, retried: 1, throttled: 0 });
  });

  test('not what the reader of a stream throws', async () => {
    nock(origin).get(`${rest}/diff`).reply(200, 'text');
    const error = new TypeError('a bug of the reader');
    await expect(setUp().client.streamText('diff', {}, () => Promise.reject(error))).rejects.toBe(error);
  });
});

describe('being throttled', () => {
  test.each<[string, Record<string, string>, number]>([
    ['seconds', { 'retry-after': '7' }, 7_000],
    ['a date', { 'retry-after': 'Thu, 01 Jan 2026 00:00:09 GMT' }, 9_000],
    ['nothing', {}, 1_000],
  ])('with %s pauses the gate for everybody and waits as long', async (_name, headers, ms) => {
    nock(origin).get(`${rest}/x`).reply(429, '<html>', headers);
    nock(origin).get(`${rest}/x`).reply(200, { ok: true });
    const { client, clock, gate } = setUp();
    expect(await client.getJson('x')).toEqual({ ok: true });
    expect(gate.pauses).toEqual([ms]);
    // The gate keeps whoever waits; nobody sleeps beside it.
    expect(clock.sleeps).toEqual([]);
    expect(client.counts).toEqual({ requests: 2, retried: 0, throttled: 1 });
  });

  test('costs no attempt, however often it happens and whatever fails afterwards', async () => {
    nock(origin).get(`${rest}/x`).times(20).reply(429);
    nock(origin)
      .get(`${rest}/x`)
      .times(attempts - 1)
      .reply(503);
    nock(origin).get(`${rest}/x`).reply(200, { ok: true });
    const { client } = setUp();
    expect(await client.getJson('x')).toEqual({ ok: true });
    expect(client.counts).toEqual({ requests: 26, retried: 5, throttled: 20 });
  });

  test('by our own machine (too many open files) pauses the gate as well, and costs no attempt', async () => {
    nock(origin)
      .get(`${rest}/x`)
      .times(attempts + 1)
      .replyWithError(Object.assign(new Error('EMFILE'), { code: 'EMFILE' }));
    nock(origin).get(`${rest}/x`).reply(200, { ok: true });
    const { client, gate } = setUp();
    expect(await client.getJson('x')).toEqual({ ok: true });
    expect(gate.pauses).toHaveLength(attempts + 1);
  });

  test('backs off further and further while the server does not say how long', async () => {
    nock(origin).get(`${rest}/x`).times(9).reply(429);
    nock(origin).get(`${rest}/x`).reply(200, {});
    const { client, gate } = setUp();
    await client.getJson('x');
    expect(gate.pauses).toEqual([1_000, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000]);
  });

  test('keeps the other requests of the server out as well', async () => {
    const pauseMs = 150;
    const gate = new Gate({ maxInFlight: 4 });
    const clock = {
      now: () => Date.UTC(2026, 0, 1) + 1_000 - pauseMs,
      elapsedMs: () => performance.now(),
      random: () => 0,
      sleep: (ms: number) => delay(ms),
    };
    const clients = [1, 2].map(
      () => new BitbucketClient(integration(), { accounts: soleAccount(integration(), gate), clock }),
    );
    nock(origin).get(`${rest}/a`).reply(429, '', { 'retry-after': 'Thu, 01 Jan 2026 00:00:01 GMT' });
    nock(origin).get(`${rest}/a`).reply(200, {});
    let answeredAtMs = 0;
    nock(origin)
      .get(`${rest}/b`)
      .reply(() => {
        answeredAtMs = performance.now();
        return [200, {}];
      });
    const throttled = clients[0]?.getJson('a');
    while (clients[0]?.counts.throttled === 0) await delay(1);
    const askedAtMs = performance.now();
    await clients[1]?.getJson('b');
    expect(answeredAtMs - askedAtMs).toBeGreaterThan(pauseMs - 50);
    await throttled;
  });
});

test('a 429 keeps the next in line out, who waits for the place that it leaves', async () => {
  const gate = new Gate({ maxInFlight: 1 });
  const clock = {
    now: () => Date.UTC(2026, 0, 1) + 850,
    elapsedMs: () => performance.now(),
    random: () => 0,
    sleep: (ms: number) => delay(ms),
  };
  const client = new BitbucketClient(integration(), { accounts: soleAccount(integration(), gate), clock });
  let refusedAtMs = 0;
  nock(origin)
    .get(`${rest}/a`)
    .reply(() => {
      refusedAtMs = performance.now();
      return [429, '', { 'retry-after': 'Thu, 01 Jan 2026 00:00:01 GMT' }];
    });
  nock(origin).get(`${rest}/a`).reply(200, {});
  let answeredAtMs = 0;
  nock(origin)
    .get(`${rest}/b`)
    .reply(() => {
      answeredAtMs = performance.now();
      return [200, {}];
    });
  await Promise.all([client.getJson('a'), client.getJson('b')]);
  expect(answeredAtMs - refusedAtMs).toBeGreaterThan(100);
});

describe('refused credentials', () => {
  test.each<[string, number, object, Record<string, string>, string]>([
    ['a wrong password', 401, said('x.IncorrectPasswordAuthenticationException'), {}, 'CREDENTIALS_REFUSED'],
    ['anonymous', 401, said('x.AuthenticationRequiredException'), {}, 'CREDENTIALS_REFUSED'],
    ['no licence', 401, said('x.NoAccessAuthenticationException'), {}, 'CREDENTIALS_REFUSED'],
    ['a CAPTCHA, by its exception', 403, said('x.CaptchaRequiredAuthenticationException'), {}, 'CAPTCHA'],
    ['a CAPTCHA, by its header', 403, {}, { 'X-Authentication-Denied-Reason': 'CAPTCHA_CHALLENGE; x=y' }, 'CAPTCHA'],
  ])('%s: one request, and not another one', async (_name, statusCode, body, headers, code) => {
    nock(origin).get(`${rest}/x`).reply(statusCode, body, headers);
    const { client } = setUp();
    const refusal = await errorOf(client.getJson('x'));
    expect(refusal).toMatchObject({ code: `BITBUCKET_${code}`, kind: 'auth' });
    expect(await errorOf(client.getJson('x'))).toBe(refusal);
    expect(await errorOf(client.getAnswer('y'))).toBe(refusal);
    expect(await errorOf(client.streamText('diff', {}, textOf))).toBe(refusal);
    expect(client.counts.requests).toBe(1);
  });

  test('a refused stream counts just the same', async () => {
    nock(origin).get(`${rest}/diff`).reply(401, said('x.IncorrectPasswordAuthenticationException'));
    const { client } = setUp();
    const refusal = await errorOf(client.streamText('diff', {}, textOf));
    expect(refusal.kind).toBe('auth');
    expect(await errorOf(client.getJson('x'))).toBe(refusal);
  });

  test('what waits at the gate is not sent any more', async () => {
    nock(origin).get(`${rest}/x/1`).reply(401, {});
    const { client } = setUp({ gate: new OpenGate({ maxInFlight: 1 }) });
    const errors = await Promise.all([1, 2, 3, 4].map((n) => errorOf(client.getJson(`x/${n}`))));
    expect(new Set(errors).size).toBe(1);
    expect(client.counts.requests).toBe(1);
  });

  test('what waits for its next attempt is not sent any more', async () => {
    nock(origin).get(`${rest}/slow`).reply(503);
    nock(origin).get(`${rest}/x`).reply(401, {});
    const gate = new OpenGate();
    const sleeping = Promise.withResolvers<void>();
    const clock = Object.assign(new FakeClock(), { sleep: () => sleeping.promise });
    const client = new BitbucketClient(integration(), { accounts: soleAccount(integration(), gate), clock });
    const slow = errorOf(client.getJson('slow'));
    while (client.counts.retried === 0) await delay(1);
    const refusal = await errorOf(client.getJson('x'));
    sleeping.resolve();
    expect(await slow).toBe(refusal);
  });

  test('an item that is closed to good credentials stops nothing', async () => {
    nock(origin).get(`${rest}/x`).reply(401, said('com.atlassian.bitbucket.AuthorisationException'));
    nock(origin).get(`${rest}/y`).reply(200, { ok: true });
    const { client } = setUp();
    expect(await errorOf(client.getJson('x'))).toMatchObject({ code: 'BITBUCKET_FORBIDDEN', kind: 'permission' });
    expect(await client.getJson('y')).toEqual({ ok: true });
  });
});

describe('several credentials', () => {
  /** Of two users, ada first. */
  function setUpTwo() {
    const refused: string[] = [];
    const accounts = ['ada', 'grace'].flatMap((username) =>
      soleAccount({ credentials: { kind: 'basic', username, password: 'secret' } }, new OpenGate()),
    );
    const onRefused = ({ code }: SatelliteError) => refused.push(code);
    const client = new BitbucketClient(integration(), { accounts, clock: new FakeClock(), onRefused });
    return { client, refused };
  }
  const as = (username: string) => {
    const authorization = `Basic ${Buffer.from(`${username}:secret`).toString('base64')}`;
    return nock(origin, { reqheaders: { authorization } });
  };

  test('of which one is refused: the request goes on as the other user, and so do all later ones', async () => {
    as('ada').get(`${rest}/x`).reply(401, said('x.IncorrectPasswordAuthenticationException'));
    as('grace').get(`${rest}/x`).reply(200, { ok: true });
    as('grace').get(`${rest}/y`).reply(200, { ok: true });
    const { client, refused } = setUpTwo();
    expect(await client.getJson('x')).toEqual({ ok: true });
    expect(await client.getJson('y')).toEqual({ ok: true });
    expect(refused).toEqual(['BITBUCKET_CREDENTIALS_REFUSED']);
  });

  test('which are all refused: each is asked once, and nothing afterwards', async () => {
    as('ada').get(`${rest}/x`).reply(401, {});
    as('grace').get(`${rest}/x`).reply(403, said('x.CaptchaRequiredAuthenticationException'));
    const { client, refused } = setUpTwo();
    expect((await errorOf(client.getJson('x'))).kind).toBe('auth');
    expect((await errorOf(client.getJson('x'))).kind).toBe('auth');
    expect(refused).toHaveLength(2);
    expect(client.counts.requests).toBe(2);
  });
});

describe('a redirect', () => {
  test('of a renamed repository is followed, with the credentials', async () => {
    nock(origin)
      .get(`${rest}/projects/OLD/repos/a`)
      .query({ x: 1 })
      .reply(307, '', { location: `${rest}/projects/NEW/repos/b?x=1` });
    nock(origin, { reqheaders: { authorization: basicHeader } })
      .get(`${rest}/projects/NEW/repos/b`)
      .query({ x: 1 })
      .reply(200, { slug: 'b' });
    expect(await setUp().client.getJson('projects/OLD/repos/a', { x: 1 })).toEqual({ slug: 'b' });
  });

  test('of a stream is followed too', async () => {
    nock(origin)
      .get(`${rest}/old/diff`)
      .reply(307, '', { location: `${origin}${rest}/new/diff` });
    nock(origin, { reqheaders: { authorization: basicHeader, accept: 'text/plain' } })
      .get(`${rest}/new/diff`)
      .reply(200, 'text');
    expect(await setUp().client.streamText('old/diff', {}, textOf)).toBe('text');
  });

  test.each([
    ['another host', 'https://bitbucket.example.com/rest'],
    ['another port', 'https://bitbucket.example.org:8443/rest'],
    ['another scheme', 'http://bitbucket.example.org/rest'],
    ['another host, without a scheme', '//evil.example.net/rest'],
    ['another host behind a name that looks the same', 'https://bitbucket.example.org@evil.example.net/rest'],
  ])('to %s is not followed: nothing is asked there', async (_name, location) => {
    nock(origin).get(`${rest}/x`).reply(302, '', { location });
    nock(origin).get(`${rest}/diff`).reply(302, '', { location });
    const { client } = setUp();
    const redirected = await errorOf(client.getJson('x'));
    expect(redirected).toMatchObject({ code: 'BITBUCKET_REDIRECTED', kind: 'config' });
    expect(redirected.message).toContain(`Redirected to ${new URL(location, origin).host}, which`);
    expect(await errorOf(client.streamText('diff', {}, textOf))).toMatchObject({ code: 'BITBUCKET_REDIRECTED' });
  });
});

// What nock cannot show: time that passes on a wire, and a connection that breaks.
describe('with a server on loopback', () => {
  beforeEach(() => {
    nock.restore();
    // Only timers: sockets and the event loop go on as they are.
    jest.useFakeTimers({
      doNotFake: ['nextTick', 'setImmediate', 'clearImmediate', 'queueMicrotask', 'Date', 'performance', 'hrtime'],
    });
  });
  afterEach(() => {
    jest.useRealTimers();
    nock.activate();
  });

  async function serve(listener: RequestListener) {
    const server = createServer(listener).listen(0, '127.0.0.1');
    await new Promise((resolve) => server.once('listening', resolve));
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const abort = new AbortController();
    const clock = new FakeClock();
    const gate = new OpenGate({ maxInFlight: 2 });
    const client = new BitbucketClient(integration({ url }), {
      accounts: soleAccount(integration(), gate),
      clock,
      signal: abort.signal,
    });
    return {
      client,
      clock,
      abort,
      async [Symbol.asyncDispose]() {
        server.closeAllConnections();
        await new Promise((resolve) => server.close(resolve));
      },
    };
  }

  /** Lets the event loop turn a few times. */
  async function turn(times = 50): Promise<void> {
    for (let n = 0; n < times; n++) await new Promise((resolve) => setImmediate(resolve));
  }

  test.each<[string, number, (client: BitbucketClient) => Promise<unknown>]>([
    ['a JSON answer has a minute in all', 60_000, (client) => client.getJson('x')],
    ['a diff has five minutes in all', 300_000, (client) => client.streamText('x', {}, textOf)],
  ])('%s, however steadily it drips', async (_name, deadlineMs, ask) => {
    let requests = 0;
    let drip: (() => void) | undefined;
    await using server = await serve((_request, response) => {
      requests++;
      response.writeHead(200, { 'content-type': 'application/json' });
      if (requests > 1) response.end('"whole"');
      else drip = () => response.write(' ');
    });
    const answer = ask(server.client);
    while (drip === undefined) await turn(1);
    for (let elapsedMs = 0; elapsedMs < deadlineMs - 10_000; elapsedMs += 5_000) {
      drip();
      await turn(5);
      jest.advanceTimersByTime(5_000);
    }
    await turn();
    expect(requests).toBe(1);
    jest.advanceTimersByTime(10_000);
    // JSON is parsed, text is not.
    expect(String(await answer).replaceAll('"', '')).toBe('whole');
    expect(server.client.counts).toEqual({ requests: 2, retried: 1, throttled: 0 });
  });

  test('an answer that never comes in time is a timeout', async () => {
    await using server = await serve(() => undefined);
    const error = errorOf(server.client.getJson('x'));
    for (let n = 1; n <= attempts; n++) {
      while (server.client.counts.requests < n) await turn(1);
      await turn();
      jest.advanceTimersByTime(60_000);
    }
    expect(await error).toMatchObject({ code: 'BITBUCKET_TIMEOUT', kind: 'retryable' });
  });

  test('a text that breaks off is read again from its beginning', async () => {
    let requests = 0;
    await using server = await serve((_request, response) => {
      requests++;
      response.writeHead(200, { 'content-type': 'text/plain', 'content-length': 8 });
      if (requests > 1) response.end('12345678');
      else response.write('1234', () => response.socket?.resetAndDestroy());
    });
    const seen: string[] = [];
    const text = await server.client.streamText('x', {}, async (chunks) => {
      let read = '';
      seen.push('begun');
      for await (const chunk of chunks) read += Buffer.from(chunk).toString();
      return read;
    });
    expect(text).toBe('12345678');
    expect(seen).toEqual(['begun', 'begun']);
  });

  test('one that breaks off each time is a matter of this text: the server has answered', async () => {
    await using server = await serve((_request, response) => {
      response.writeHead(200, { 'content-type': 'text/plain', 'content-length': 8 });
      response.write('1234', () => response.socket?.resetAndDestroy());
    });
    expect(await errorOf(server.client.streamText('x', {}, textOf))).toMatchObject({
      code: 'BITBUCKET_DIFF_INCOMPLETE',
      kind: 'retryable',
      statusCode: 200,
    });
  });

  test('an answer cut short of its length, with a proper end of the connection, is not taken for a whole one', async () => {
    let requests = 0;
    await using server = await serve((_request, response) => {
      requests++;
      response.writeHead(200, { 'content-type': 'text/plain', 'content-length': 8, connection: 'close' });
      if (requests > 1) response.end('12345678');
      else response.write('1234', () => response.socket?.end());
    });
    expect(await server.client.streamText('x', {}, textOf)).toBe('12345678');
  });

  test('stopping ends a request under way, which is not repeated, and the one that waits behind it', async () => {
    let requests = 0;
    await using server = await serve(() => {
      requests++;
    });
    const first = server.client.getJson('x');
    const second = server.client.streamText('y', {}, textOf);
    const third = server.client.getJson('z');
    const ends = Promise.allSettled([first, second, third]);
    while (requests < 2) await turn(1);
    server.abort.abort();
    for (const end of await ends) expect(end).toMatchObject({ status: 'rejected', reason: { name: 'AbortError' } });
    await expect(server.client.getJson('x')).rejects.toMatchObject({ name: 'AbortError' });
    expect(requests).toBe(2);
    expect(server.clock.sleeps).toEqual([]);
  });

  test('stopping ends a wait between attempts', async () => {
    await using server = await serve((_request, response) => response.writeHead(503).end());
    jest.spyOn(server.clock, 'sleep').mockImplementation(async (_ms, signal) => {
      server.abort.abort(new Error('stopping'));
      signal?.throwIfAborted();
    });
    await expect(server.client.getJson('x')).rejects.toThrow('stopping');
    expect(server.client.counts.requests).toBe(1);
  });

  test('an answer that has no end is refused, and not asked for again', async () => {
    await using server = await serve((_request, response) => {
      response.writeHead(200, { 'content-type': 'application/json' });
      const chunk = Buffer.alloc(1024 * 1024, ' ');
      const more = () => {
        while (!response.destroyed) if (!response.write(chunk)) return void response.once('drain', more);
      };
      more();
    });
    expect(await errorOf(server.client.getJson('x'))).toMatchObject({ code: 'BITBUCKET_ANSWER_TOO_LARGE' });
    expect(server.client.counts.requests).toBe(1);
  });

  test('the error page of a stream is not read further than its beginning', async () => {
    let written = 0;
    await using server = await serve((_request, response) => {
      response.writeHead(400, { 'content-type': 'text/html' });
      const chunk = Buffer.alloc(16 * 1024, 'x');
      const more = () => {
        while (!response.destroyed && written < 200 * 1024 * 1024) {
          written += chunk.length;
          if (!response.write(chunk)) {
            response.once('drain', more);
            return;
          }
        }
      };
      more();
    });
    expect(await errorOf(server.client.streamText('x', {}, textOf))).toMatchObject({ statusCode: 400 });
    expect(written).toBeLessThan(100 * 1024 * 1024);
  });
});
