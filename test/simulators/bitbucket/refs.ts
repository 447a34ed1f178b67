import { readdirSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import type { Git } from './git.ts';

export interface Branch {
  /** `refs/heads/…` */
  readonly id: string;
  readonly commitId: string;
}

export interface Tag {
  /** `refs/tags/…` */
  readonly id: string;
  readonly commitId: string;
  /** The annotated tag's own object. */
  readonly hash: string | null;
}

export interface Refs {
  /** What HEAD names, whether that branch exists or not. */
  readonly defaultBranch: string;
  readonly branches: readonly Branch[];
  readonly tags: readonly Tag[];
  /** `refs/pull-requests/…`: they keep commits alive whose branch is gone. */
  readonly others: readonly Branch[];
}

/** Changes whenever a ref does: the text of every loose ref, and the stamp of the packed ones. */
export function refsFingerprint(gitDir: string): string {
  const parts = [readFileSync(path.join(gitDir, 'HEAD'), 'utf8')];
  const packed = statSync(path.join(gitDir, 'packed-refs'), { bigint: true, throwIfNoEntry: false });
  if (packed) parts.push(`${packed.ino} ${packed.size} ${packed.mtimeNs} ${packed.ctimeNs}`);
  const visit = (folder: string) => {
    for (const entry of readdirSync(folder, { withFileTypes: true })) {
      const file = path.join(folder, entry.name);
      if (entry.isDirectory()) visit(file);
      else parts.push(file, readFileSync(file, 'latin1'));
    }
  };
  try {
    visit(path.join(gitDir, 'refs'));
  } catch (error) {
    // A ref was deleted or packed between the listing and the read: what was read is no fingerprint of anything.
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    return refsFingerprint(gitDir);
  }
  return parts.join('\n');
}

export async function readRefs(git: Git, gitDir: string): Promise<Refs> {
  const format = '--format=%(objecttype) %(objectname) %(*objecttype) %(*objectname) %(refname)';
  const text = await git.text(gitDir, ['for-each-ref', format, 'refs/heads', 'refs/tags', 'refs/pull-requests']);
  const branches: Branch[] = [];
  const tags: Tag[] = [];
  const others: Branch[] = [];
  for (const line of text.split('\n')) {
    const [type = '', objectId = '', peeledType = '', peeledId = '', ...rest] = line.split(' ');
    const id = rest.join(' ');
    if (id.startsWith('refs/tags/')) {
      const commitId = await peeledCommit(git, gitDir, { type, objectId, peeledType, peeledId });
      if (commitId) tags.push({ id, commitId, hash: type === 'tag' ? objectId : null });
    } else if (type === 'commit') {
      (id.startsWith('refs/heads/') ? branches : others).push({ id, commitId: objectId });
    }
  }
  return { defaultBranch: defaultBranchOf(gitDir, branches), branches, tags, others };
}

async function peeledCommit(
  git: Git,
  gitDir: string,
  tag: { type: string; objectId: string; peeledType: string; peeledId: string },
): Promise<string | undefined> {
  if (tag.type === 'commit') return tag.objectId;
  if (tag.peeledType === 'commit') return tag.peeledId;
  if (tag.peeledType !== 'tag') return undefined;
  // A tag of a tag: older gits peel one layer only.
  const args = ['rev-parse', '--verify', '--quiet', '--end-of-options', `${tag.objectId}^{commit}`];
  return (await git.succeeds(gitDir, args)) ? (await git.text(gitDir, args)).trim() : undefined;
}

function defaultBranchOf(gitDir: string, branches: readonly Branch[]): string {
  const head = readFileSync(path.join(gitDir, 'HEAD'), 'utf8').trim();
  if (head.startsWith('ref: ')) return head.slice('ref: '.length);
  // A working copy with a detached HEAD; a server's repository never has one.
  const usual = ['refs/heads/main', 'refs/heads/master'].find((id) => branches.some((branch) => branch.id === id));
  return usual ?? branches[0]?.id ?? 'refs/heads/master';
}
