import { join } from 'node:path';
import type { IntegrationConfig, SatelliteConfig } from '../config/config.ts';
import { gitVersion } from '../git/git-process.ts';
import type { Tell } from './step.ts';

/** Where commits come from, and what that leaves on the disk. Asks nobody. */
export async function judgeCommitSource(
  { commitSource, keepClones }: IntegrationConfig['metadata'],
  { dataDir }: SatelliteConfig,
  tell: Tell,
): Promise<void> {
  if (commitSource === 'rest') {
    tell({ detail: 'rest: the line counts of each commit are stored, and no source' });
    return;
  }
  const version = await gitVersion();
  if (version === undefined) {
    tell({
      detail: 'git, but there is no git 2.31 or newer on this machine: all is read by REST',
      warning: true,
      code: 'GIT_UNAVAILABLE',
      hint: 'Install git, or set metadata.commit_source to rest.',
    });
    return;
  }
  const howLong = keepClones ? 'stored' : 'stored while it is read';
  tell({
    detail: `git ${version}: a bare clone of each repository, source included, is ${howLong} in ${join(dataDir, 'clones')}; nothing of it is sent`,
  });
}
