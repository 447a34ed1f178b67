import assert from 'node:assert/strict';
import { chmodSync, chownSync, mkdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { type BitbucketSimulator, startBitbucketSimulator } from '../simulators/bitbucket/simulator.ts';
import { writeSyntheticRepository } from '../simulators/git/synthetic-repository.ts';
import { satelliteYml } from '../simulators/satellite-process.ts';
import { type SeiSimulator, startSeiSimulator } from '../simulators/sei/simulator.ts';
import { Container, type ContainerOptions, type Finished } from './container.ts';

export const userId = 65532;
export const commitCount = 60;
const integrationId = '4711';
const username = 'satellite';
const password = 'password-of-the-image-test';
/** Reaches before any commit. */
const backfillDays = 365 * 60;

/** Both servers, and containers of the image that know them. */
export interface World {
  readonly bitbucket: BitbucketSimulator;
  readonly sei: SeiSimulator;
  /** With a volume of its own, and its configuration where the vendor's image has it mounted. */
  container(name: string, metadata?: object): Container;
  /** A whole job of `run --once`, and what SEI has of it. */
  job(container: Container): Promise<{ readonly text: string; readonly stderr: string }>;
  close(): Promise<void>;
}

export async function openWorld({
  folder,
  ...image
}: Pick<ContainerOptions, 'root' | 'config'> & { readonly folder: string }): Promise<World> {
  const gitDir = join(folder, 'ledger.git');
  const story = { seed: 7, commits: commitCount, files: 12, mergeEvery: 9, authors: 4 };
  await writeSyntheticRepository(gitDir, { ...story, startMs: Date.UTC(2026, 0, 1), intervalMs: 3_600_000 });
  const bitbucket = await startBitbucketSimulator({
    repositories: [{ projectKey: 'PAY', slug: 'ledger', gitDir }],
    credentials: [{ kind: 'basic', username, password }],
  });
  const sei = await startSeiSimulator();
  const listen = `127.0.0.1:${await freePort()}`;
  const world: World = {
    bitbucket,
    sei,
    container(name, metadata = {}) {
      const volume = join(folder, `volume-${name}`);
      const configFile = join(folder, `${name}.yml`);
      const yml = satelliteYml({
        sei,
        bitbucket: { url: bitbucket.url, username, password },
        integrationId,
        metadata: { backfill_days: backfillDays, ...metadata },
        satellite: { listen },
      });
      mkdirSync(volume);
      chmodSync(volume, 0o700);
      writeFileSync(configFile, yml, { mode: 0o400 });
      for (const path of [volume, configFile]) chownSync(path, userId, userId);
      return new Container({ ...image, volume, configFile });
    },
    async job(container) {
      // `check` asks SEI without registering, which the simulator notes.
      const notedBefore = sei.violations.length;
      const jobId = addJob(world);
      const finished = await container.run(['run', '--once']);
      succeeded(finished);
      const { status } = await sei.waitForJob(jobId, 5_000);
      const { commits, pullRequests, repositories } = sei.ingested(jobId);
      assert.equal(status, 'SUCCESS');
      assert.equal(commits.length, commitCount);
      assert.ok(pullRequests.length > 0 && repositories.length === 1);
      assert.deepEqual(sei.violations.slice(notedBefore), []);
      const text = `${status}: ${commits.length} commits, ${pullRequests.length} pull requests`;
      return { text, stderr: finished.stderr };
    },
    async close() {
      await bitbucket.close();
      await sei.close();
    },
  };
  return world;
}

export function addJob({ sei }: Pick<World, 'sei'>): string {
  return sei.addJob({ integrationId, shouldFetchRepos: true });
}

/** @throws AssertionError with what it said */
export function succeeded({ exitCode, stdout, stderr }: Finished): string {
  assert.equal(exitCode, 0, `exit code ${exitCode}\n${stdout}\n${stderr}`.slice(-2_000));
  return stdout.trim();
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}
