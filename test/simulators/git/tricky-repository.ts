import { FastImport, type Person } from './fast-import.ts';
import { initBareRepository, runGit } from './git.ts';
import { type Random, seededRandom } from './random.ts';
import { type Entry, Story, type StoryCommit } from './story.ts';
import { changed, longLine, lookalikeLines, numberedLines, oddPaths, separatorLines, text } from './tricky-content.ts';

export type TrickyCommit =
  | 'root'
  | 'empty'
  | 'edit'
  | 'empty-message'
  | 'old-1'
  | 'old-2'
  | 'rename-pure'
  | 'rename-edit'
  | 'rename-case'
  | 'copy'
  | 'delete'
  | 'mode-only'
  | 'symlink-add'
  | 'type-change'
  | 'submodule-add'
  | 'submodule-bump'
  | 'file-becomes-folder'
  | 'binary-add'
  | 'binary-change'
  | 'binary-rename'
  | 'binary-delete'
  | 'text-becomes-binary'
  | 'empty-file'
  | 'empty-file-filled'
  | 'no-newline-edit'
  | 'newline-added'
  | 'crlf-to-lf'
  | 'lookalike-add'
  | 'lookalike-edit'
  | 'separators-add'
  | 'separators-edit'
  | 'long-line-add'
  | 'long-line-edit'
  | 'odd-paths-add'
  | 'odd-paths-edit'
  | 'odd-paths-rename'
  | 'odd-paths-delete'
  | 'message-long'
  | 'message-emoji'
  | 'message-lookalike'
  | 'committed-by-another'
  | 'no-email'
  | 'zones'
  | 'side-1'
  | 'side-2'
  | 'side-3'
  | 'main-meanwhile'
  | 'merge-clean'
  | 'arm-a'
  | 'arm-b'
  | 'octopus'
  | 'conflict-ours'
  | 'conflict-theirs'
  | 'merge-resolved'
  | 'superseded'
  | 'merge-ours'
  | 'foxtrot-feature'
  | 'foxtrot-main'
  | 'merge-foxtrot'
  | 'merge-late'
  | 'clock-behind'
  | 'clock-ahead'
  | 'epoch'
  | 'head'
  | 'open-1'
  | 'open-2'
  | 'odd-branch'
  | 'orphan';

export interface TrickyRepository {
  readonly gitDir: string;
  /** Id of each commit by its name; `TrickyCommit` says what each is there for. */
  readonly commits: Readonly<Record<TrickyCommit, string>>;
  readonly commitCount: number;
  /** Commits reachable from `main`. */
  readonly mainCount: number;
  /** Short name → id of the tip. */
  readonly branches: Readonly<Record<string, string>>;
  readonly tags: readonly { readonly name: string; readonly commitId: string; readonly annotated: boolean }[];
  /** Word in the text of every source line: where it appears outside the repository, source code has leaked. */
  readonly canary: string;
}

/** 2023-11-14T22:13:20Z; commits follow every six hours unless their name says otherwise. */
const clock = { startSeconds: 1_700_000_000, stepSeconds: 21_600 };

const ada: Person = { name: 'Ada Lovelace', email: 'ada@example.org' };
const grace: Person = { name: 'Grace Hopper', email: 'grace@example.org', zone: '-0500' };
const zoe: Person = { name: 'Zoë Ångström-日本', email: 'zoë@exämple.org', zone: '+0530' };
const quoted: Person = { name: `Jo "J.R." O'Neil, Jr.`, email: 'jr+tag@example.org', zone: '+1245' };
const anonymous: Person = { name: 'nobody', email: '', zone: '-0330' };

/** What the chapters share: the story and the lines that several commits edit. */
interface Draft {
  readonly story: Story<TrickyCommit>;
  readonly random: Random;
  readonly canary: string;
  readonly main: readonly string[];
  readonly util: readonly string[];
  readonly conflict: readonly string[];
}

/**
 * Writes a bare repository (the folder must not exist or be empty) in which everything odd happens once. The shape and
 * every count are the same for each seed; the words, the binary bytes, and so the ids, are not.
 */
export async function writeTrickyRepository(
  dir: string,
  { seed }: { readonly seed: number },
): Promise<TrickyRepository> {
  await initBareRepository(dir);
  const importer = new FastImport(dir);
  const random = seededRandom(seed);
  const canary = `canary${seed.toString(36)}source`;
  const draft: Draft = {
    story: new Story(importer, clock, ada),
    random,
    canary,
    main: numberedLines(random, canary, 'main', 40),
    util: numberedLines(random, canary, 'util', 30),
    conflict: numberedLines(random, canary, 'conflict', 5),
  };
  await tellBeginning(draft);
  await tellFiles(draft);
  await tellLines(draft);
  await tellPaths(draft);
  await tellPeople(draft);
  await tellMerges(draft);
  await tellClocks(draft);
  await tellBranches(draft);
  await nameReleases(importer, draft.story);

  const ids = await importer.finish(() => true);
  const commits = {} as Record<TrickyCommit, string>;
  for (const name of draft.story.names()) commits[name] = ids.get(draft.story.mark(name)) ?? '';
  return {
    gitDir: dir,
    commits,
    commitCount: draft.story.length,
    mainCount: Number(await runGit(['--git-dir', dir, 'rev-list', '--count', 'main'])),
    branches: Object.fromEntries(
      Object.entries(branchTips(draft.story)).map(([name, commit]) => [name, commits[commit]]),
    ),
    tags: releases.map(({ name, at, annotated }) => ({ name, annotated, commitId: commits[at] })),
    canary,
  };
}

async function tellBeginning({ story, random, canary, main, util, conflict }: Draft): Promise<void> {
  const lines = (label: string, count: number) => text(numberedLines(random, canary, label, count));
  await story.commit({
    name: 'root',
    branch: 'main',
    parents: [],
    message: 'Root commit\n\nwith several files\n',
    write: {
      'README.md': lines('readme', 5),
      'src/app/main.ts': text(main),
      'src/app/util.ts': text(util),
      'docs/guide.txt': lines('guide', 20),
      'data/table.csv': lines('row', 10),
      'settings/no-newline.txt': lines('no-newline', 2).trimEnd(),
      'settings/crlf.txt': lines('crlf', 6).replaceAll('\n', '\r\n'),
      'kind.txt': lines('kind', 3),
      thing: lines('thing', 2),
      'conflict.txt': text(conflict),
    },
  });
  await story.commit({ name: 'empty', branch: 'main', parents: ['root'] });
  const edited = [...changed(main, 1, 20, 40), ...numberedLines(random, canary, 'appended', 2)];
  await story.commit({
    name: 'edit',
    branch: 'main',
    parents: ['empty'],
    write: { 'src/app/main.ts': text(edited), 'src/app/util.ts': text(util.slice(4)) },
  });
  await story.commit({
    name: 'empty-message',
    branch: 'main',
    parents: ['edit'],
    message: '',
    write: { 'src/message.txt': lines('message', 1) },
  });
  // Forked and committed on the first day, merged on the last: a walk that stops at a date never meets these two.
  const old = { branch: 'old-feature', author: grace };
  const day = clock.startSeconds + 80_000;
  await story.commit({
    ...old,
    name: 'old-1',
    parents: ['edit'],
    committerSeconds: day,
    authorSeconds: day,
    write: { 'old/one.txt': lines('old one', 3) },
  });
  await story.commit({
    ...old,
    name: 'old-2',
    parents: ['old-1'],
    committerSeconds: day + 60,
    authorSeconds: day + 60,
    write: { 'old/two.txt': lines('old two', 2) },
  });
}

async function tellFiles(draft: Draft): Promise<void> {
  const { random, canary, main, util } = draft;
  const next = chain(draft, 'empty-message');
  await next('rename-pure', { rename: { 'docs/guide.txt': 'manual/guide.txt' } });
  await next('rename-edit', {
    remove: ['src/app/util.ts'],
    write: { 'src/lib/deep/tools.ts': text(changed(util.slice(4), 3, 9)) },
  });
  await next('rename-case', { rename: { 'README.md': 'Readme.md' } });
  await next('copy', { write: { 'src/app/main-copy.ts': text(main) } });
  await next('delete', { remove: ['data/table.csv'] });
  const script = text(numberedLines(random, canary, 'script', 4));
  await next('symlink-add', {
    write: { 'links/guide': symlink('../manual/guide.txt'), 'scripts/tool.sh': script },
  });
  await next('mode-only', { write: { 'scripts/tool.sh': { mode: '100755', content: script } } });
  await next('type-change', { write: { 'kind.txt': symlink('manual/guide.txt') } });
  await next('submodule-add', { write: { 'vendor/module': submodule('1') } });
  await next('submodule-bump', { write: { 'vendor/module': submodule('2') } });
  await next('file-becomes-folder', { remove: ['thing'], write: { 'thing/inner.txt': `${canary} inner\n` } });
  const image = Buffer.concat([Buffer.from('\x89PNG\r\n\x1a\n\0'), random.bytes(3000)]);
  await next('binary-add', { write: { 'art/image.png': file(image), 'art/noise.bin': file(binary(random)) } });
  await next('binary-change', { write: { 'art/noise.bin': file(binary(random)) } });
  await next('binary-rename', { rename: { 'art/image.png': 'art/moved/picture.png' } });
  await next('binary-delete', { remove: ['art/noise.bin'] });
  await next('text-becomes-binary', { write: { 'src/message.txt': file(binary(random)) } });
  await next('empty-file', { write: { 'settings/empty.txt': '' } });
  await next('empty-file-filled', { write: { 'settings/empty.txt': `${canary} no longer empty\n` } });
}

async function tellLines(draft: Draft): Promise<void> {
  const { random, canary } = draft;
  const next = chain(draft, 'empty-file-filled');
  const unended = text(numberedLines(random, canary, 'unended', 3)).trimEnd();
  await next('no-newline-edit', { write: { 'settings/no-newline.txt': unended } });
  await next('newline-added', { write: { 'settings/no-newline.txt': `${unended}\n` } });
  await next('crlf-to-lf', { write: { 'settings/crlf.txt': text(numberedLines(random, canary, 'lf', 6)) } });
  await next('lookalike-add', { write: { 'src/lookalike.patch': text(lookalikeLines.before) } });
  await next('lookalike-edit', { write: { 'src/lookalike.patch': text(lookalikeLines.after) } });
  await next('separators-add', { write: { 'src/separators.txt': separatorLines(1) } });
  await next('separators-edit', { write: { 'src/separators.txt': separatorLines(2) } });
  await next('long-line-add', { write: { 'src/long.min.js': longLine(canary, 'first') } });
  await next('long-line-edit', { write: { 'src/long.min.js': longLine(canary, 'second') } });
}

async function tellPaths(draft: Draft): Promise<void> {
  const next = chain(draft, 'long-line-edit');
  // Ten lines of its own in each file, so that no rename is found between them but the one that is meant.
  const bodies = oddPaths.map(
    (path, index) => [path, numberedLines(draft.random, draft.canary, `odd ${index}`, 10)] as const,
  );
  await next('odd-paths-add', { write: Object.fromEntries(bodies.map(([path, lines]) => [path, text(lines)])) });
  await next('odd-paths-edit', {
    write: Object.fromEntries(bodies.map(([path, lines]) => [path, text(changed(lines, 5))])),
  });
  const rename = {
    'odd/tab\there.txt': 'odd b/moved\tb/there.txt',
    'odd/new\nline.txt': 'odd/"new"\n{a => b}.txt',
    '-leading-dash.txt': '--',
  };
  await next('odd-paths-rename', { rename });
  await next('odd-paths-delete', { remove: oddPaths.filter((path) => !Object.hasOwn(rename, path)) });
}

async function tellPeople(draft: Draft): Promise<void> {
  const line = (label: string) => text(numberedLines(draft.random, draft.canary, label, 1));
  const next = chain(draft, 'odd-paths-delete');
  await next('message-long', {
    author: zoe,
    message: `Überschrift: 日本語 и кириллица\r\n\r\n\nBody\twith a tab\n\n${'A long paragraph. '.repeat(400)}\n\nSigned-off-by: Zoë\n\n\n`,
    write: { 'people/zoe.txt': line('zoe') },
  });
  await next('message-emoji', { message: '🚀👩‍💻 PAY-42 ship it 🎉', write: { 'people/emoji.txt': line('emoji') } });
  await next('message-lookalike', {
    message:
      'commit 0123456789abcdef0123456789abcdef01234567\nAuthor: Eve <eve@example.org>\n\n' +
      'diff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -1 +1 @@\n-old dst://x\n+new\n1\t2\tx\n:100644 100644 a b M\tx\n' +
      '\u001b[31mred\u001b[0m "quoted" \\back\\slash\n',
    write: { 'people/lookalike.txt': line('lookalike') },
  });
  await next('committed-by-another', {
    author: quoted,
    committer: grace,
    authorSeconds: clock.startSeconds + 100,
    write: { 'people/two.txt': line('two') },
  });
  await next('no-email', { author: anonymous, write: { 'people/nobody.txt': line('nobody') } });
  await next('zones', { author: zoe, committer: quoted, write: { 'people/zones.txt': line('zones') } });
}

async function tellMerges(draft: Draft): Promise<void> {
  const { story, random, canary, conflict } = draft;
  const lines = (label: string, count: number) => text(numberedLines(random, canary, label, count));
  const next = chain(draft, 'zones');
  const side = chain(draft, 'zones', 'side');
  await side('side-1', { author: grace, write: { 'side/a.txt': lines('side a', 4) } });
  await side('side-2', { author: grace, write: { 'side/b.txt': lines('side b', 3) } });
  await side('side-3', { author: zoe, remove: ['side/b.txt'], write: { 'side/c.txt': lines('side c', 2) } });
  await next('main-meanwhile', { write: { 'meanwhile.txt': lines('meanwhile', 1) } });
  await story.commit({
    name: 'merge-clean',
    branch: 'main',
    parents: ['main-meanwhile', 'side-3'],
    take: [{ tip: 'side-3', base: 'zones' }],
    message: "Merge branch 'side'\n",
  });
  await chain(draft, 'merge-clean', 'arm-a')('arm-a', { write: { 'arms/a.txt': lines('arm a', 2) } });
  await chain(draft, 'merge-clean', 'arm-b')('arm-b', { write: { 'arms/b.txt': lines('arm b', 3) } });
  await story.commit({
    name: 'octopus',
    branch: 'main',
    parents: ['merge-clean', 'arm-a', 'arm-b'],
    take: [
      { tip: 'arm-a', base: 'merge-clean' },
      { tip: 'arm-b', base: 'merge-clean' },
    ],
    message: "Merge branches 'arm-a' and 'arm-b'\n",
  });
  const theirs = text(changed(conflict, 2, 4));
  await chain(draft, 'octopus', 'theirs')('conflict-theirs', { write: { 'conflict.txt': theirs } });
  await chain(draft, 'octopus')('conflict-ours', { write: { 'conflict.txt': text(conflict.slice(0, 3)) } });
  await story.commit({
    name: 'merge-resolved',
    branch: 'main',
    parents: ['conflict-ours', 'conflict-theirs'],
    message: "Merge branch 'theirs'\n\n# Conflicts:\n#\tconflict.txt\n",
    // Neither side's file, and one that no side has.
    write: { 'conflict.txt': lines('resolved', 6), 'only-in-merge.txt': lines('evil', 2) },
  });
  await chain(draft, 'octopus', 'superseded')('superseded', { write: { 'superseded.txt': lines('superseded', 9) } });
  await story.commit({ name: 'merge-ours', branch: 'main', parents: ['merge-resolved', 'superseded'] });
  // The feature merges main and main is then moved to it: the first-parent line runs through the feature.
  await chain(draft, 'merge-ours', 'foxtrot')('foxtrot-feature', { write: { 'foxtrot.txt': lines('foxtrot', 3) } });
  await chain(draft, 'merge-ours')('foxtrot-main', { write: { 'overtaken.txt': lines('overtaken', 2) } });
  await story.commit({
    name: 'merge-foxtrot',
    branch: 'main',
    parents: ['foxtrot-feature', 'foxtrot-main'],
    take: [{ tip: 'foxtrot-main', base: 'merge-ours' }],
  });
  await story.commit({
    name: 'merge-late',
    branch: 'main',
    parents: ['merge-foxtrot', 'old-2'],
    take: [{ tip: 'old-2', base: 'edit' }],
    message: "Merge branch 'old-feature', weeks later\n",
  });
}

async function tellClocks(draft: Draft): Promise<void> {
  const line = (label: string) => text(numberedLines(draft.random, draft.canary, label, 1));
  const next = chain(draft, 'merge-late');
  const year = 365 * 86_400;
  await next('clock-behind', {
    committerSeconds: clock.startSeconds - 3 * year,
    authorSeconds: clock.startSeconds - 3 * year,
    write: { 'clock/behind.txt': line('behind') },
  });
  // Beyond 2106, so that neither a signed nor an unsigned 32-bit number holds it.
  await next('clock-ahead', {
    committerSeconds: 4_500_000_000,
    authorSeconds: 4_500_000_000,
    write: { 'clock/ahead.txt': line('ahead') },
  });
  await next('epoch', { authorSeconds: 0, write: { 'clock/epoch.txt': line('epoch') } });
  await next('head', { write: { 'Readme.md': line('readme, rewritten') } });
}

async function tellBranches(draft: Draft): Promise<void> {
  const lines = (label: string, count: number) => text(numberedLines(draft.random, draft.canary, label, count));
  const open = chain(draft, 'octopus', 'feature/open-work');
  await open('open-1', { author: zoe, write: { 'open/one.txt': lines('open one', 4) } });
  await open('open-2', { author: zoe, write: { 'open/two.txt': lines('open two', 5) } });
  const odd = chain(draft, 'merge-late', 'feature/50%+more#1&ünï');
  await odd('odd-branch', { author: grace, write: { 'odd-branch.txt': lines('odd branch', 2) } });
  await draft.story.commit({
    name: 'orphan',
    branch: 'gh-pages',
    parents: [],
    author: grace,
    write: { 'index.html': lines('page', 7) },
  });
}

const releases: readonly { readonly name: string; readonly at: TrickyCommit; readonly annotated: boolean }[] = [
  { name: 'v0.1', at: 'root', annotated: false },
  { name: 'v1.0.0', at: 'merge-clean', annotated: true },
  { name: 'v1.0.1', at: 'merge-clean', annotated: false },
  { name: 'release/2024.1', at: 'octopus', annotated: true },
  { name: 'täg-ünï+1', at: 'open-1', annotated: false },
];

/** Merged branches are still there, as on most servers. */
function branchTips(story: Story<TrickyCommit>): Record<string, TrickyCommit> {
  return { ...story.tips(), 'release/1.0': 'merge-clean' };
}

async function nameReleases(importer: FastImport, story: Story<TrickyCommit>): Promise<void> {
  await importer.reset('refs/heads/release/1.0', story.mark('merge-clean'));
  for (const { name, at, annotated } of releases) {
    const annotation = { tagger: { ...grace, seconds: clock.startSeconds }, message: `Release ${name}\n\nNotes: 🎉\n` };
    await importer.tag({ name, commit: story.mark(at), ...(annotated ? { annotation } : {}) });
  }
}

/** Tells one commit after the other on a branch, each on top of the last. */
function chain({ story }: Draft, from: TrickyCommit, branch = 'main') {
  let tip = from;
  return async (name: TrickyCommit, details: Omit<StoryCommit<TrickyCommit>, 'name' | 'branch' | 'parents'>) => {
    await story.commit({ ...details, name, branch, parents: [tip] });
    tip = name;
  };
}

function file(content: Buffer): Entry {
  return { mode: '100644', content };
}

/** Random bytes with a NUL where git looks for one. */
function binary(random: Random): Buffer {
  return Buffer.concat([Buffer.from('\0'), random.bytes(2000)]);
}

function symlink(target: string): Entry {
  return { mode: '120000', content: target };
}

function submodule(digit: string): Entry {
  return { mode: '160000', commitId: digit.repeat(40) };
}
