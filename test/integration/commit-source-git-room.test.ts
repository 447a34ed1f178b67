import { execFileSync } from 'node:child_process';
import { chmodSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { expect, test } from '@jest/globals';
import { BitbucketClient } from '../../src/bitbucket/client.ts';
import { Gate } from '../../src/bitbucket/gate.ts';
import type { BitbucketRepository } from '../../src/bitbucket/types.ts';
import type { IntegrationConfig } from '../../src/config/config.ts';
import { GitSource } from '../../src/crawl/git-source.ts';
import { Clones } from '../../src/git/clones.ts';
import type { Logger } from '../../src/ops/logger.ts';
import { ScratchRepository } from '../simulators/bitbucket/scratch-repository.ts';
import { gitEnvironment } from '../simulators/git/git.ts';
import { integrationId, password, setUp, temporaryFolder, username, wholeHistory } from './support/main-job.ts';

const maxBytes = 2 ** 31;

/** A clone of one small repository, beside a store of any size. */
async function clonedWorld() {
  const folder = await temporaryFolder();
  const gitDir = join(folder.path, 'one.git');
  const scratch = await ScratchRepository.create(gitDir);
  const world = await setUp([{ projectKey: 'PAY', slug: 'one', gitDir }]);
  const { url } = world.bitbucket;
  const codes: string[] = [];
  const logger = { warn: (_message: string, { code }: { code: string }) => codes.push(code) } as unknown as Logger;
  const clock = {
    now: () => Date.now(),
    elapsedMs: () => performance.now(),
    random: Math.random,
    sleep: (ms: number) => delay(ms),
  };
  const authorization = `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
  const accounts = [{ authorization, gate: new Gate({ maxInFlight: 4 }) }];
  const integration = { url, tls: {}, metadata: { keepClones: true } } as unknown as IntegrationConfig;
  const client = new BitbucketClient(integration, { accounts, clock } as never);
  const store = { bytes: 0 };
  const options = { root: join(folder.path, 'clones'), maxBytes, nowMs: () => Date.now(), shrinkStore: () => false };
  const clones = new Clones({ ...options, storeBytes: () => store.bytes }, [url]);
  const repository = {
    id: 1,
    slug: 'one',
    name: 'one',
    project: { key: 'PAY' },
    links: { clone: [{ href: `${url}/scm/pay/one.git`, name: 'http' }] },
  } as unknown as BitbucketRepository;
  return {
    codes,
    store,
    commit: async (file: string) => {
      await scratch.commit({ branch: 'main', at: 1_700_000_000, files: { [file]: 'line\n' } });
    },
    /** Whether a scan gets the clone. */
    opens: async () => {
      const source = new GitSource({ integration, client, clones, logger, signal: new AbortController().signal });
      const tip = execFileSync('git', ['--git-dir', gitDir, 'rev-parse', 'main'], { env: gitEnvironment() });
      const clone = await source.open(repository, [String(tip).trim()]);
      source.close();
      return clone !== undefined;
    },
    close: async () => {
      await world.close();
      await folder.remove();
    },
  };
}

test('a clone stays where pages that wait for SEI leave no room, and is fetched again as soon as they are gone', async () => {
  const world = await clonedWorld();
  try {
    await world.commit('first.txt');
    expect(await world.opens()).toBe(true);
    await world.commit('second.txt');
    world.store.bytes = maxBytes;
    expect(await world.opens()).toBe(false);
    world.store.bytes = 0;
    expect(await world.opens()).toBe(true);
    expect(world.codes).toEqual(['GIT_NO_ROOM']);
  } finally {
    await world.close();
  }
});

/** A git that notes each process that works on one commit of a clone, and takes its time. */
function slowGit(folder: string, log: string): string {
  const real = execFileSync('sh', ['-c', 'command -v git'], { encoding: 'utf8' }).trim();
  const script = `#!/bin/sh
case "$*" in
  *diff-tree*) echo 1 >> '${log}'; sleep 0.1; '${real}' "$@"; code=$?; echo -1 >> '${log}'; exit $code;;
esac
exec '${real}' "$@"
`;
  writeFileSync(join(folder, 'git'), script);
  chmodSync(join(folder, 'git'), 0o755);
  return folder;
}

test('commits of many pull requests are counted by a few processes of git at a time', async () => {
  const folder = await temporaryFolder();
  const repositories: { projectKey: string; slug: string; gitDir: string }[] = [];
  for (const slug of ['one', 'two', 'three']) {
    const gitDir = join(folder.path, `${slug}.git`);
    const scratch = await ScratchRepository.create(gitDir);
    const at = 1_700_000_000;
    await scratch.commit({ branch: 'main', at, files: { 'first.txt': 'line\n' } });
    for (let branch = 0; branch < 3; branch++) {
      for (let count = 0; count < 3; count++) {
        const from = count === 0 ? { from: 'main' } : {};
        const file = `${slug}-${branch}-${count}.txt`;
        await scratch.commit({ branch: `feature/${branch}`, at, files: { [file]: 'line\n' }, ...from });
      }
    }
    repositories.push({ projectKey: 'PAY', slug, gitDir });
  }
  const world = await setUp(repositories, {
    bitbucket: { derivePullRequests: false },
    metadata: { ...wholeHistory, fetch_tags: false, commit_source: 'git' },
  });
  const { PATH } = process.env;
  try {
    for (const { slug } of repositories) {
      for (let branch = 0; branch < 3; branch++) {
        const from = `feature/${branch}`;
        await world.bitbucket
          .pullRequests('PAY', slug)
          .open({ from, title: from, author: 'ada', reviewers: [], at: 1e12 });
      }
    }
    const log = join(folder.path, 'log');
    process.env.PATH = `${slowGit(folder.path, log)}:${PATH}`;
    const job = world.sei.addJob({ integrationId });
    expect(await world.runOnce()).toBe(0);
    const counted = world.sei.ingested(job).pullRequests.flatMap(({ pullRequest }) => pullRequest.commits ?? []);
    expect(counted.map(({ additions }) => additions)).toEqual(Array.from({ length: 27 }, () => 1));
    expect(world.bitbucket.requests.count('raw-diff')).toBe(0);
    let running = 0;
    const atOnce = readFileSync(log, 'utf8')
      .trim()
      .split('\n')
      .map((step) => {
        running += Number(step);
        return running;
      });
    expect(atOnce).toHaveLength(2 * 27);
    expect(Math.max(...atOnce)).toBeLessThanOrEqual(2);
  } finally {
    process.env.PATH = PATH;
    await world.close();
    await folder.remove();
  }
});
