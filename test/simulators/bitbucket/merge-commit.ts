import type { Account } from './accounts.ts';
import type { Commit } from './commit-graph.ts';
import type { GitRepository } from './git-repository.ts';

/** Writes the commit that Bitbucket would make; throws a GitError on a conflict. Nothing points at it yet. */
export async function writeMergeCommit(
  repository: GitRepository,
  merge: { target: Commit; source: Commit; message: string; user: Account; at: number },
): Promise<string> {
  const { git, gitDir } = repository;
  const { target, source, user } = merge;
  const merged = await git.text(gitDir, [
    'merge-tree',
    '--write-tree',
    '--allow-unrelated-histories',
    target.id,
    source.id,
  ]);
  const tree = merged.split('\n')[0] ?? '';
  const date = `${Math.floor(merge.at / 1000)} +0000`;
  const args = ['commit-tree', tree, '-p', target.id, '-p', source.id, '-F', '-'];
  const env = {
    GIT_AUTHOR_NAME: user.displayName,
    GIT_AUTHOR_EMAIL: user.emailAddress,
    GIT_AUTHOR_DATE: date,
    GIT_COMMITTER_NAME: user.displayName,
    GIT_COMMITTER_EMAIL: user.emailAddress,
    GIT_COMMITTER_DATE: date,
  };
  return (await git.text(gitDir, args, { env, input: merge.message })).trim();
}

/** Moves a branch on. Where it is checked out, the working copy goes along, or its next commit would undo the merge. */
export async function advanceBranch(repository: GitRepository, ref: string, to: string, from: string): Promise<void> {
  const { git, gitDir, workingCopy } = repository;
  const { defaultBranch } = await repository.snapshot();
  if (workingCopy !== undefined && ref === defaultBranch) {
    const args = [`--work-tree=${workingCopy}`, 'merge', '--ff-only', '--quiet', to];
    await git.capture(gitDir, args, { cwd: workingCopy });
  } else {
    await git.capture(gitDir, ['update-ref', ref, to, from]);
  }
}
