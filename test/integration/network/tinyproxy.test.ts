import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { soleAccount } from '../../../src/bitbucket/accounts.ts';
import { BitbucketClient } from '../../../src/bitbucket/client.ts';
import { Gate } from '../../../src/bitbucket/gate.ts';
import { systemClock } from '../../../src/clock.ts';
import type { IntegrationConfig, ProxyConfig, SatelliteConfig } from '../../../src/config/config.ts';
import { loadConfig } from '../../../src/config/load.ts';
import { Daemon } from '../../../src/daemon.ts';
import { bitbucketProxy, type Env, seiProxy } from '../../../src/http/proxy-server.ts';
import { Redactor } from '../../../src/ops/redact.ts';
import { SeiClient } from '../../../src/sei/sei-client.ts';
import type { RepositoryOptions } from '../../simulators/bitbucket/options.ts';
import { writeSyntheticRepository } from '../../simulators/git/synthetic-repository.ts';
import { integration } from '../../unit/crawl/integration.ts';
import { integrationId, setUp, temporaryFolder } from '../support/main-job.ts';
import { CertificateWorkshop, type KeyPair } from './certificates.ts';
import { errorOf } from './request.ts';
import { startTarget, type Target } from './servers.ts';
import { startTinyproxy, type Tinyproxy } from './tinyproxy.ts';
import { describeWith, openssl, tinyproxy } from './tool.ts';

const login = { username: 'satellite', password: 'pa55word' };

type Login = { username: string; password: string } | undefined;

/** The credentials a test presents: right, wrong, none. */
const wrong: Login = { ...login, password: 'wrong' };

describeWith(tinyproxy)('a real proxy that asks for a password', () => {
  let proxy: Tinyproxy;
  beforeAll(async () => {
    proxy = await startTinyproxy(login);
  });
  afterAll(async () => proxy?.[Symbol.asyncDispose]());

  function configured(credentials: Login, allTraffic: boolean): ProxyConfig {
    const header = { authorizationHeader: 'Proxy-Authorization' };
    return { type: 'http', host: '127.0.0.1', port: proxy.port, ...credentials, ...header, allTraffic };
  }

  function sei(target: Target, changes: Partial<SatelliteConfig>, env: Env = {}): SeiClient {
    const satellite = satelliteConfig(target.url, changes);
    return new SeiClient(satellite, { clock: systemClock, proxy: seiProxy(satellite, env) });
  }

  function bitbucket(target: Target, satellite: Partial<SatelliteConfig>, changes: Partial<IntegrationConfig> = {}) {
    const own = integration({ url: target.url, ...changes });
    return new BitbucketClient(own, {
      accounts: soleAccount(own, new Gate({ maxInFlight: 4 })),
      clock: systemClock,
      proxy: bitbucketProxy(own, satelliteConfig('https://sei.invalid', satellite), {}),
    });
  }

  /** The requests that came by since the last call. */
  let seen = 0;
  async function newRequests(): Promise<string[]> {
    const all = await proxy.requests();
    const fresh = all.slice(seen);
    seen = all.length;
    return fresh;
  }

  describe('plain http', () => {
    test('with the right password', async () => {
      await using target = await startTarget();
      await sei(target, { proxy: configured(login, false) }).heartbeat(handle);
      const client = bitbucket(target, { proxy: configured(login, true) });
      expect(await client.getJson('projects')).toEqual({ ok: true });
      expect(await newRequests()).toEqual([
        `POST ${target.url}/v1/ingestion/agent-callback/heartbeat`,
        `GET ${target.url}/rest/api/latest/projects`,
      ]);
      expect(JSON.stringify(target.requests)).not.toMatch(/proxy-authorization/);
    });

    test.each([
      ['wrong', wrong, /refuses the user name or password/],
      ['no', undefined, /asks for a user name and a password/],
    ] as const)('with %s password', async (_what, credentials, words) => {
      await using target = await startTarget();
      const fromSei = await errorOf(sei(target, { proxy: configured(credentials, false) }).heartbeat(handle));
      // The proxy's refusal is not taken for Bitbucket's, which would lock this integration out.
      const client = bitbucket(target, { proxy: configured(credentials, true) });
      const fromBitbucket = await errorOf(client.getJson('projects'));
      const fromStream = await errorOf(client.streamText('diff', {}, async () => undefined));
      for (const error of [fromSei, fromBitbucket, fromStream]) {
        expect(error).toMatchObject({ code: 'PROXY_AUTHENTICATION_REQUIRED', kind: 'config' });
        expect(error.message).toMatch(words);
        expect(error.message).toContain(`127.0.0.1:${proxy.port}`);
        expect(error.hint).toMatch(/satellite\.proxy/);
      }
      expect(target.requests).toEqual([]);
    });

    test('to Bitbucket only with all_traffic', async () => {
      await using target = await startTarget();
      await newRequests();
      await bitbucket(target, { proxy: configured(login, false) }).getJson('projects');
      expect(await newRequests()).toEqual([]);
      await bitbucket(target, { proxy: configured(login, true) }).getJson('projects');
      expect(await newRequests()).toHaveLength(1);
      expect(target.requests).toHaveLength(2);
    });
  });

  describeWith(openssl)('https', () => {
    let workshop: CertificateWorkshop;
    let pair: KeyPair;
    let tls: { caFile: string };
    beforeAll(async () => {
      workshop = await CertificateWorkshop.open();
      const authority = await workshop.authority('Corporate Root');
      pair = await workshop.issue(authority);
      tls = { caFile: authority.certFile };
    });
    afterAll(async () => workshop?.[Symbol.asyncDispose]());

    test('with the right password', async () => {
      await using target = await startTarget(pair);
      await newRequests();
      await sei(target, { tls, proxy: configured(login, false) }).heartbeat(handle);
      const client = bitbucket(target, { proxy: configured(login, true) }, { tls: { ...tls, insecure: false } });
      expect(await client.getJson('projects')).toEqual({ ok: true });
      expect(await newRequests()).toEqual([`CONNECT localhost:${target.port}`, `CONNECT localhost:${target.port}`]);
      expect(target.requests).toHaveLength(2);
    });

    test("the target's certificate is verified behind it", async () => {
      await using target = await startTarget(pair);
      const fromSei = await errorOf(sei(target, { proxy: configured(login, false) }).heartbeat(handle));
      expect(fromSei).toMatchObject({ code: 'SEI_TLS_UNKNOWN_AUTHORITY', kind: 'config' });
      expect(fromSei.message).toMatch(/Corporate Root/);
      const client = bitbucket(target, { proxy: configured(login, true) });
      expect((await errorOf(client.getJson('projects'))).code).toBe('BITBUCKET_TLS_UNKNOWN_AUTHORITY');
    });

    test.each([
      ['wrong', wrong, /refuses the user name or password/],
      ['no', undefined, /asks for a user name and a password/],
    ] as const)('with %s password', async (_what, credentials, words) => {
      await using target = await startTarget(pair);
      const fromSei = await errorOf(sei(target, { tls, proxy: configured(credentials, false) }).heartbeat(handle));
      const client = bitbucket(target, { proxy: configured(credentials, true) });
      for (const error of [fromSei, await errorOf(client.getJson('projects'))]) {
        expect(error).toMatchObject({ code: 'PROXY_AUTHENTICATION_REQUIRED', kind: 'config' });
        expect(error.message).toMatch(words);
      }
      expect(target.requests).toEqual([]);
    });

    test('the environment, where the file has no proxy', async () => {
      await using target = await startTarget(pair);
      await newRequests();
      const variable = (password: string) => ({
        HTTPS_PROXY: `http://${login.username}:${password}@127.0.0.1:${proxy.port}`,
      });
      await sei(target, { tls }, variable(login.password)).heartbeat(handle);
      expect(await newRequests()).toHaveLength(1);
      const error = await errorOf(sei(target, { tls }, variable('wr0ng')).heartbeat(handle));
      expect(error.hint).toMatch(/HTTPS_PROXY/);
      expect(`${error.message}${error.hint}`).not.toMatch(/wr0ng/);
      await newRequests();
      await sei(target, { tls }, { ...variable('wr0ng'), NO_PROXY: 'localhost' }).heartbeat(handle);
      expect(await newRequests()).toEqual([]);
    });

    test('a target that the proxy cannot reach', async () => {
      const unreachable = { url: 'https://127.0.0.1:1' } as Target;
      const error = await errorOf(sei(unreachable, { proxy: configured(login, false) }).heartbeat(handle));
      expect(error).toMatchObject({ code: 'PROXY_CONNECT_FAILED', kind: 'retryable' });
    });
  });

  describe('a whole scan', () => {
    let repositories: readonly RepositoryOptions[];
    let folder: Awaited<ReturnType<typeof temporaryFolder>>;
    beforeAll(async () => {
      folder = await temporaryFolder();
      const gitDir = join(folder.path, 'ledger.git');
      const size = { commits: 3, files: 2, mergeEvery: 0, authors: 1 };
      await writeSyntheticRepository(gitDir, { ...size, seed: 1, startMs: Date.UTC(2026, 0, 1), intervalMs: 60_000 });
      repositories = [{ projectKey: 'PAY', slug: 'ledger', gitDir }];
    });
    afterAll(() => folder.remove());

    const hosts = (lines: string[]) => new Set(lines.map((line) => new URL(line.split(' ')[1] ?? '').host));
    const variable = () => `http://${login.username}:${login.password}@127.0.0.1:${proxy.port}`;

    test.each<[name: string, satellite: () => object, env: (direct: string) => Env, through: ('sei' | 'bitbucket')[]]>([
      ['satellite.proxy', () => ({ proxy: fileSection() }), () => ({}), ['sei']],
      [
        'satellite.proxy with all_traffic',
        () => ({ proxy: { ...fileSection(), all_traffic: true } }),
        () => ({}),
        ['sei', 'bitbucket'],
      ],
      ['HTTP_PROXY', () => ({}), () => ({ HTTP_PROXY: variable() }), ['sei', 'bitbucket']],
      ['HTTP_PROXY with NO_PROXY', () => ({}), (direct) => ({ HTTP_PROXY: variable(), NO_PROXY: direct }), ['sei']],
    ])('%s', async (_name, satellite, env, through) => {
      const world = await setUp(repositories, { satellite: satellite() });
      try {
        await newRequests();
        const jobId = world.sei.addJob({ integrationId });
        const { config } = await loadConfig({
          path: join(world.folder.path, 'satellite.yml'),
          env: {},
          cwd: world.folder.path,
        });
        const direct = new URL(world.bitbucket.url).host;
        const logger = { error() {}, warn() {}, info() {}, debug() {} };
        const daemon = new Daemon({
          redactor: new Redactor(),
          config,
          clock: systemClock,
          logger,
          version: 'test',
          env: env(direct),
        });
        try {
          expect(await daemon.once()).toBe(0);
        } finally {
          await daemon.stop();
        }
        expect(await world.sei.waitForJob(jobId)).toMatchObject({ status: 'SUCCESS' });
        const expected = through.map((leg) => new URL(world[leg].url).host);
        expect(hosts(await newRequests())).toEqual(new Set(expected));
      } finally {
        await world.close();
      }
    });

    function fileSection() {
      return { host: '127.0.0.1', port: proxy.port, ...login };
    }
  });
});

const handle = { agent_id: 'a', agent_type: 'default', controller_names: [], tenant_id: 't', integration_ids: [] };

function satelliteConfig(url: string, changes: Partial<SatelliteConfig>): SatelliteConfig {
  return {
    tenant: 't',
    apiKey: 'k',
    url,
    schedulingIntervalSeconds: 60,
    dataDir: '/nonexistent',
    log: { level: 'info', format: 'auto' },
    push: { maxPageBytes: 1 },
    store: { maxBytes: 2 ** 31 },
    tls: {},
    ...changes,
  };
}
