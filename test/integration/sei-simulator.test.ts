import { randomUUID } from 'node:crypto';
import { afterEach, describe, expect, test } from '@jest/globals';
import type { FaultRule } from '../simulators/sei/faults.ts';
import { type SeiSimulator, type SeiSimulatorOptions, startSeiSimulator } from '../simulators/sei/simulator.ts';

type Json = Record<string, unknown>;

const controller = 'BitbucketServerIterativeScanController';
const open: SeiSimulator[] = [];

async function start(options: SeiSimulatorOptions = {}): Promise<SeiSimulator> {
  const simulator = await startSeiSimulator(options);
  open.push(simulator);
  return simulator;
}

afterEach(async () => {
  await Promise.all(open.splice(0).map((simulator) => simulator.close()));
});

interface Reply {
  readonly status: number;
  readonly body: unknown;
}

/** The least that speaks the protocol; every part can be bent out of shape. */
class Client {
  readonly agentId = randomUUID();
  readonly simulator: SeiSimulator;
  headers: Record<string, string>;

  constructor(simulator: SeiSimulator) {
    this.simulator = simulator;
    this.headers = {
      Authorization: `Apikey ${simulator.apiKey}`,
      'Content-Type': 'application/json; charset=utf-8',
    };
  }

  async call(method: string, path: string, body?: unknown): Promise<Reply> {
    const response = await fetch(`${this.simulator.url}/v1/ingestion/${path}`, {
      method,
      headers: this.headers,
      ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    });
    const text = await response.text();
    return { status: response.status, body: text === '' ? undefined : JSON.parse(text) };
  }

  handle(changes: Json = {}): Json {
    return {
      agent_id: this.agentId,
      agent_type: 'default',
      controller_names: [controller],
      tenant_id: this.simulator.tenant,
      integration_ids: ['4711'],
      ...changes,
    };
  }

  register(changes: Json = {}): Promise<Reply> {
    return this.call('POST', 'agent-callback/register', this.handle({ telemetry, ...changes }));
  }

  heartbeat(changes: Json = {}): Promise<Reply> {
    return this.call('POST', 'agent-callback/heartbeat', this.handle({ telemetry, ...changes }));
  }

  list(changes: Json = {}): Promise<Reply> {
    return this.call('POST', 'agent-callback/jobs/requests/list?reserved=true', this.handle(changes));
  }

  accept(jobId: string): Promise<Reply> {
    return this.call('GET', `agent-callback/jobs/requests/accept?${this.#query(jobId)}`);
  }

  reject(jobId: string, status: string): Promise<Reply> {
    return this.call('GET', `agent-callback/jobs/requests/reject?${this.#query(jobId)}&status=${status}`);
  }

  /** A report of one job: not done unless `changes` say so. */
  report(jobId: string, changes: Json = {}): Promise<Reply> {
    const { query } = this.simulator.jobs().find((job) => job.jobId === jobId) ?? { query: { integration_key: key } };
    const job = {
      id: jobId,
      agent_id: this.agentId,
      controller_name: controller,
      query,
      done: false,
      cancelled: false,
      created_at: 1_700_000_000_000,
      failures: [],
      ...changes,
    };
    return this.call('POST', `agent-callback/jobs/report?tenant_id=${this.simulator.tenant}`, {
      count: 1,
      records: [job],
    });
  }

  push(jobId: string, file: unknown, changes: Json = {}): Promise<Reply> {
    const { data_type: type, page_number: page } = (file as { _metadata: Json })._metadata;
    return this.call('POST', 'storage/push', {
      integration_key: key,
      job_id: jobId,
      relative_path: `${type}/${type}.${page}.json`,
      content_type: 'application/json; charset=UTF-8',
      content: Buffer.from(JSON.stringify(file)).toString('base64'),
      ...changes,
    });
  }

  /** Registers, is offered the job and accepts it. */
  async begin(job: Parameters<SeiSimulator['addJob']>[0] = { integrationId: '4711' }): Promise<string> {
    const jobId = this.simulator.addJob(job);
    await this.register();
    await this.list();
    expect((await this.accept(jobId)).status).toBe(200);
    return jobId;
  }

  async pushed(jobId: string, file: unknown): Promise<Json> {
    const reply = await this.push(jobId, file);
    expect(reply.status).toBe(200);
    return (reply.body as { records: [Json] }).records[0];
  }

  #query(jobId: string): string {
    return `job_id=${jobId}&agent_id=${this.agentId}&tenant_id=${this.simulator.tenant}`;
  }
}

const key = { tenant_id: 'demoAcct', integration_id: '4711' };

const telemetry = {
  version: '1.0.0',
  uptime: 61_000,
  memory: { free: 100, total: 256, max: 2048 },
  cpu: { cores: 4 },
  jobs: {
    total: 1,
    done: 0,
    running: 1,
    invalid_done_but_running: 0,
    invalid_not_done_but_not_running: 0,
    invalid_total: 0,
  },
};

const project = { key: 'PAY', id: 7, name: 'Payments', public: false, type: 'NORMAL' };
const repository = { slug: 'ledger', id: 12, name: 'ledger', scmId: 'git', state: 'AVAILABLE', project };
const ada = { name: 'ada', id: 3, displayName: 'Ada', emailAddress: 'ada@example.org' };

function commit(id: string, changes: Json = {}): Json {
  return {
    id,
    displayId: id.slice(0, 3),
    author: ada,
    committer: { name: 'Grace', emailAddress: '' },
    authorTimestamp: 1_699_999_000_000,
    committerTimestamp: 1_699_999_000_000,
    message: 'PAY-9 fix',
    parents: [{ id: 'aa10', displayId: 'aa1' }],
    projectName: 'Payments',
    repoName: 'ledger',
    commitUrl: `https://bitbucket.example.org/projects/PAY/repos/ledger/commits/${id}`,
    additions: 2,
    deletions: 1,
    files: [
      {
        fileName: 'Round.java',
        source: {},
        destination: {
          components: ['src', 'Round.java'],
          parent: 'src',
          name: 'Round.java',
          extension: 'java',
          toString: 'src/Round.java',
        },
        linesAdded: 2,
        linesRemoved: 1,
      },
    ],
    ...changes,
  };
}

function pullRequest(id: number, changes: Json = {}): Json {
  const ref = (name: string) => ({ id: `refs/heads/${name}`, displayId: name, latestCommit: 'aa11', repository });
  return {
    id,
    version: 4,
    title: 'PAY-9 rounding',
    state: 'MERGED',
    open: false,
    closed: true,
    locked: false,
    createdDate: 1_700_000_000_000,
    updatedDate: 1_700_001_000_000,
    fromRef: ref('r9'),
    toRef: ref('main'),
    author: { user: ada, role: 'AUTHOR', approved: false, status: 'UNAPPROVED' },
    reviewers: [],
    participants: [],
    commits: [commit('aa11')],
    activities: [
      { id: 900, createdDate: 1_700_001_000_000, action: 'MERGED', user: ada, commit: { id: 'cc33', parents: [] } },
      { id: 899, createdDate: 1_700_000_500_000, action: 'APPROVED', user: ada },
    ],
    ...changes,
  };
}

function page(type: string, number: number, records: unknown[], changes: Json = {}): Json {
  return {
    _metadata: { integration_key: key, integration_type: 'bitbucket_server', data_type: type, page_number: number },
    records,
    count: records.length,
    ...changes,
  };
}

const commits = (...list: unknown[]) => ({ project, repository, commits: list });
const pullRequests = (...list: unknown[]) => ({ project, repository, pullRequests: list });

function part(type: string, ...pointers: Json[]): Json {
  return {
    _metadata: { integration_key: key, integration_type: 'bitbucket_server', data_type: type },
    destination: 'gcs',
    prefix_uri: `${type}/`,
    records: pointers,
    count: pointers.length,
  };
}

const done = { done: true, done_at: 1_700_000_090_000 };
const doneWith = (...parts: Json[]) => ({ ...done, result: { count: parts.length, records: parts } });

describe('a job as the protocol sheet has it', () => {
  test('goes from SCHEDULED to SUCCESS without a violation, and SEI has what was pushed', async () => {
    const simulator = await start();
    const client = new Client(simulator);
    const jobId = simulator.addJob({ integrationId: '4711', from: 1_700_000_000_000, to: 1_700_003_600_000 });
    expect(simulator.jobs()).toMatchObject([{ jobId, status: 'SCHEDULED', attempts: 0 }]);

    expect(await client.register()).toEqual({ status: 200, body: undefined });
    expect(await client.heartbeat()).toEqual({ status: 200, body: undefined });
    expect(await client.list()).toEqual({
      status: 200,
      body: { records: [{ job_id: jobId, controller_name: controller }], count: 1 },
    });
    expect((await client.accept(jobId)).body).toMatchObject({
      job_id: jobId,
      controller_name: controller,
      query: { integration_key: key, from: 1_700_000_000_000, to: 1_700_003_600_000, should_fetch_repos: false },
      tenant_id: 'demoAcct',
      integration_id: '4711',
      reserved: true,
    });
    expect(simulator.jobs()).toMatchObject([{ status: 'ACCEPTED', agentId: client.agentId, attempts: 1 }]);

    const first = await client.pushed(jobId, page('commits', 0, [commits(commit('aa11'), commit('aa12'))]));
    const second = await client.pushed(jobId, page('pull_requests', 0, [pullRequests(pullRequest(31))]));
    expect(first).toMatchObject({ uri: expect.stringMatching(/^gs:\/\/.*\/integration-4711\/.*\/commits\.0\.json$/) });
    expect(await client.report(jobId)).toEqual({ status: 200, body: { [jobId]: true } });
    expect(simulator.jobs()).toMatchObject([{ status: 'PENDING' }]);

    const waiting = simulator.waitForJob(jobId);
    await client.report(jobId, doneWith(part('commits', first), part('pull_requests', second)));
    expect(await waiting).toMatchObject({ status: 'SUCCESS', reports: 2, failures: [], exception: undefined });

    const ingested = simulator.ingested(jobId);
    expect(ingested.commits.map((each) => [each.repository, each.commit.id])).toEqual([
      ['ledger', 'aa11'],
      ['ledger', 'aa12'],
    ]);
    expect(ingested.pullRequests).toMatchObject([{ project: { key: 'PAY' }, pullRequest: pullRequest(31) }]);
    expect(simulator.ingestedAll()).toEqual(ingested);
    expect(simulator.pages(jobId)).toMatchObject([
      { path: 'commits/commits.0.json', dataType: 'commits', pageNumber: 0, pushes: 1 },
      { path: 'pull_requests/pull_requests.0.json', dataType: 'pull_requests', pageNumber: 0, pushes: 1 },
    ]);
    expect(simulator.requests).toMatchObject({ register: 1, heartbeat: 1, list: 1, accept: 1, push: 2, report: 2 });
    expect(simulator.requests.total).toBe(8);
    expect(simulator.violations).toEqual([]);
  });

  test('a full scan may bring tags and, when asked, repositories', async () => {
    const simulator = await start();
    const client = new Client(simulator);
    const jobId = await client.begin({ integrationId: '4711', shouldFetchRepos: true });
    const tag = { id: 'refs/tags/v1', displayId: 'v1', type: 'TAG', latestCommit: 'aa11', hash: 'dd44' };
    const tags = await client.pushed(jobId, page('tags', 0, [{ repository, tags: [tag] }]));
    const details = { ...repository, defaultBranch: 'main' };
    const repositories = await client.pushed(jobId, page('repositories', 0, [{ repository: details }]));
    await client.report(jobId, doneWith(part('commits'), part('tags', tags), part('repositories', repositories)));
    expect(simulator.violations).toEqual([]);
    expect(simulator.ingestedAll()).toMatchObject({ tags: [{ tag }], repositories: [{ details }] });
  });

  test('a scan that found nothing is a success', async () => {
    const simulator = await start();
    const client = new Client(simulator);
    const jobId = await client.begin();
    await client.report(jobId, { ...done, result: { empty: true } });
    expect((await simulator.waitForJob(jobId)).status).toBe('SUCCESS');
    expect(simulator.violations).toEqual([]);
  });

  test('the base path, tenant and key are what was asked for', async () => {
    const simulator = await start({ basePath: '/', tenant: 'other', apiKey: 'secret' });
    expect(simulator.url).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/);
    const client = new Client(simulator);
    expect((await client.register()).status).toBe(200);
    expect(simulator.violations).toEqual([]);
  });
});

describe('agents', () => {
  test('one that is still registered cannot register again', async () => {
    const client = new Client(await start());
    expect((await client.register()).status).toBe(200);
    expect((await client.register()).status).toBe(400);
  });

  test('one that nobody knows is told so by its heartbeat', async () => {
    const simulator = await start();
    const client = new Client(simulator);
    expect((await client.heartbeat()).status).toBe(409);
    await client.register();
    expect((await client.heartbeat()).status).toBe(200);
    simulator.forgetAgents();
    expect((await client.heartbeat()).status).toBe(409);
    expect((await client.register()).status).toBe(200);
    expect(simulator.violations).toEqual([]);
  });

  test('one that is silent for longer than the registry remembers is forgotten', async () => {
    let now = 1_700_000_000_000;
    const simulator = await start({ now: () => now, registrySeconds: 600 });
    const client = new Client(simulator);
    await client.register();
    now += 600_000;
    expect((await client.heartbeat()).status).toBe(200);
    expect(simulator.agents()).toMatchObject([{ agentId: client.agentId, lastHeartbeat: now, telemetry }]);
    now += 600_001;
    expect(simulator.agents()).toEqual([]);
    expect((await client.heartbeat()).status).toBe(409);
  });
});

describe('offering, accepting and rejecting', () => {
  test('an agent is offered what suits it, at most 25 at once', async () => {
    const simulator = await start();
    const client = new Client(simulator);
    await client.register();
    simulator.addJob({ integrationId: '4712' });
    simulator.addJob({ integrationId: '4711', controllerName: 'JiraIterativeScanController' });
    const ids = Array.from({ length: 27 }, () => simulator.addJob({ integrationId: '4711' }));
    const listed = async () => {
      const { records } = (await client.list()).body as { records: { job_id: string }[] };
      return records.map((record) => record.job_id);
    };
    expect(await listed()).toEqual(ids.slice(0, 25));
    await client.accept(ids[0] ?? '');
    expect(await listed()).toEqual(ids.slice(1, 26));
    expect(simulator.violations).toEqual([]);
  });

  test('a job is given to one agent only', async () => {
    const simulator = await start();
    const [one, two] = [new Client(simulator), new Client(simulator)];
    const jobId = simulator.addJob({ integrationId: '4711' });
    for (const client of [one, two]) {
      await client.register();
      await client.list();
    }
    expect((await one.accept(jobId)).status).toBe(200);
    expect((await two.accept(jobId)).status).toBe(404);
    expect(simulator.violations).toEqual([]);
  });

  test('a job that is given back is there for the next one; an invalid one is not', async () => {
    const simulator = await start();
    const client = new Client(simulator);
    const jobId = await client.begin();
    expect((await client.reject(jobId, 'scheduled')).status).toBe(200);
    expect(simulator.jobs()).toMatchObject([{ status: 'SCHEDULED', attempts: 0 }]);
    await client.accept(jobId);
    expect((await client.reject(jobId, 'invalid')).status).toBe(200);
    expect((await simulator.waitForJob(jobId)).status).toBe('INVALID');
    expect((await client.accept(jobId)).status).toBe(404);
    expect(simulator.violations).toEqual([]);
  });
});

describe('reports', () => {
  const exception = { message: 'no', stacktrace: [{ 'Error: no': ['at a', 'at b'] }] };
  test.each([
    ['PENDING', {}],
    ['ABORTED', { ...done, cancelled: true }],
    ['SUCCESS', { ...done, result: { empty: true } }],
    ['FAILURE', { ...done, exception }],
    ['FAILURE', { ...done, exception, result: { empty: true } }],
  ])('are %s when they say %j', async (status, changes) => {
    const simulator = await start();
    const client = new Client(simulator);
    const jobId = await client.begin();
    await client.report(jobId, changes);
    expect(simulator.jobs()).toMatchObject([{ status }]);
    expect(simulator.violations).toEqual([]);
  });

  test('of a job that succeeded are acknowledged and change nothing', async () => {
    const simulator = await start();
    const client = new Client(simulator);
    const jobId = await client.begin();
    await client.report(jobId, { ...done, result: { empty: true } });
    expect((await client.report(jobId, { ...done, result: { empty: true } })).body).toEqual({ [jobId]: true });
    expect(simulator.violations).toEqual([]);
    await client.report(jobId, { ...done, cancelled: true });
    expect(simulator.jobs()).toMatchObject([{ status: 'SUCCESS' }]);
    expect(simulator.violations).toEqual([`report: job ${jobId}: reported as ABORTED after it was SUCCESS`]);
  });

  test('of a satellite that was started again go on under its new id, but not of two in turn', async () => {
    const simulator = await start();
    const [before, after] = [new Client(simulator), new Client(simulator)];
    const jobId = await before.begin();
    await after.register();
    await before.report(jobId);
    await after.report(jobId);
    expect(simulator.jobs()).toMatchObject([{ status: 'PENDING', agentId: after.agentId }]);
    expect(simulator.violations).toEqual([]);
    await before.report(jobId);
    expect(simulator.violations).toHaveLength(1);
    expect(simulator.violations[0]).toMatch(/in turn/);
  });

  test('a job can be tried again; the attempts are counted and their results merged', async () => {
    const simulator = await start();
    const client = new Client(simulator);
    const jobId = await client.begin();
    const first = await client.pushed(jobId, page('commits', 0, [commits(commit('aa11'))]));
    await client.report(jobId, { ...doneWith(part('commits', first)), exception });
    expect((await simulator.waitForJob(jobId)).status).toBe('FAILURE');
    expect(simulator.ingestedAll().commits).toEqual([]);
    simulator.reschedule(jobId);
    await client.list();
    await client.accept(jobId);
    const second = await client.pushed(jobId, page('commits', 1, [commits(commit('aa12'))]));
    await client.report(jobId, doneWith(part('commits', second)));
    expect(simulator.jobs()).toMatchObject([{ status: 'SUCCESS', attempts: 2, exception: undefined }]);
    expect(simulator.ingestedAll().commits.map((each) => each.commit.id)).toEqual(['aa11', 'aa12']);
    expect(simulator.violations).toEqual([]);
  });

  test('waiting for a job that does not end says what it is', async () => {
    const simulator = await start();
    const jobId = simulator.addJob({ integrationId: '4711' });
    await expect(simulator.waitForJob(jobId, 20)).rejects.toThrow('is SCHEDULED after 20 ms (no violations)');
  });
});

describe("a satellite's own job", () => {
  test('is acknowledged and kept apart', async () => {
    const simulator = await start();
    const client = new Client(simulator);
    await client.register();
    const waiting = simulator.waitForJob('own-1');
    const pointer = await client.pushed('own-1', page('commits', 0, [commits(commit('aa11'))]));
    const reply = await client.report('own-1', doneWith(part('commits', pointer)));
    expect(reply.body).toEqual({ 'own-1': true });
    expect((await waiting).status).toBe('SUCCESS');
    expect(simulator.jobs()).toEqual([]);
    expect(simulator.ownJobs()).toMatchObject([{ jobId: 'own-1', integrationId: '4711', attempts: 1 }]);
    expect(simulator.ingested('own-1').commits).toHaveLength(1);
    expect(simulator.ingestedAll().commits).toHaveLength(0);
    expect(simulator.ingestedAll({ withOwnJobs: true }).commits).toHaveLength(1);
    expect(simulator.violations).toEqual([]);
  });
});

describe('what SEI makes of the files', () => {
  test('a path that is pushed twice overwrites, and only the new pointer leads to it', async () => {
    const simulator = await start();
    const client = new Client(simulator);
    const jobId = await client.begin();
    const older = await client.pushed(jobId, page('commits', 0, [commits(commit('aa11'))]));
    const newer = await client.pushed(jobId, page('commits', 0, [commits(commit('aa12'))]));
    expect(simulator.pages(jobId)).toMatchObject([{ path: 'commits/commits.0.json', pushes: 2 }]);
    await client.report(jobId, { ...doneWith(part('commits', older)), exception: { message: 'x' } });
    expect(simulator.violations).toEqual([
      `report: job ${jobId}: the result names a generation of commits/commits.0.json that was overwritten`,
    ]);
    expect(simulator.ingested(jobId).commits).toEqual([]);
    await client.report(jobId, { ...doneWith(part('commits', newer)), exception: { message: 'x' } });
    expect(simulator.ingested(jobId).commits.map((each) => each.commit.id)).toEqual(['aa12']);
    expect(simulator.violations).toHaveLength(1);
  });

  test('a file that no result names is not there', async () => {
    const simulator = await start();
    const client = new Client(simulator);
    const jobId = await client.begin();
    await client.pushed(jobId, page('commits', 0, [commits(commit('aa11'))]));
    await client.report(jobId, { ...done, result: { empty: true } });
    expect(simulator.ingested(jobId).commits).toEqual([]);
    expect(simulator.violations).toEqual([
      `report: job ${jobId}: commits/commits.0.json was pushed but is not in the result`,
    ]);
  });

  test('a commit is stored once, a pull request is replaced by a newer one only', async () => {
    const simulator = await start();
    const client = new Client(simulator);
    await client.register();
    const scan = async (message: string, updatedDate: number, title: string) => {
      const jobId = simulator.addJob({ integrationId: '4711' });
      await client.list();
      await client.accept(jobId);
      const other = { ...repository, name: 'other' };
      const records = [
        commits(commit('aa11', { message }), commit('aa11', { message: 'twice' })),
        { project, repository: other, commits: [commit('aa11', { repoName: 'other' })] },
      ];
      const file = await client.pushed(jobId, page('commits', 0, records));
      const pulls = await client.pushed(
        jobId,
        page('pull_requests', 0, [pullRequests(pullRequest(31, { updatedDate, title }))]),
      );
      await client.report(jobId, doneWith(part('commits', file), part('pull_requests', pulls)));
    };
    const seen = () => {
      const { commits: all, pullRequests: pulls } = simulator.ingestedAll();
      return [all.map((each) => [each.repository, each.commit.message]), pulls.map((each) => each.pullRequest.title)];
    };
    const stored = [
      ['ledger', 'first'],
      ['other', 'PAY-9 fix'],
    ];
    await scan('first', 2000, 'one');
    expect(seen()).toEqual([stored, ['one']]);
    await scan('second', 2000, 'same date');
    expect(seen()).toEqual([stored, ['one']]);
    await scan('third', 1999, 'older');
    expect(seen()).toEqual([stored, ['one']]);
    await scan('fourth', 2001, 'newer');
    expect(seen()).toEqual([stored, ['newer']]);
    expect(simulator.violations).toEqual([]);
  });
});

describe('deviations at the door', () => {
  const deviations: readonly (readonly [string, (client: Client) => Promise<Reply>, number, RegExp])[] = [
    [
      'a wrong key',
      (client) => {
        client.headers.Authorization = 'Apikey wrong';
        return client.register();
      },
      401,
      /^register: Authorization is not/,
    ],
    [
      'another capitalisation',
      (client) => {
        client.headers.Authorization = `ApiKey ${client.simulator.apiKey}`;
        return client.register();
      },
      401,
      /Authorization/,
    ],
    [
      'a content type without the charset',
      (client) => {
        client.headers['Content-Type'] = 'application/json';
        return client.register();
      },
      200,
      /Content-Type is application\/json, wanted/,
    ],
    [
      'a compressed request',
      (client) => {
        client.headers['Content-Encoding'] = 'gzip';
        return client.register();
      },
      200,
      /not compressed/,
    ],
    ['another tenant', (client) => client.register({ tenant_id: 'foreign' }), 403, /tenant_id is foreign/],
    ['no tenant', (client) => client.register({ tenant_id: undefined }), 400, /tenant_id is null/],
    ['no controllers', (client) => client.register({ controller_names: [] }), 400, /controller_names has 0 items/],
    ['a numeric integration', (client) => client.register({ integration_ids: [4711] }), 400, /integration_ids\[0\] is/],
    ['an unknown field', (client) => client.register({ hostname: 'x' }), 200, /hostname is not a known field/],
    ['an agent id that is no UUID', (client) => client.register({ agent_id: 'me' }), 400, /wanted a UUID/],
    ['a heartbeat without telemetry', (client) => client.heartbeat({ telemetry: undefined }), 400, /telemetry is miss/],
    ['telemetry in a list call', (client) => client.list({ telemetry }), 200, /telemetry is not a known field/],
    [
      'console output in telemetry',
      (client) => client.register({ telemetry: { ...telemetry, log: '' } }),
      200,
      /telemetry\.log ships console output/,
    ],
    [
      'telemetry of the wrong type',
      (client) => client.register({ telemetry: { uptime: '1' } }),
      200,
      /uptime is "1", wanted a number/,
    ],
    [
      'a list call that does not reserve',
      (client) => client.call('POST', 'agent-callback/jobs/requests/list', client.handle()),
      200,
      /reserved is null/,
    ],
    ['a list call before registration', (client) => client.list(), 200, /never been registered/],
    ['the old heartbeat', (client) => client.call('GET', 'agent-callback/heartbeat?agent_id=1'), 404, /no such call/],
    ['a path with v1 twice', (client) => client.call('POST', '../../v1/v1/x', {}), 404, /no such call/],
    ['a slash at the end', (client) => client.call('POST', 'storage/push/', {}), 404, /no such call/],
    ['a body that is not JSON', (client) => client.call('POST', 'storage/push', '{'), 400, /not JSON/],
    ['a job that never was', (client) => client.accept('ghost'), 404, /never been a job ghost/],
    ['a reject of what is not accepted', (client) => client.reject('ghost', 'scheduled'), 404, /not accepted by that/],
    ['a reject with another status', (client) => client.reject('ghost', 'done'), 400, /wanted scheduled or invalid/],
    [
      'a query too much',
      (client) => client.call('POST', 'agent-callback/register?x=1', client.handle()),
      200,
      /has x,/,
    ],
  ];

  test.each(deviations)('%s is told', async (_, act, status, violation) => {
    const simulator = await start();
    expect((await act(new Client(simulator))).status).toBe(status);
    expect(simulator.violations.join('\n')).toMatch(violation);
  });

  test('a job that was not offered, or is of a foreign integration, is told', async () => {
    const simulator = await start();
    const client = new Client(simulator);
    await client.register({ integration_ids: ['1'] });
    expect((await client.accept(simulator.addJob({ integrationId: '4711' }))).status).toBe(200);
    expect(simulator.violations).toEqual([
      expect.stringMatching(/never offered/),
      expect.stringMatching(/an integration that the agent does not have/),
    ]);
  });
});

describe('deviations of a push', () => {
  const good = page('commits', 0, [commits(commit('aa11'))]);
  const bad: readonly (readonly [string, Json, Json, number, RegExp])[] = [
    ['no job', good, { job_id: ' ' }, 400, /job_id is " "/],
    ['no path', good, { relative_path: undefined }, 400, /relative_path is missing/],
    ['a path of another form', good, { relative_path: 'commits/commits.00.json' }, 400, /relative_path is/],
    ['another tenant', good, { integration_key: { ...key, tenant_id: 'foreign' } }, 403, /tenant_id is foreign/],
    ['another content type', good, { content_type: 'application/json' }, 400, /content_type is/],
    ['a field that is not sent', good, { data_type: 'commits' }, 200, /data_type is not a known field/],
    ['base64 with line breaks', good, { content: 'YWJj\nYWJj' }, 400, /not standard base64/],
    ['url-safe base64', good, { content: '_-8=' }, 400, /not standard base64/],
    ['bytes that are not UTF-8', good, { content: '//8=' }, 200, /not JSON in UTF-8/],
    ['another integration', good, { integration_key: { ...key, integration_id: '1' } }, 200, /not 1/],
    ['another page number', good, { relative_path: 'commits/commits.1.json' }, 200, /page_number is not that of the p/],
    ['another data type', good, { relative_path: 'tags/tags.0.json' }, 200, /data_type is not that of the path/],
  ];
  test.each(bad)('%s is told', async (_, file, changes, status, violation) => {
    const simulator = await start();
    const client = new Client(simulator);
    const jobId = await client.begin();
    expect((await client.push(jobId, file, changes)).status).toBe(status);
    expect(simulator.violations.join('\n')).toMatch(violation);
  });

  const file = { fileName: 'a', source: {}, destination: { name: 'a' }, linesAdded: 2, linesRemoved: 1 };
  const badFiles: readonly (readonly [string, Json, RegExp])[] = [
    ['a wrong count', page('commits', 0, [commits(commit('a'))], { count: 2 }), /count is 2/],
    ['no records', page('commits', 0, []), /no records: never stored/],
    [
      'an unknown top-level field',
      page('commits', 0, [commits(commit('a'))], { version: 1 }),
      /version is not a known/,
    ],
    ['an unknown field in a commit', page('commits', 0, [commits(commit('a', { diff: '' }))]), /diff is not a known f/],
    ['a null', page('commits', 0, [commits(commit('a', { message: null }))]), /message is null, wanted a string/],
    [
      'a missing committer',
      page('commits', 0, [commits(commit('a', { committer: undefined }))]),
      /committer is missing/,
    ],
    [
      'a date as text',
      page('commits', 0, [commits(commit('a', { committerTimestamp: '2024' }))]),
      /committerTimestamp is "2024", wanted a long/,
    ],
    [
      'a file without its counts',
      page('commits', 0, [commits(commit('a', { files: [{ ...file, linesAdded: undefined }] }))]),
      /linesAdded is missing/,
    ],
    [
      'a file name that is a path',
      page('commits', 0, [commits(commit('a', { files: [{ ...file, fileName: 'b/a' }] }))]),
      /fileName is not the base name/,
    ],
    [
      'sums that do not fit',
      page('commits', 0, [commits(commit('a', { additions: 0 }))]),
      /additions is less than the sum/,
    ],
    ['sums without files', page('commits', 0, [commits(commit('a', { files: undefined }))]), /only some of additions/],
    [
      'a repository that is not the one',
      page('commits', 0, [commits(commit('a', { repoName: 'x' }))]),
      /repoName is not the name of the repository/,
    ],
    ['an empty group', page('commits', 0, [commits()]), /commits has 0 items/],
    [
      'parts of another data type',
      page('commits', 0, [{ ...commits(commit('a')), pullRequests: [] }]),
      /pullRequests is not a known field/,
    ],
    [
      'a default branch outside the repositories',
      page('commits', 0, [{ project, repository: { ...repository, defaultBranch: 'main' }, commits: [commit('a')] }]),
      /defaultBranch is not a known field/,
    ],
    [
      'a pull request without participants',
      page('pull_requests', 0, [pullRequests(pullRequest(1, { participants: undefined }))]),
      /participants is missing/,
    ],
    [
      'a closed date',
      page('pull_requests', 0, [pullRequests(pullRequest(1, { closedDate: 1 }))]),
      /closedDate is not a known field/,
    ],
    [
      'the text of a comment',
      page('pull_requests', 0, [
        pullRequests(
          pullRequest(1, {
            activities: [{ id: 1, createdDate: 1, action: 'COMMENTED', user: ada, comment: { text: 'secret' } }],
          }),
        ),
      ]),
      /comment is not a known field/,
    ],
    [
      'a review by nobody',
      page('pull_requests', 0, [
        pullRequests(pullRequest(1, { activities: [{ id: 1, createdDate: 1, action: 'APPROVED' }] })),
      ]),
      /a review without a user/,
    ],
  ];
  test.each(badFiles)('a file with %s is told', async (_, content, violation) => {
    const simulator = await start();
    const client = new Client(simulator);
    const jobId = await client.begin();
    expect((await client.push(jobId, content)).status).toBe(200);
    expect(simulator.violations.join('\n')).toMatch(violation);
  });

  test('the same mistake in every record of a file is told a few times only', async () => {
    const simulator = await start();
    const client = new Client(simulator);
    const many = Array.from({ length: 200 }, (_, index) => commit(`a${index}`, { diff: '' }));
    await client.push(await client.begin(), page('commits', 0, [commits(...many)]));
    expect(simulator.violations).toHaveLength(11);
    expect(simulator.violations.at(-1)).toMatch(/and 190 more deviations in this file/);
  });

  test('before it was accepted or after it has ended is told', async () => {
    const simulator = await start();
    const client = new Client(simulator);
    await client.push(simulator.addJob({ integrationId: '4711' }), good);
    const jobId = await client.begin();
    await client.report(jobId, { ...done, result: { empty: true } });
    await client.push(jobId, good);
    expect(simulator.violations).toEqual([
      expect.stringMatching(/pushed while the job is SCHEDULED$/),
      expect.stringMatching(/pushed while the job is SUCCESS$/),
    ]);
  });

  test('of tags in an incremental scan, and of repositories nobody asked for, is told', async () => {
    const simulator = await start();
    const client = new Client(simulator);
    const tags = page('tags', 0, [{ repository, tags: [{ id: 'refs/tags/v1', displayId: 'v1' }] }]);
    // With what is new of a repository that SEI has not met yet, they may come.
    await client.push(await client.begin({ integrationId: '4711', from: 1_700_000_000_000 }), tags);
    expect(simulator.violations).toEqual([]);
    const jobId = await client.begin({ integrationId: '4711', from: 1_700_000_000_000 });
    await client.push(jobId, tags);
    await client.push(jobId, page('repositories', 0, []));
    expect(simulator.violations).toEqual([
      expect.stringMatching(/tags are for full scans only/),
      expect.stringMatching(/repositories were not asked for/),
    ]);
  });
});

describe('deviations of a report', () => {
  const bad: readonly (readonly [string, (pointer: Json) => Json, RegExp])[] = [
    ['an unknown field', () => ({ status: 'done' }), /status is not a known field/],
    ['seconds for milliseconds', () => ({ created_at: 1_700_000_000 }), /created_at is 1700000000, wanted epoch milli/],
    [
      'done without a time',
      (pointer) => ({ ...doneWith(part('commits', pointer)), done_at: undefined }),
      /done_at has/,
    ],
    ['done with nothing', () => done, /neither result nor exception/],
    ['a result before its time', () => ({ result: { empty: true } }), /before the job is done/],
    ['another query', () => ({ query: { integration_key: key, from: 1 } }), /not the one that was accepted/],
    ['another controller', () => ({ controller_name: 'X' }), /controller_name is X/],
    ['an unregistered agent', () => ({ agent_id: 'x' }), /unregistered agent/],
    ['an empty result in spite of pages', () => ({ ...done, result: { empty: true } }), /was pushed but is not in/],
    [
      'a changed pointer',
      (pointer) => doneWith(part('commits', { ...pointer, html_uri: 'x' })),
      /the pointer of commits\/commits\.0\.json was changed/,
    ],
    [
      'a pointer to nothing',
      (pointer) =>
        doneWith(part('commits', pointer, { ...pointer, blob_id: { bucket: 'b', name: 'n', generation: 1 } })),
      /never pushed/,
    ],
    ['a pointer twice', (pointer) => doneWith(part('commits', pointer, pointer)), /twice/],
    ['a pointer among others', (pointer) => doneWith(part('pull_requests', pointer)), /among the pull_requests/],
    [
      'parts out of order',
      (pointer) => doneWith(part('pull_requests'), part('commits', pointer)),
      /commits twice or out of order/,
    ],
    [
      'another prefix',
      (pointer) => doneWith({ ...part('commits', pointer), prefix_uri: 'commits' }),
      /prefix_uri is not the data type/,
    ],
    [
      'a page number in the result',
      (pointer) => doneWith({ ...part('commits', pointer), page_number: 0 }),
      /page_number is not a known field/,
    ],
    [
      'a wrong count',
      (pointer) => ({ ...done, result: { count: 2, records: [part('commits', pointer)] } }),
      /count is 2, but there are 1/,
    ],
    [
      'a failure of another form',
      (pointer) => ({ ...doneWith(part('commits', pointer)), failures: [{ message: 'x' }] }),
      /failures\[0\]\.severity is missing/,
    ],
  ];
  test.each(bad)('%s is told', async (_, changes, violation) => {
    const simulator = await start();
    const client = new Client(simulator);
    const jobId = await client.begin();
    const pointer = await client.pushed(jobId, page('commits', 0, [commits(commit('aa11'))]));
    expect(simulator.violations).toEqual([]);
    await client.report(jobId, changes(pointer));
    expect(simulator.violations.join('\n')).toMatch(violation);
  });

  test('a field of the wrong type is refused, one that is not known is not', async () => {
    const simulator = await start();
    const client = new Client(simulator);
    const jobId = await client.begin();
    expect((await client.report(jobId, { ...done, result: { empty: true }, done: 'yes' })).status).toBe(400);
    expect(simulator.jobs()).toMatchObject([{ status: 'ACCEPTED' }]);
    expect((await client.report(jobId, { ...done, result: { empty: true }, status: 'x' })).status).toBe(200);
    expect(simulator.jobs()).toMatchObject([{ status: 'SUCCESS' }]);
    expect(simulator.violations).toHaveLength(2);
  });

  test('repositories that were asked for and are missing are told', async () => {
    const simulator = await start();
    const client = new Client(simulator);
    const jobId = await client.begin({ integrationId: '4711', shouldFetchRepos: true });
    await client.report(jobId, { ...done, result: { empty: true } });
    expect(simulator.violations).toEqual([expect.stringMatching(/repositories were asked for/)]);
  });

  test('a full result of nothing is told', async () => {
    const simulator = await start();
    const client = new Client(simulator);
    const jobId = await client.begin();
    await client.report(jobId, doneWith(part('commits')));
    expect(simulator.violations).toEqual([expect.stringMatching(/has the result {"empty": true}/)]);
  });
});

describe('faults', () => {
  const large = page('commits', 0, [commits(commit('aa11', { message: 'x'.repeat(300_000) }))]);
  const prepare = async (rule: FaultRule, options: SeiSimulatorOptions = {}) => {
    const simulator = await start(options);
    const client = new Client(simulator);
    const jobId = await client.begin();
    return { simulator, client, jobId, remove: simulator.fault(rule) };
  };

  test('an answer with a status, headers and a body, as often as asked', async () => {
    const simulator = await start();
    const client = new Client(simulator);
    simulator.fault({ match: 'register', times: 2, status: 429, headers: { 'Retry-After': '7' }, body: '<html>' });
    const response = await fetch(`${simulator.url}/v1/ingestion/agent-callback/register`, {
      method: 'POST',
      headers: client.headers,
      body: JSON.stringify(client.handle()),
    });
    expect([response.status, response.headers.get('retry-after'), await response.text()]).toEqual([429, '7', '<html>']);
    simulator.fault({ match: 'register', times: 1, status: 503, body: { down: true } });
    expect(simulator.agents()).toEqual([]);
    await expect(client.register()).rejects.toThrow('JSON');
    expect(await client.register()).toEqual({ status: 503, body: { down: true } });
    expect((await client.register()).status).toBe(200);
    expect(simulator.requests.register).toBe(4);
  });

  test('until it is removed, by a pattern', async () => {
    const { client, remove } = await prepare({ match: /^POST .*heartbeat$/, status: 500 });
    await expect(Promise.all([client.heartbeat(), client.heartbeat()])).resolves.toMatchObject([
      { status: 500 },
      { status: 500 },
    ]);
    expect((await client.list()).status).toBe(200);
    remove();
    expect((await client.heartbeat()).status).toBe(200);
  });

  test.each(['before', 'in-body'] as const)('a reset %s: nothing is stored', async (reset) => {
    const { simulator, client, jobId } = await prepare({ match: 'push', times: 1, reset });
    await expect(client.push(jobId, large)).rejects.toThrow('fetch failed');
    expect(simulator.pages(jobId)).toEqual([]);
    await client.pushed(jobId, large);
    expect(simulator.pages(jobId)).toMatchObject([{ pushes: 1 }]);
    expect(simulator.violations).toEqual([]);
  });

  test.each(['after-store', 'in-answer'] as const)(
    'a reset %s: it is stored, the client does not know',
    async (reset) => {
      const { simulator, client, jobId } = await prepare({ match: 'push', times: 1, reset });
      await expect(client.push(jobId, large)).rejects.toThrow();
      expect(simulator.pages(jobId)).toMatchObject([{ pushes: 1 }]);
      const pointer = await client.pushed(jobId, large);
      expect(simulator.pages(jobId)).toMatchObject([{ pushes: 2 }]);
      await client.report(jobId, doneWith(part('commits', pointer)));
      expect(simulator.violations).toEqual([]);
      expect(simulator.ingestedAll().commits).toHaveLength(1);
    },
  );

  test('an accept whose answer is lost leaves the job taken', async () => {
    const simulator = await start();
    const client = new Client(simulator);
    const jobId = simulator.addJob({ integrationId: '4711' });
    await client.register();
    await client.list();
    simulator.fault({ match: 'accept', times: 1, reset: 'after-store' });
    await expect(client.accept(jobId)).rejects.toThrow('fetch failed');
    expect(simulator.jobs()).toMatchObject([{ status: 'ACCEPTED' }]);
    expect((await client.accept(jobId)).status).toBe(404);
  });

  test('a slow call is served late, unless the client has gone', async () => {
    const { simulator, client, jobId } = await prepare({ match: 'push', times: 2, delayMs: 150 });
    const before = performance.now();
    await client.pushed(jobId, large);
    expect(performance.now() - before).toBeGreaterThan(140);
    await expect(
      fetch(`${simulator.url}/v1/ingestion/storage/push`, {
        method: 'POST',
        headers: client.headers,
        body: '{}',
        signal: AbortSignal.timeout(30),
      }),
    ).rejects.toThrow('timeout');
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(simulator.violations).toEqual([]);
  });

  test('a call that hangs ends with the simulator at the latest', async () => {
    const { simulator, client } = await prepare({ match: 'heartbeat', hang: true });
    const hanging = client.heartbeat();
    const outcome = await Promise.race([hanging, new Promise((resolve) => setTimeout(() => resolve('hangs'), 100))]);
    expect(outcome).toBe('hangs');
    const failed = expect(hanging).rejects.toThrow('fetch failed');
    await simulator.close();
    open.splice(0);
    await failed;
  });

  test('a push that is too large is answered 413 and not stored', async () => {
    const { simulator, client, jobId, remove } = await prepare(
      { match: 'push', delayMs: 0 },
      { maxPushBytes: 100_000 },
    );
    remove();
    expect((await client.push(jobId, large)).status).toBe(413);
    expect(simulator.pages(jobId)).toEqual([]);
    expect(simulator.violations).toEqual([]);
    await client.pushed(jobId, page('commits', 0, [commits(commit('aa11'))]));
    expect(simulator.requests.fileBytes).toBeGreaterThan(500);
    expect(simulator.requests.pushedBytes).toBeGreaterThan(300_000);
  });
});
