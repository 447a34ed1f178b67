import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { ScratchRepository } from '../simulators/bitbucket/scratch-repository.ts';
import { writeSyntheticRepository } from '../simulators/git/synthetic-repository.ts';

export interface BenchRepository {
  readonly projectKey: string;
  readonly slug: string;
  readonly gitDir: string;
  readonly commits: number;
  /** One for each merge. */
  readonly pullRequests: number;
}

export interface RepositoryGroup {
  readonly projectKey: string;
  readonly repositories: number;
  readonly commitsEach: number;
  /** Every so many commits of the first-parent line, one merges a side branch of one to three commits. */
  readonly mergeEvery: number;
}

/** Small commits of one to three files of text, ten minutes apart. */
export async function writeRepositories(dir: string, groups: readonly RepositoryGroup[]): Promise<BenchRepository[]> {
  await mkdir(dir, { recursive: true });
  const written: BenchRepository[] = [];
  for (const { projectKey, repositories, commitsEach, mergeEvery } of groups) {
    for (let index = 0; index < repositories; index++) {
      const slug = `${projectKey.toLowerCase()}-${index}`;
      const { gitDir, merges } = await writeSyntheticRepository(join(dir, `${slug}.git`), {
        seed: written.length + 1,
        commits: commitsEach,
        files: 50,
        mergeEvery,
        startMs: Date.UTC(2026, 0, 1),
        intervalMs: 600_000,
        authors: 10,
      });
      written.push({ projectKey, slug, gitDir, commits: commitsEach, pullRequests: merges.length });
    }
  }
  return written;
}

/** What `pushChange` adds. */
export const changeSize = { commits: 5, pullRequests: 1 };

/** A branch of three commits that is merged, and one commit beside it, as of now. */
export async function pushChange({ gitDir }: BenchRepository): Promise<void> {
  const at = Math.floor(Date.now() / 1000);
  const edit = (branch: string, path: string, from?: string) => ({
    branch,
    at,
    files: { [path]: `changed at ${at}\n` },
    ...(from === undefined ? {} : { from }),
  });
  const repository = new ScratchRepository(gitDir);
  await repository.commit(
    edit('change', 'change/first.txt', 'main'),
    edit('change', 'change/second.txt'),
    edit('change', 'change/third.txt'),
    edit('main', 'beside.txt'),
    { ...edit('main', 'change/first.txt'), merge: ['change'] },
  );
}
