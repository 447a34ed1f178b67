import { type Answer, emptyAnswer, jsonAnswer } from './answer.ts';
import { type Call, pageAnswer, repositoryOf, wordParam } from './call.ts';
import { noDefaultBranch } from './errors.ts';
import type { GitRepository } from './git-repository.ts';
import { refName } from './representation.ts';

export async function branches(call: Call): Promise<Answer> {
  const { representation, settings } = call.world;
  const { git } = repositoryOf(call);
  const { branches: all, defaultBranch, defaultTip } = await git.snapshot();
  if (call.query.get('details') === 'true' && all.length > 0 && !defaultTip) throw noDefaultBranch();
  const found = await filteredAndOrdered(call, git, all);
  return pageAnswer(call, found, settings.caps.branches, (branch) => representation.branch(branch, defaultBranch));
}

export async function tags(call: Call): Promise<Answer> {
  const { representation, settings } = call.world;
  const { git } = repositoryOf(call);
  const found = await filteredAndOrdered(call, git, (await git.snapshot()).tags);
  return pageAnswer(call, found, settings.caps.tags, (tag) => representation.tag(tag));
}

/** What is configured, whether it is there or not. */
export async function configuredDefaultBranch(call: Call): Promise<Answer> {
  const { defaultBranch } = await repositoryOf(call).git.snapshot();
  return jsonAnswer({ ...refName(defaultBranch), type: 'BRANCH' });
}

/** The older resource: 204 when the repository is empty, 404 when only the branch is missing. */
export async function existingDefaultBranch(call: Call): Promise<Answer> {
  const { defaultBranch, branches: all } = await repositoryOf(call).git.snapshot();
  if (all.length === 0) return emptyAnswer(204);
  const branch = all.find((one) => one.id === defaultBranch);
  if (!branch) throw noDefaultBranch();
  return jsonAnswer(call.world.representation.branch(branch, defaultBranch));
}

/** By name, as git lists them, or by the date of the commit they are at, newest first. */
async function filteredAndOrdered<T extends { readonly id: string; readonly commitId: string }>(
  call: Call,
  git: GitRepository,
  refs: readonly T[],
): Promise<T[]> {
  const text = wordParam(call, 'filterText');
  const found = refs.filter((ref) => !text || refName(ref.id).displayId.toUpperCase().includes(text));
  if (wordParam(call, 'orderBy') !== 'MODIFICATION') return found;
  const dated = await Promise.all(found.map(async (ref) => ({ ref, commit: await git.commit(ref.commitId) })));
  const at = (one: (typeof dated)[number]) => one.commit?.committerTimestamp ?? 0;
  return dated.sort((a, b) => at(b) - at(a)).map((one) => one.ref);
}
