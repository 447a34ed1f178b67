import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { startBitbucketSimulator } from '../simulators/bitbucket/simulator.ts';
import { writeSyntheticRepository } from '../simulators/git/synthetic-repository.ts';
import { SatelliteProcess, satelliteFolder } from '../simulators/satellite-process.ts';
import { startSeiSimulator } from '../simulators/sei/simulator.ts';
import { integrationId, temporaryFolder, wholeHistory } from './support/main-job.ts';

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
beforeAll(async () => {
  folder = await temporaryFolder();
});
afterAll(() => folder.remove());

/** Processes of git that work below a folder. */
function gitsBelow(path: string): string[] {
  return readdirSync('/proc').filter((pid) => {
    try {
      const argv = readFileSync(`/proc/${pid}/cmdline`, 'latin1');
      return (
        /^\S*git/.test(argv) && (argv.includes(path) || readFileSync(`/proc/${pid}/environ`, 'latin1').includes(path))
      );
    } catch {
      return false;
    }
  });
}

async function until(isSo: () => boolean): Promise<void> {
  for (let tries = 0; !isSo(); tries++) {
    if (tries > 200) throw new Error('it did not come to that');
    await delay(50);
  }
}

test.each(['SIGKILL', 'SIGTERM'] as const)(
  '%s in the middle of a clone: no git stays, and the next start has it all',
  async (signal) => {
    const made = await writeSyntheticRepository(join(folder.path, `${signal}.git`), {
      seed: 2,
      commits: 150,
      files: 10,
      mergeEvery: 0,
      startMs: Date.UTC(2025, 0, 1),
      intervalMs: 3_600_000,
      authors: 2,
    });
    const [username, password] = ['satellite', 'simulator'];
    await using bitbucket = await startBitbucketSimulator({
      repositories: [{ projectKey: 'PAY', slug: 'one', gitDir: made.gitDir }],
    });
    const sei = await startSeiSimulator();
    const home = await satelliteFolder({
      sei,
      bitbucket: { url: bitbucket.url, username, password },
      integrationId,
      metadata: { ...wholeHistory, fetch_prs: false, fetch_tags: false, commit_source: 'git' },
    });
    try {
      const job = sei.addJob({ integrationId, to: Date.now() });
      const disarm = bitbucket.fault({ match: 'git-upload-pack', skip: 1, hang: true });
      const first = new SatelliteProcess(home.path, ['run', '--once']);
      const clones = join(home.path, 'data', 'clones');
      await until(() => bitbucket.requests.count('git-upload-pack') === 2);
      expect(gitsBelow(clones)).not.toEqual([]);
      const begun = performance.now();
      first.child.kill(signal);
      await first.finished();
      expect(performance.now() - begun).toBeLessThan(10_000);
      await until(() => gitsBelow(clones).length === 0);
      disarm();

      const second = await new SatelliteProcess(home.path, ['run', '--once']).finished();
      expect({ exitCode: second.exitCode, stderr: second.stderr }).toMatchObject({ exitCode: 0 });
      expect(second.stderr).not.toContain('GIT_');
      expect(sei.ingested(job).commits).toHaveLength(150);
      expect(bitbucket.requests.count('raw-diff')).toBe(0);
      const left = readdirSync(clones, { recursive: true }).filter((name) => /\.new|tmp_|\.lock/.test(String(name)));
      expect(existsSync(clones) && left).toEqual([]);
    } finally {
      await sei.close();
      await home.remove();
    }
  },
);

test.each(['git', 'rest'])(
  'a crash in the middle of a range, gone on with by %s: every commit arrives',
  async (next) => {
    const made = await writeSyntheticRepository(join(folder.path, `range-${next}.git`), {
      seed: 6,
      commits: 400,
      files: 10,
      mergeEvery: 3,
      startMs: Date.UTC(2025, 0, 1),
      intervalMs: 0,
      authors: 2,
    });
    await using bitbucket = await startBitbucketSimulator({
      repositories: [{ projectKey: 'PAY', slug: 'one', gitDir: made.gitDir }],
    });
    const sei = await startSeiSimulator();
    const home = await satelliteFolder({
      sei,
      bitbucket: { url: bitbucket.url, username: 'satellite', password: 'simulator' },
      integrationId,
      metadata: { ...wholeHistory, fetch_prs: false, fetch_tags: false, commit_source: 'git' },
      satellite: { push: { max_page_bytes: 65_536 } },
    });
    try {
      const job = sei.addJob({ integrationId, to: Date.now() });
      const env = { SATELLITE_KILL_AT: 'page:stored:3' };
      expect((await new SatelliteProcess(home.path, ['run', '--once'], { env }).finished()).signal).toBe('SIGKILL');
      const yml = join(home.path, 'satellite.yml');
      writeFileSync(yml, readFileSync(yml, 'utf8').replace('"commit_source":"git"', `"commit_source":"${next}"`));
      const { exitCode, stderr } = await new SatelliteProcess(home.path, ['run', '--once']).finished();
      expect({ exitCode, stderr }).toMatchObject({ exitCode: 0 });
      const ids = new Set(sei.ingested(job).commits.map(({ commit }) => commit.id));
      expect(ids.size).toBe(400);
    } finally {
      await sei.close();
      await home.remove();
    }
  },
);
