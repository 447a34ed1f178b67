import { describe, expect, test } from '@jest/globals';
import nock from 'nock';
import { SatelliteError } from '../../../src/errors.ts';
import { agentHandle, telemetry } from '../../../src/sei/handle.ts';
import { SeiClient } from '../../../src/sei/sei-client.ts';
import type { JobReport } from '../../../src/sei/types.ts';
import { onlyExpectedRequests } from '../crawl/expected-requests.ts';
import { FakeClock } from '../crawl/fake-clock.ts';
import { integration } from '../crawl/integration.ts';
import { config, satellite } from './config.ts';

const origin = 'https://sei.example.org';
const ingestion = '/gratis/sei/api/v1/ingestion';
const callback = `${ingestion}/agent-callback`;
const clock = new FakeClock(Date.UTC(2026, 5, 15, 12));

onlyExpectedRequests();

function client(): SeiClient {
  return new SeiClient(satellite(), { clock });
}

/** SEI, as long as the key is right. Without a length, got takes nock's answer to a POST for one that broke off. */
function sei(): nock.Scope {
  return nock(origin, { reqheaders: { authorization: 'Apikey sei-key' } }).replyContentLength();
}

async function errorOf(work: Promise<unknown>): Promise<SatelliteError> {
  const outcome = await work.catch((error: unknown) => error);
  if (outcome instanceof SatelliteError) return outcome;
  throw new Error('not the end that was expected', { cause: outcome });
}

const handle = agentHandle(config([integration({ id: '7' }), integration({ id: '12' })]), 'agent-1');

describe('the handle', () => {
  test('names the one controller and every integration', () => {
    expect(handle).toEqual({
      agent_id: 'agent-1',
      agent_type: 'default',
      controller_names: ['BitbucketServerIterativeScanController'],
      tenant_id: 'acme',
      integration_ids: ['7', '12'],
    });
  });

  test('carries figures and nothing that was logged', () => {
    const { jobs, ...rest } = telemetry('1.2.3', { total: 3, done: 1, running: 2 });
    expect(jobs).toMatchObject({ total: 3, done: 1, running: 2 });
    expect(rest).toEqual({
      version: '1.2.3',
      uptime: expect.any(Number),
      memory: { free: expect.any(Number), total: expect.any(Number), max: expect.any(Number) },
      cpu: { cores: expect.any(Number) },
    });
  });
});

describe('the calls', () => {
  test.each(['register', 'heartbeat'] as const)('%s', async (call) => {
    const body = { ...handle, telemetry: telemetry('1.2.3', { total: 0, done: 0, running: 0 }) };
    sei()
      .post(`${callback}/${call}`, JSON.parse(JSON.stringify(body)))
      .matchHeader('content-type', 'application/json; charset=utf-8')
      .reply(200);
    await client()[call](body);
  });

  test('list, which asks for what is reserved for satellites', async () => {
    sei()
      .post(`${callback}/jobs/requests/list`, JSON.parse(JSON.stringify(handle)))
      .query({ reserved: 'true' })
      .reply(200, { records: [{ job_id: 'a' }, { job_id: 'b' }], count: 17 });
    expect(await client().listJobs(handle)).toEqual([{ job_id: 'a' }, { job_id: 'b' }]);
  });

  test('list without a list is none', async () => {
    sei().post(`${callback}/jobs/requests/list`).query(true).reply(200, {});
    expect(await client().listJobs(handle)).toEqual([]);
  });

  test('accept', async () => {
    const request = { job_id: 'a', controller_name: 'X', query: { from: 1 } };
    sei()
      .get(`${callback}/jobs/requests/accept`)
      .query({ job_id: 'a', agent_id: 'agent-1', tenant_id: 'acme' })
      .reply(200, request);
    expect(await client().acceptJob('a', 'agent-1')).toEqual(request);
  });

  test('accept of what is gone or taken is nothing', async () => {
    sei().get(`${callback}/jobs/requests/accept`).query(true).reply(404);
    expect(await client().acceptJob('a', 'agent-1')).toBeUndefined();
  });

  test.each(['scheduled', 'invalid'] as const)('reject as %s', async (status) => {
    sei()
      .get(`${callback}/jobs/requests/reject`)
      .query({ job_id: 'a', agent_id: 'agent-1', status, tenant_id: 'acme' })
      .reply(200);
    await client().rejectJob('a', 'agent-1', status);
  });

  test('report, of which only what is acknowledged as true counts', async () => {
    const report = (id: string): JobReport => ({
      id,
      agent_id: 'agent-1',
      controller_name: 'X',
      query: {},
      done: false,
      cancelled: false,
      created_at: 1,
      failures: [],
    });
    const records = ['a', 'b', 'c'].map(report);
    sei()
      .post(`${callback}/jobs/report`, JSON.parse(JSON.stringify({ records, count: 3 })))
      .query({ tenant_id: 'acme' })
      .reply(200, { a: true, b: false, c: 'true' });
    expect(await client().report(records)).toEqual(new Set(['a']));
  });

  test('push, byte for byte', async () => {
    const content = Buffer.from('{"records":["é🔑"]}');
    // A view into a larger buffer, as the store gives it: only the view is to be sent.
    const within = Buffer.concat([Buffer.from('before'), content, Buffer.from('after')]);
    const view = new Uint8Array(within.buffer, within.byteOffset + 6, content.length);
    const answer = {
      destination: 'gcs',
      records: [{ uri: 'gs://x', blob_id: { generation: 1714550000000000 } }],
      count: 1,
    };
    sei()
      .post(`${ingestion}/storage/push`, {
        integration_key: { tenant_id: 'acme', integration_id: '7' },
        job_id: 'a',
        relative_path: 'commits/commits.0.json',
        content_type: 'application/json; charset=UTF-8',
        content: content.toString('base64'),
      })
      .reply(200, answer);
    const stored = await client().push({
      integrationId: '7',
      jobId: 'a',
      relativePath: 'commits/commits.0.json',
      content: view,
    });
    expect(stored).toEqual(answer);
  });

  test.each([0, 1, 2, 3, 49_151, 49_152, 49_153, 200_000])('push of a page of %i bytes', async (length) => {
    const content = Buffer.from(Array.from({ length }, (_, index) => (index * 7919) % 256));
    let pushed: object = {};
    sei()
      .post(`${ingestion}/storage/push`, (body) => {
        pushed = body as object;
        return true;
      })
      .reply(200, { records: [{}] });
    await client().push({ integrationId: '7', jobId: 'ä"🔑', relativePath: 'commits/commits.0.json', content });
    expect(pushed).toMatchObject({ job_id: 'ä"🔑', content: content.toString('base64') });
  });

  test.each([
    ['no pointer', '{"destination":"gcs","records":[],"count":0}'],
    ['no list of pointers', '{}'],
    ['null', 'null'],
    ['a page of a proxy', '<html>'],
    ['nothing', ''],
  ])('push that is answered with %s has stored nothing that could be found again', async (_name, body) => {
    sei().post(`${ingestion}/storage/push`).reply(200, body);
    const page = { integrationId: '7', jobId: 'a', relativePath: 'x', content: Buffer.from('{}') };
    expect(await errorOf(client().push(page))).toMatchObject({ code: 'SEI_ANSWER_UNREADABLE', kind: 'retryable' });
  });
});

describe('what an answer means', () => {
  test.each([
    [400, 'bug', 'SEI_REQUEST_REFUSED'],
    [401, 'auth', 'SEI_KEY_REFUSED'],
    [403, 'auth', 'SEI_KEY_REFUSED'],
    [404, 'gone', 'SEI_NOT_FOUND'],
    [302, 'config', 'SEI_REDIRECTED'],
    [307, 'config', 'SEI_REDIRECTED'],
    [408, 'retryable', 'SEI_SERVER_ERROR'],
    [409, 'gone', 'SEI_CONFLICT'],
    [413, 'bug', 'SEI_PAGE_TOO_LARGE'],
    [425, 'retryable', 'SEI_SERVER_ERROR'],
    [429, 'throttled', 'SEI_THROTTLED'],
    [500, 'retryable', 'SEI_SERVER_ERROR'],
    [502, 'retryable', 'SEI_SERVER_ERROR'],
    [503, 'retryable', 'SEI_SERVER_ERROR'],
  ])('%i', async (statusCode, kind, code) => {
    sei().post(`${callback}/heartbeat`).reply(statusCode, 'whatever');
    const error = await errorOf(client().heartbeat(handle));
    expect(error).toMatchObject({ kind, code, statusCode, url: `${origin}${callback}/heartbeat` });
    expect(error.message).not.toContain('sei-key');
  });

  test('a report that is too large is no page: what is said of it is another matter', async () => {
    sei()
      .post(new RegExp(`^${callback}/jobs/report`))
      .reply(413, 'whatever');
    const error = await errorOf(client().report([]));
    expect(error).toMatchObject({ code: 'SEI_REPORT_TOO_LARGE', kind: 'retryable', statusCode: 413 });
    expect(error.message).toContain('24 bytes');
  });

  test('how long to wait, where SEI says so', async () => {
    sei().post(`${callback}/heartbeat`).reply(429, '', { 'retry-after': '11' });
    sei().post(`${callback}/heartbeat`).reply(503, '', { 'retry-after': 'Mon, 15 Jun 2026 12:00:20 GMT' });
    expect((await errorOf(client().heartbeat(handle))).retryAfterMs).toBe(11_000);
    expect((await errorOf(client().heartbeat(handle))).retryAfterMs).toBe(20_000);
  });

  test('no answer', async () => {
    sei()
      .post(`${callback}/heartbeat`)
      .replyWithError(Object.assign(new Error('no'), { code: 'ECONNREFUSED' }));
    expect(await errorOf(client().heartbeat(handle))).toMatchObject({ code: 'SEI_UNREACHABLE', kind: 'retryable' });
  });

  test('a redirect to another host is not followed: the key stays here', async () => {
    sei().post(`${callback}/register`).reply(307, '', { location: 'https://elsewhere.example.net/register' });
    expect(await errorOf(client().register(handle))).toMatchObject({
      statusCode: 307,
      message: 'Redirected to elsewhere.example.net, which is not followed (307)',
    });
  });
});
