import { cp, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { RepositoryOptions } from '../simulators/bitbucket/options.ts';
import { ScratchRepository } from '../simulators/bitbucket/scratch-repository.ts';
import { writeSyntheticRepository } from '../simulators/git/synthetic-repository.ts';
import { writeTrickyRepository } from '../simulators/git/tricky-repository.ts';

export interface RepositoryPlan {
  readonly projectKey: string;
  readonly slug: string;
  /** Commits of a made-up history; `tricky`: everything odd once. 0: an empty repository. */
  readonly commits: number | 'tricky';
}

export const smallHistory: readonly RepositoryPlan[] = [
  { projectKey: 'PAY', slug: 'ledger', commits: 40 },
  { projectKey: 'PAY', slug: 'tricky', commits: 'tricky' },
  { projectKey: 'WEB', slug: 'closed', commits: 12 },
  { projectKey: 'WEB', slug: 'void', commits: 0 },
];

/** Enough for a scan of some seconds. */
export const mediumHistory: readonly RepositoryPlan[] = [
  { projectKey: 'PAY', slug: 'ledger', commits: 150 },
  { projectKey: 'PAY', slug: 'tricky', commits: 'tricky' },
  { projectKey: 'WEB', slug: 'shop', commits: 90 },
  { projectKey: 'WEB', slug: 'site', commits: 50 },
  { projectKey: 'WEB', slug: 'void', commits: 0 },
];

/** Writes what a plan says; the same seed gives the same repositories, to the last commit id. */
export async function writeHistory(
  folder: string,
  seed: number,
  plan: readonly RepositoryPlan[],
): Promise<RepositoryOptions[]> {
  await mkdir(folder, { recursive: true });
  const written = plan.map(async ({ projectKey, slug, commits }, index) => {
    const gitDir = join(folder, `${slug}.git`);
    if (commits === 'tricky') await writeTrickyRepository(gitDir, { seed });
    else if (commits === 0) await ScratchRepository.create(gitDir);
    else {
      const options = { files: 10, mergeEvery: 5, authors: 4, startMs: Date.UTC(2025, 0, 1), intervalMs: 3_600_000 };
      await writeSyntheticRepository(gitDir, { seed: seed + index, commits, ...options });
      const scratch = new ScratchRepository(gitDir);
      for (const back of [1, 3]) await scratch.git('update-ref', `refs/tags/v${back}`, `main~${back}`);
    }
    return { projectKey, slug, gitDir };
  });
  return Promise.all(written);
}

/** The same repositories once more, to be changed apart from the others. */
export async function copyHistory(repositories: readonly RepositoryOptions[], folder: string) {
  return Promise.all(
    repositories.map(async (repository) => {
      const gitDir = join(folder, `${repository.slug}.git`);
      await cp(repository.gitDir, gitDir, { recursive: true });
      return { ...repository, gitDir };
    }),
  );
}
