import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { runGit } from '../simulators/git/git.ts';
import { writeSyntheticRepository } from '../simulators/git/synthetic-repository.ts';
import { oddPaths } from '../simulators/git/tricky-content.ts';
import {
  type TrickyCommit,
  type TrickyRepository,
  writeTrickyRepository,
} from '../simulators/git/tricky-repository.ts';
import { type CommitTruth, type FileTruth, gitTruth } from '../simulators/git/truth.ts';

let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'git-repositories-'));
});

afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
});

async function fsck(gitDir: string): Promise<string> {
  return runGit(['--git-dir', gitDir, 'fsck', '--strict', '--no-dangling', '--no-progress']);
}

/** `status source -> destination +added -removed`, short enough to read in a table. */
function inShort(file: FileTruth): string {
  const paths =
    file.status === 'R' || file.status === 'C'
      ? `${file.sourcePath} -> ${file.destinationPath}`
      : (file.destinationPath ?? file.sourcePath);
  return `${file.status} ${paths} ${file.binary ? 'binary' : `+${file.added} -${file.removed}`}`;
}

describe('the tricky repository', () => {
  let repository: TrickyRepository;
  let truth: Map<string, CommitTruth>;

  beforeAll(async () => {
    repository = await writeTrickyRepository(join(folder, 'tricky.git'), { seed: 7 });
    truth = new Map((await gitTruth(repository.gitDir)).map((commit) => [commit.id, commit]));
  });

  const commit = (name: TrickyCommit): CommitTruth => {
    const found = truth.get(repository.commits[name]);
    if (found === undefined) throw new Error(`git does not know ${name}`);
    return found;
  };

  test('is sound to git', async () => {
    expect(await fsck(repository.gitDir)).toBe('');
  });

  test('has every commit that was told, each once', () => {
    expect(truth.size).toBe(repository.commitCount);
    expect(new Set(Object.values(repository.commits))).toEqual(new Set(truth.keys()));
    // All but the two of the open branch, the one of the odd branch and the orphan.
    expect(repository.mainCount).toBe(repository.commitCount - 4);
  });

  const filesOf: readonly (readonly [TrickyCommit, readonly string[]])[] = [
    ['empty', []],
    ['edit', ['M src/app/main.ts +5 -3', 'M src/app/util.ts +0 -4']],
    ['empty-message', ['A src/message.txt +1 -0']],
    ['rename-pure', ['R docs/guide.txt -> manual/guide.txt +0 -0']],
    ['rename-edit', ['R src/app/util.ts -> src/lib/deep/tools.ts +2 -2']],
    ['rename-case', ['R README.md -> Readme.md +0 -0']],
    ['copy', ['A src/app/main-copy.ts +40 -0']],
    ['delete', ['D data/table.csv +0 -10']],
    ['symlink-add', ['A links/guide +1 -0', 'A scripts/tool.sh +4 -0']],
    ['mode-only', ['M scripts/tool.sh +0 -0']],
    ['type-change', ['T kind.txt +1 -3']],
    ['submodule-add', ['A vendor/module +1 -0']],
    ['submodule-bump', ['M vendor/module +1 -1']],
    ['file-becomes-folder', ['D thing +0 -2', 'A thing/inner.txt +1 -0']],
    ['binary-add', ['A art/image.png binary', 'A art/noise.bin binary']],
    ['binary-change', ['M art/noise.bin binary']],
    ['binary-rename', ['R art/image.png -> art/moved/picture.png binary']],
    ['binary-delete', ['D art/noise.bin binary']],
    ['text-becomes-binary', ['M src/message.txt binary']],
    ['empty-file', ['A settings/empty.txt +0 -0']],
    ['empty-file-filled', ['M settings/empty.txt +1 -0']],
    ['no-newline-edit', ['M settings/no-newline.txt +3 -2']],
    ['newline-added', ['M settings/no-newline.txt +1 -1']],
    ['crlf-to-lf', ['M settings/crlf.txt +6 -6']],
    ['lookalike-add', ['A src/lookalike.patch +15 -0']],
    ['lookalike-edit', ['M src/lookalike.patch +3 -2']],
    ['separators-add', ['A src/separators.txt +4 -0']],
    ['separators-edit', ['M src/separators.txt +2 -2']],
    ['long-line-add', ['A src/long.min.js +1 -0']],
    ['long-line-edit', ['M src/long.min.js +1 -1']],
    ['merge-clean', ['A side/a.txt +4 -0', 'A side/c.txt +2 -0']],
    ['octopus', ['A arms/a.txt +2 -0', 'A arms/b.txt +3 -0']],
    ['merge-resolved', ['M conflict.txt +6 -3', 'A only-in-merge.txt +2 -0']],
    ['merge-ours', []],
    ['merge-foxtrot', ['A overtaken.txt +2 -0']],
    ['merge-late', ['A old/one.txt +3 -0', 'A old/two.txt +2 -0']],
    ['orphan', ['A index.html +7 -0']],
  ];

  test.each(filesOf)('%s changes what it was made to change', (name, files) => {
    expect(commit(name).files.map(inShort)).toEqual(files);
  });

  test('the root lists every file as added', () => {
    const { parents, files } = commit('root');
    expect(parents).toEqual([]);
    expect(files).toHaveLength(10);
    expect(files.every((file) => file.status === 'A' && file.sourcePath === null)).toBe(true);
    expect(files.reduce((sum, file) => sum + file.added, 0)).toBe(123);
  });

  test('a change of mode alone shows in the modes', () => {
    expect(commit('mode-only').files).toEqual([
      expect.objectContaining({ sourceMode: '100644', destinationMode: '100755', added: 0, removed: 0 }),
    ]);
    expect(commit('submodule-add').files[0]?.destinationMode).toBe('160000');
    expect(commit('type-change').files[0]?.destinationMode).toBe('120000');
  });

  test('odd paths come back as they were written', () => {
    const sorted = [...oddPaths].sort();
    expect(
      commit('odd-paths-add')
        .files.map((file) => file.destinationPath)
        .sort(),
    ).toEqual(sorted);
    const edited = commit('odd-paths-edit').files;
    expect(edited.map((file) => file.sourcePath).sort()).toEqual(sorted);
    expect(edited.every((file) => file.added === 1 && file.removed === 1)).toBe(true);
    expect(commit('odd-paths-rename').files.map(inShort).sort()).toEqual([
      'R -leading-dash.txt -> -- +0 -0',
      'R odd/new\nline.txt -> odd/"new"\n{a => b}.txt +0 -0',
      'R odd/tab\there.txt -> odd b/moved\tb/there.txt +0 -0',
    ]);
    const deleted = commit('odd-paths-delete').files;
    expect(deleted).toHaveLength(oddPaths.length - 3);
    expect(deleted.every((file) => file.status === 'D' && file.removed === 10)).toBe(true);
  });

  test('merges have the parents and the order of parents that were told', () => {
    const ids = (...names: TrickyCommit[]) => names.map((name) => repository.commits[name]);
    expect(commit('merge-clean').parents).toEqual(ids('main-meanwhile', 'side-3'));
    expect(commit('octopus').parents).toEqual(ids('merge-clean', 'arm-a', 'arm-b'));
    expect(commit('merge-foxtrot').parents).toEqual(ids('foxtrot-feature', 'foxtrot-main'));
    expect(commit('merge-late').parents).toEqual(ids('merge-foxtrot', 'old-2'));
  });

  test('people, times and messages are as stored', () => {
    expect(commit('empty-message').message).toBe('');
    expect(commit('message-emoji').message).toBe('🚀👩‍💻 PAY-42 ship it 🎉');
    expect(commit('message-long').message).toMatch(/^Überschrift: 日本語.*\n\n\n$/s);
    expect(commit('no-email').author).toMatchObject({ name: 'nobody', email: '' });
    expect(commit('committed-by-another').author).toMatchObject({
      name: `Jo "J.R." O'Neil, Jr.`,
      seconds: 1_700_000_100,
    });
    expect(commit('committed-by-another').committer.name).toBe('Grace Hopper');
    expect(commit('epoch').author.seconds).toBe(0);
    expect(commit('clock-ahead').committer.seconds).toBe(4_500_000_000);
    const behind = commit('clock-behind');
    expect(behind.committer.seconds).toBeLessThan(commit('root').committer.seconds);
    expect(commit('old-2').committer.seconds).toBeLessThan(commit('rename-pure').committer.seconds);
  });

  test('branches and tags point where the facts say', async () => {
    const refs = await runGit([
      '--git-dir',
      repository.gitDir,
      'for-each-ref',
      '--format=%(refname) %(objecttype) %(if)%(*objectname)%(then)%(*objectname)%(else)%(objectname)%(end)',
    ]);
    const branches = Object.entries(repository.branches).map(([name, id]) => `refs/heads/${name} commit ${id}`);
    const tags = repository.tags.map(
      ({ name, annotated, commitId }) => `refs/tags/${name} ${annotated ? 'tag' : 'commit'} ${commitId}`,
    );
    expect(refs.trim().split('\n').sort()).toEqual([...branches, ...tags].sort());
    expect(repository.branches.main).toBe(repository.commits.head);
  });

  test('a range is the commits of that range', async () => {
    const { edit, empty, root, 'old-2': old2, 'old-1': old1 } = repository.commits;
    expect((await gitTruth(repository.gitDir, `${root}..${edit}`)).map(({ id }) => id)).toEqual([edit, empty]);
    expect((await gitTruth(repository.gitDir, [old2, `^${edit}`])).map(({ id }) => id)).toEqual([old2, old1]);
  });

  test('the same seed gives the same ids, another seed other ids of the same shape', async () => {
    const again = await writeTrickyRepository(join(folder, 'again.git'), { seed: 7 });
    expect(again.commits).toEqual(repository.commits);
    const other = await writeTrickyRepository(join(folder, 'other.git'), { seed: 8 });
    expect(other.commits.head).not.toBe(repository.commits.head);
    const shape = (commits: readonly CommitTruth[]) => commits.map(({ files }) => files.map(inShort));
    expect(shape(await gitTruth(other.gitDir))).toEqual(shape([...truth.values()]));
  });
});

describe('the synthetic repository', () => {
  const options = {
    seed: 3,
    commits: 500,
    files: 40,
    mergeEvery: 5,
    startMs: 1_600_000_000_000,
    intervalMs: 60_000,
    authors: 4,
  };

  test('has as many commits as asked for, merges among them, and is sound', async () => {
    const repository = await writeSyntheticRepository(join(folder, 'synthetic.git'), options);
    expect(await fsck(repository.gitDir)).toBe('');
    const truth = await gitTruth(repository.gitDir);
    expect(truth).toHaveLength(500);
    expect(truth[0]?.id).toBe(repository.headId);
    expect(truth.at(-1)?.files).toHaveLength(40);
    expect(truth.at(-1)?.author.seconds).toBe(1_600_000_000);

    const byId = new Map(truth.map((commit) => [commit.id, commit]));
    expect(repository.merges.length).toBeGreaterThan(50);
    expect(truth.filter(({ parents }) => parents.length > 1)).toHaveLength(repository.merges.length);
    for (const merge of repository.merges) {
      expect(byId.get(merge.id)?.parents).toEqual([merge.firstParentId, merge.sideTipId]);
      const side = await gitTruth(repository.gitDir, `${merge.baseId}..${merge.sideTipId}`);
      expect(side).toHaveLength(merge.sideCommits);
      expect(byId.get(merge.id)?.committer.seconds).toBe(merge.mergedMs / 1000);
    }
    // Nothing is ever empty, and a merge brings what its side changed.
    expect(
      truth.every(({ files }) => files.length > 0 && files.every(({ added, removed }) => added + removed > 0)),
    ).toBe(true);
  });

  test('the same seed gives the same head', async () => {
    const small = { ...options, commits: 40 };
    const [one, two] = await Promise.all([
      writeSyntheticRepository(join(folder, 'one.git'), small),
      writeSyntheticRepository(join(folder, 'two.git'), small),
    ]);
    expect(one.headId).toBe(two.headId);
    expect(one.merges).toEqual(two.merges);
  });

  test('merges can be left out', async () => {
    const linear = await writeSyntheticRepository(join(folder, 'linear.git'), {
      ...options,
      commits: 30,
      mergeEvery: 0,
    });
    expect(linear.merges).toEqual([]);
    expect((await gitTruth(linear.gitDir)).every(({ parents }) => parents.length < 2)).toBe(true);
  });
});

test('a git that fails says why', async () => {
  await expect(gitTruth(join(folder, 'nowhere.git'))).rejects.toThrow(/git .*log.* ended with 128: fatal: not a git/);
});
