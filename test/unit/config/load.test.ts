import { mkdir, mkdtemp, open, rename, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { loadConfig } from '../../../src/config/load.ts';
import { configFile, load, minimal, refusal } from './config-file.ts';

/** The file that Harness generates, with its placeholders filled in. */
const GENERATED = `satellite:
  tenant: aBcDeFgHiJkLmNoPqRsTuV
  api_key: sei-key-1
  url: 'https://app.harness.io/gratis/sei/api'
integrations:
  - id: '4711'
    application: bitbucket_server
    url: 'https://bitbucket.example.com'
    username: sei-reader
    api_key: bitbucket-key-1
    metadata:
      fetch_prs: true
      fetch_pr_reviews: true
      fetch_commits: true
      fetch_commit_files: true
      repos: ledger, web-shop
    satellite: true
`;

describe('the file that Harness generates', () => {
  test('runs as it is', async () => {
    const { config, warnings } = await load(GENERATED, { env: { STATE_DIRECTORY: '/srv/satellite' } });
    expect(warnings).toEqual([]);
    expect(config.satellite).toEqual({
      tenant: 'aBcDeFgHiJkLmNoPqRsTuV',
      apiKey: 'sei-key-1',
      url: 'https://app.harness.io/gratis/sei/api',
      schedulingIntervalSeconds: 60,
      dataDir: '/srv/satellite',
      log: { level: 'info', format: 'auto' },
      push: { maxPageBytes: 2_097_152 },
      store: { maxBytes: 2 ** 31 },
      tls: {},
      listen: { host: '127.0.0.1', port: 8090 },
    });
    const credentials = { kind: 'basic', username: 'sei-reader', password: 'bitbucket-key-1' };
    expect(config.integrations).toEqual([
      {
        id: '4711',
        url: 'https://bitbucket.example.com',
        credentials,
        allCredentials: [credentials],
        tls: { insecure: false },
        rateLimit: { maxInFlight: 4 },
        metadata: {
          repos: ['ledger', 'web-shop'],
          projects: [],
          excludeRepos: [],
          archived: 'include',
          branches: [],
          fetchCommits: true,
          fetchCommitFiles: true,
          fetchPrs: true,
          fetchPrReviews: true,
          fetchPrCommits: true,
          fetchTags: true,
          backfillDays: 7,
          commitSource: 'rest',
          keepClones: true,
        },
      },
    ]);
  });
});

describe('where the file is looked for', () => {
  test('--config comes before CONFIG_FILE, and that before ./satellite.yml', async () => {
    const named = await configFile(minimal('', 'schedule: "0 1 * * *"'));
    const fromEnv = await configFile(minimal('', 'schedule: "0 2 * * *"'));
    const here = await configFile(minimal('', 'schedule: "0 3 * * *"'));
    const env = { CONFIG_FILE: fromEnv.path };
    const schedules = await Promise.all([
      loadConfig({ path: named.path, env, cwd: here.dir }),
      loadConfig({ env, cwd: here.dir }),
      loadConfig({ env: {}, cwd: here.dir }),
    ]);
    expect(schedules.map(({ config }) => config.satellite.schedule)).toEqual(['0 1 * * *', '0 2 * * *', '0 3 * * *']);
  });

  test('a name that leads nowhere is not replaced by another file', async () => {
    const { dir } = await configFile(minimal());
    const loading = loadConfig({ path: 'other.yml', env: {}, cwd: dir });
    await expect(loading).rejects.toMatchObject({ code: 'CONFIG_NOT_FOUND', kind: 'config' });
    await expect(loading).rejects.toThrow(join(dir, 'other.yml'));
  });

  test('says where it looked when there is none', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'satellite-empty-'));
    await expect(loadConfig({ env: {}, cwd: dir })).rejects.toThrow('/levelops/config.yml');
  });
});

test('a file of a similar name is pointed at', async () => {
  const { dir, path } = await configFile(minimal());
  await rename(path, join(dir, 'satellite.yaml'));
  await expect(loadConfig({ env: {}, cwd: dir })).rejects.toThrow('satellite.yaml: name it with --config');
});

describe('the data directory', () => {
  test('given in the file it is relative to the file', async () => {
    const { dir, path } = await configFile(minimal('', 'data_dir: store'));
    const { config } = await loadConfig({ path, env: { STATE_DIRECTORY: '/srv/x' }, cwd: '/' });
    expect(config.satellite.dataDir).toBe(join(dir, 'store'));
  });

  test('of a configuration out of a pipe is relative to the working directory, and so are the files that it names', async () => {
    const text = minimal('tls: {ca_file: ca.pem}', 'data_dir: ./store');
    const { dir, path } = await configFile(text.replace('api_key: secret-1', 'api_key_file: key'));
    const cwd = join(dir, 'cwd');
    await mkdir(cwd);
    await writeFile(join(cwd, 'key'), 'secret-1', { mode: 0o600 });
    await writeFile(join(cwd, 'ca.pem'), '-----BEGIN CERTIFICATE-----\nMA==\n-----END CERTIFICATE-----\n');
    await using file = await open(path);
    for (const name of [`/dev/fd/${file.fd}`, `/proc/self/fd/${file.fd}`]) {
      const { config, files } = await loadConfig({ path: name, env: {}, cwd });
      expect(config.satellite.dataDir).toBe(join(cwd, 'store'));
      expect(files).toEqual([name, join(cwd, 'key'), join(cwd, 'ca.pem')]);
      expect(config.integrations[0]?.tls.caFile).toBe(join(cwd, 'ca.pem'));
    }
  });

  test('is the first folder that systemd names', async () => {
    const { config } = await load(minimal(), { env: { STATE_DIRECTORY: '/srv/a:/srv/b' } });
    expect(config.satellite.dataDir).toBe('/srv/a');
  });
});

describe('credentials', () => {
  const withAuth = (lines: string) => minimal(lines).replace('    username: reader\n    api_key: secret-1\n', '');
  test.each([
    ['a user with an api_key', 'username: bob\napi_key: k', { kind: 'basic', username: 'bob', password: 'k' }],
    ['a user with a password', 'user_name: bob\npassword: k', { kind: 'basic', username: 'bob', password: 'k' }],
    ['basic', 'authentication: basic\nusername: bob\napi_key: k', { kind: 'basic', username: 'bob', password: 'k' }],
    ['bearer', 'authentication: bearer\nusername: bob\napi_key: k', { kind: 'bearer', token: 'k' }],
    ['oauth', 'authentication: oauth\ntoken: k', { kind: 'bearer', token: 'k' }],
    ['a token alone', 'token: k', { kind: 'bearer', token: 'k' }],
    ['an api_key alone', 'api_key: k', { kind: 'bearer', token: 'k' }],
  ])('%s', async (_name, lines, credentials) => {
    const { config } = await load(withAuth(lines));
    expect(config.integrations[0]?.credentials).toEqual(credentials);
  });

  test('none at all is refused', async () => {
    expect((await refusal(withAuth(''))).message).toMatch(/integrations\[0\]\.api_key: missing/);
  });
});

describe('other applications', () => {
  test('their integrations are skipped with a warning and stay out of the list', async () => {
    const { config, warnings } = await load(`${minimal()}  - id: '2'\n    application: jira\n    jql: all of them\n`);
    expect(config.integrations.map(({ id }) => id)).toEqual(['1']);
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toMatch(/integrations\[1\]: skipped/);
  });

  test('a file without any of ours is refused', async () => {
    const error = await refusal(minimal().replace('bitbucket_server', 'jira'));
    expect(error.message).toMatch(/integrations: nothing here for this satellite/);
  });
});

describe('a file that is refused', () => {
  test('is refused for everything that is wrong with it at once', async () => {
    const error = await refusal(
      minimal('rate_limit: {max_in_flight: many}', 'schedule: now and then').replace('  tenant: acme\n', ''),
    );
    expect(error).toMatchObject({ code: 'CONFIG_INVALID', kind: 'config' });
    expect(error.problems.map(({ path }) => path)).toEqual([
      'satellite.tenant',
      'satellite.schedule',
      'integrations[0].rate_limit.max_in_flight',
    ]);
  });
});
