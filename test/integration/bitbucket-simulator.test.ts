import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import type { SimulatorOptions } from '../simulators/bitbucket/options.ts';
import { type ScratchCommit, ScratchRepository } from '../simulators/bitbucket/scratch-repository.ts';
import { type BitbucketSimulator, startBitbucketSimulator } from '../simulators/bitbucket/simulator.ts';

interface Page<T> {
  readonly size: number;
  readonly limit: number;
  readonly isLastPage: boolean;
  readonly start: number;
  readonly nextPageStart?: number;
  readonly values: readonly T[];
}
interface Named {
  readonly id: string;
}
interface PathJson {
  readonly components: readonly string[];
  readonly toString: string;
}
interface Segment {
  readonly type: string;
  readonly truncated: boolean;
  readonly lines: readonly { readonly line: string; readonly source: number; readonly destination: number }[];
}
interface DiffJson {
  readonly fromHash: string | null;
  readonly truncated: boolean;
  readonly diffs: readonly {
    readonly source: PathJson | null;
    readonly destination: PathJson | null;
    readonly binary?: boolean;
    readonly truncated: boolean;
    readonly hunks?: readonly { readonly truncated: boolean; readonly segments: readonly Segment[] }[];
  }[];
}
interface PullRequestJson {
  readonly id: number;
  readonly version: number;
  readonly title: string;
  readonly state: string;
  readonly createdDate: number;
  readonly updatedDate: number;
  readonly closedDate?: number;
  readonly fromRef: {
    readonly id: string;
    readonly latestCommit: string;
    readonly repository: { readonly id: number };
  };
  readonly toRef: { readonly latestCommit: string };
  readonly author: { readonly user: { readonly name: string } };
  readonly reviewers: readonly { readonly user: { readonly name: string }; readonly status: string }[];
  readonly participants: readonly { readonly user: { readonly name: string } }[];
  readonly properties: { readonly commentCount?: number };
}
interface ActivityJson {
  readonly id: number;
  readonly action: string;
  readonly createdDate: number;
  readonly commit?: Named;
}
interface ErrorsJson {
  readonly errors: readonly { readonly exceptionName: string }[];
}

const signedIn = `Basic ${Buffer.from('satellite:simulator').toString('base64')}`;
const ada = { name: 'ada', emailAddress: 'ada@example.com', displayName: 'Ada Lovelace', id: 3 };
const grace = { name: 'grace', emailAddress: 'grace@example.com', displayName: 'Grace Hopper', id: 4 };
const R = '/projects/PAY/repos/ledger';

let folder: string;
let repository: ScratchRepository;
let simulator: BitbucketSimulator;

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'bitbucket-simulator-'));
});
afterEach(async () => {
  await simulator?.close();
});
afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
});

let made = 0;
function scratch(defaultBranch?: string): Promise<ScratchRepository> {
  made += 1;
  return ScratchRepository.create(path.join(folder, `${made}.git`), defaultBranch);
}

/** A repository PAY/ledger with these commits, and a simulator over it. */
async function simulate(commits: readonly ScratchCommit[], options: Partial<SimulatorOptions> = {}): Promise<string[]> {
  repository = await scratch();
  const ids = commits.length === 0 ? [] : await repository.commit(...commits);
  const repositories = [{ projectKey: 'PAY', slug: 'ledger', gitDir: repository.gitDir }];
  simulator = await startBitbucketSimulator({ repositories, ...options });
  return ids;
}

function ask(resource: string, headers: Record<string, string> = {}, init: RequestInit = {}): Promise<Response> {
  const common = { accept: 'application/json', authorization: signedIn };
  const url = `${simulator.url}/rest/api/latest${resource}`;
  return fetch(url, { redirect: 'manual', headers: { ...common, ...headers }, ...init });
}

async function get<T>(resource: string): Promise<T> {
  const response = await ask(resource);
  const body = await response.text();
  if (response.status !== 200) throw new Error(`${response.status} ${body}`);
  return JSON.parse(body) as T;
}

async function refusal(resource: string, headers: Record<string, string> = {}): Promise<string> {
  const response = await ask(resource, headers);
  const { errors } = (await response.json()) as ErrorsJson;
  return `${response.status} ${errors[0]?.exceptionName.split('.').at(-1)}`;
}

async function all<T>(resource: string, limit = 1000): Promise<{ values: T[]; pages: Page<T>[] }> {
  const pages: Page<T>[] = [];
  const join = resource.includes('?') ? '&' : '?';
  for (let start: number | undefined = 0; start !== undefined; ) {
    const page: Page<T> = await get(`${resource}${join}limit=${limit}&start=${start}`);
    pages.push(page);
    start = page.isLastPage ? undefined : page.nextPageStart;
  }
  return { values: pages.flatMap((page) => page.values), pages };
}

async function idsOf(resource: string): Promise<string[]> {
  return (await all<Named>(resource)).values.map((one) => one.id);
}

const plain = async (resource: string) => (await ask(resource, { accept: 'text/plain' })).text();
const lines = (text: string) => text.split('\n').filter((line) => line !== '');

/** Main with three branches merged in; some commits share a date, as they do after a rebase. */
const history: readonly ScratchCommit[] = [
  { branch: 'main', at: 1000, files: { 'a.txt': '1\n' } },
  { branch: 'x', from: 'main', at: 2000, files: { 'x.txt': '1\n' } },
  { branch: 'x', at: 2000, files: { 'x.txt': '2\n' } },
  { branch: 'main', at: 2000, files: { 'a.txt': '2\n' } },
  { branch: 'y', from: 'main', at: 2000, author: 'Grace Hopper <grace@example.com>', files: { 'y.txt': '1\n' } },
  { branch: 'main', at: 3000, merge: ['x'], files: { 'x.txt': '2\n' }, message: "Merge branch 'x'\n\nTwo parts.\n" },
  { branch: 'y', at: 2500, merge: ['x'], files: { 'x.txt': '2\n' } },
  { branch: 'main', at: 4000, merge: ['y'], files: { 'y.txt': '1\n' }, message: "Merge branch 'y' into main" },
  { branch: 'z', from: 'main', at: 3500, files: { 'z.txt': '1\n' } },
  { branch: 'main', at: 4000, merge: ['z'], files: { 'z.txt': '1\n' }, message: 'Merge pull request #9 from org/z' },
];

describe('commits', () => {
  test('are those of git rev-list, in its order, for every pair of ends', async () => {
    const ids = await simulate(history);
    for (const until of ids) {
      for (const since of [undefined, ...ids]) {
        const range = since === undefined ? [until] : [until, `^${since}`];
        const query = since === undefined ? '' : `&since=${since}`;
        const expected = lines(await repository.git('rev-list', ...range));
        expect(await idsOf(`${R}/commits?until=${until}${query}`)).toEqual(expected);
      }
    }
  }, 30_000);

  test('are filtered by merges and by path, and counted', async () => {
    await simulate(history);
    const expected = (...args: string[]) => repository.git('rev-list', 'main', ...args).then(lines);
    expect(await idsOf(`${R}/commits?merges=include`)).toEqual(await expected());
    expect(await idsOf(`${R}/commits?merges=exclude`)).toEqual(await expected('--no-merges'));
    expect(await idsOf(`${R}/commits?merges=only`)).toEqual(await expected('--merges'));
    expect(await idsOf(`${R}/commits?path=x.txt`)).toEqual(await expected('--', 'x.txt'));
    expect(await get(`${R}/commits?withCounts=true&limit=1`)).toMatchObject({ authorCount: 2, totalCount: 10 });
  });

  test('look as Bitbucket prints them, with an account where the address is known', async () => {
    const [first = '', second = ''] = await simulate(
      [
        { branch: 'main', at: 1000, authorAt: 900, files: { a: '' }, message: 'One\n\nTwo\n' },
        { branch: 'main', at: 1001, author: 'Zoë <>', committer: 'Grace <GRACE@example.com>', files: { b: '' } },
      ],
      { users: [ada, grace] },
    );
    const page = await get<Page<object>>(`${R}/commits`);
    expect(page.values[0]).toMatchObject({
      id: second,
      displayId: second.slice(0, 11),
      author: { name: 'Zoë' },
      committer: { name: 'grace', displayName: 'Grace Hopper', id: 4, active: true, slug: 'grace', type: 'NORMAL' },
      parents: [{ id: first, displayId: first.slice(0, 11) }],
    });
    expect(page.values[0]).not.toHaveProperty('author.emailAddress');
    expect(page.values[1]).toMatchObject({
      author: { name: 'ada', emailAddress: 'ada@example.com' },
      authorTimestamp: 900_000,
      committerTimestamp: 1_000_000,
      message: 'One\n\nTwo',
      parents: [],
    });
    expect(await get(`${R}/commits/${second}`)).toMatchObject({ id: second, parents: [{ id: first, parents: [] }] });
  });

  test('can be named by id, branch, tag or short ref, and by id only in a path', async () => {
    const ids = await simulate(history);
    const [first, x] = [ids[0] ?? '', ids[2] ?? ''];
    await repository.git('tag', 'v1', x);
    await repository.git('branch', 'v1', first);
    const tip = async (name: string) => (await idsOf(`${R}/commits?until=${encodeURIComponent(name)}`))[0];
    expect(await tip('refs/heads/v1')).toBe(first);
    expect(await tip('refs/tags/v1')).toBe(x);
    expect(await tip('v1')).toBe(x);
    expect(await tip(x.slice(0, 12))).toBe(x);
    expect(await refusal(`${R}/commits?until=nowhere`)).toBe('404 NoSuchCommitException');
    expect(await refusal(`${R}/commits?since=${'0'.repeat(40)}`)).toBe('404 NoSuchCommitException');
    expect(await idsOf(`${R}/commits?ignoreMissing=true&since=${'0'.repeat(40)}`)).toHaveLength(10);
    expect(await refusal(`${R}/commits/main`)).toBe('404 NoSuchCommitException');
    expect(await refusal(`${R}/commits?until=${encodeURIComponent('--all')}`)).toBe('404 NoSuchCommitException');
  });

  test('of a branch that was forced away stay readable until git collects them', async () => {
    const ids = await simulate(history);
    const [first = '', old = ''] = [ids[0], ids.at(-1)];
    expect(await idsOf(`${R}/commits?limit=100`)).toHaveLength(10);
    for (const branch of ['x', 'y', 'z', 'main']) await repository.git('update-ref', `refs/heads/${branch}`, first);
    expect(await idsOf(`${R}/commits`)).toEqual([first]);
    expect(await idsOf(`${R}/commits?until=${first}&since=${old}`)).toEqual([]);
    expect(await idsOf(`${R}/commits?until=${old}`)).toHaveLength(10);
    await repository.git('gc', '--prune=now', '--quiet');
    expect(await refusal(`${R}/commits?until=${first}&since=${old}`)).toBe('404 NoSuchCommitException');
    expect(await idsOf(`${R}/commits`)).toEqual([first]);
  });

  test('of a push are there at once, though the history was read before', async () => {
    await simulate(history);
    const [before] = await idsOf(`${R}/commits`);
    const pushed = await repository.commit({ branch: 'main', from: 'main', at: 5000, merge: ['x'] });
    expect(await idsOf(`${R}/commits?since=${before}`)).toEqual(pushed);
  });
});

describe('paging', () => {
  const many = Array.from({ length: 130 }, (): ScratchCommit => ({ branch: 'main' }));

  test('has a default of 25, clamps without an error and says the limit it used', async () => {
    await simulate(many);
    expect(await get(`${R}/commits`)).toMatchObject({ size: 25, limit: 25, isLastPage: false, nextPageStart: 25 });
    const { values, pages } = await all<Named>(`${R}/commits`, 1000);
    expect(pages.map(({ size, limit, start, isLastPage }) => ({ size, limit, start, isLastPage }))).toEqual([
      { size: 100, limit: 100, start: 0, isLastPage: false },
      { size: 30, limit: 100, start: 100, isLastPage: true },
    ]);
    expect(pages[1]).not.toHaveProperty('nextPageStart');
    expect(new Set(values.map((one) => one.id)).size).toBe(130);
    expect(await refusal(`${R}/commits?limit=many`)).toBe('400 ArgumentValidationException');
  });

  test('can come short or empty before the end, with starts that nobody can compute', async () => {
    await simulate(many, { filteredPages: true });
    const { values, pages } = await all<Named>(`${R}/commits`, 50);
    expect(values.map((one) => one.id)).toEqual(lines(await repository.git('rev-list', 'main')));
    expect(pages.some((page) => page.size === 0 && !page.isLastPage)).toBe(true);
    expect(pages.some((page) => page.size > 0 && page.size < page.limit && !page.isLastPage)).toBe(true);
    const starts = pages
      .slice(0, -1)
      .map((page) => [page.nextPageStart, page.start + page.limit, page.start + page.size]);
    for (const [next, byLimit, bySize] of starts) expect([byLimit, bySize]).not.toContain(next);
    expect(await refusal(`${R}/commits?start=50`)).toBe('400 ArgumentValidationException');
  });
});

describe('empty and headless repositories', () => {
  test('an empty one answers each resource in its own way', async () => {
    await simulate([]);
    expect(await get(R)).toMatchObject({ slug: 'ledger', state: 'AVAILABLE' });
    expect(await get(`${R}/branches`)).toMatchObject({ size: 0, values: [], isLastPage: true });
    expect(await get(`${R}/tags`)).toMatchObject({ size: 0, isLastPage: true });
    expect(await get(`${R}/default-branch`)).toEqual({ id: 'refs/heads/main', displayId: 'main', type: 'BRANCH' });
    expect((await ask(`${R}/branches/default`)).status).toBe(204);
    expect(await refusal(`${R}/commits`)).toBe('404 NoDefaultBranchException');
    expect(await get(`${R}/pull-requests?state=ALL`)).toMatchObject({ size: 0 });
  });

  test('one whose default branch is missing lists its branches and has no default commits', async () => {
    const [id] = await simulate([{ branch: 'trunk', files: { a: '' } }]);
    const { values } = await get<Page<{ isDefault: boolean }>>(`${R}/branches`);
    expect(values.map((branch) => branch.isDefault)).toEqual([false]);
    expect(await get(`${R}/default-branch`)).toMatchObject({ id: 'refs/heads/main' });
    expect(await refusal(`${R}/branches/default`)).toBe('404 NoDefaultBranchException');
    expect(await refusal(`${R}/branches?details=true`)).toBe('404 NoDefaultBranchException');
    expect(await refusal(`${R}/commits`)).toBe('404 NoDefaultBranchException');
    expect(await idsOf(`${R}/commits?until=refs/heads/trunk`)).toEqual([id]);
    await repository.git('symbolic-ref', 'HEAD', 'refs/heads/trunk');
    expect(await idsOf(`${R}/commits`)).toEqual([id]);
  });
});

describe('branches and tags', () => {
  test('come by name or by the date of their commits', async () => {
    const ids = await simulate(history);
    const names = async (query: string) =>
      (await get<Page<{ displayId: string }>>(`${R}/branches${query}`)).values.map((branch) => branch.displayId);
    expect(await names('')).toEqual(['main', 'x', 'y', 'z']);
    expect(await names('?orderBy=MODIFICATION')).toEqual(['main', 'z', 'y', 'x']);
    expect(await get(`${R}/branches/default`)).toEqual({
      id: 'refs/heads/main',
      displayId: 'main',
      type: 'BRANCH',
      latestCommit: ids.at(-1),
      latestChangeset: ids.at(-1),
      isDefault: true,
    });
  });

  test('a tag carries the object of its annotation, peeled however deep, or null', async () => {
    const ids = await simulate(history);
    const identity = ['-c', 'user.name=Ada', '-c', 'user.email=ada@example.com'];
    await repository.git('tag', 'light', ids[0] ?? '');
    await repository.git(...identity, 'tag', '-a', '-m', 'one', 'noted', ids[1] ?? '');
    await repository.git(...identity, 'tag', '-a', '-m', 'two', 'twice', 'noted');
    await repository.git('tag', 'tree', 'main^{tree}');
    const { values } = await get<Page<object>>(`${R}/tags`);
    const tag = (name: string, commit: string | undefined, hash: string | null) => ({
      id: `refs/tags/${name}`,
      displayId: name,
      type: 'TAG',
      latestCommit: commit,
      latestChangeset: commit,
      hash,
    });
    expect(values).toEqual([
      tag('light', ids[0], null),
      tag('noted', ids[1], await repository.git('rev-parse', 'noted')),
      tag('twice', ids[1], await repository.git('rev-parse', 'twice')),
    ]);
  });
});

describe('diffs', () => {
  const awkward = ['ünï.txt', 'with space.txt', 'quo"te.txt', 'back\\slash.txt', 'dir dst:/x/y.txt', 'tab\tbed.txt'];
  const block = Array.from({ length: 40 }, (_, index) => `line ${index}\n`).join('');
  const commits: readonly ScratchCommit[] = [
    { branch: 'main', files: { ...Object.fromEntries(awkward.map((name) => [name, '1\n2\n'])), 'big.txt': block } },
    { branch: 'main', files: { ...Object.fromEntries(awkward.map((name) => [name, '1\n3\n4'])) } },
    { branch: 'main', renames: { 'big.txt': 'moved/großer name.txt' } },
    { branch: 'main', files: { 'moved/großer name.txt': block.replace('line 7\n', '-- dashes\n++ plus\n') } },
    {
      branch: 'main',
      files: { 'image.bin': Buffer.from([0, 1, 2, 0]), 'run.sh': 'x\n' },
      modes: { 'run.sh': '100755' },
    },
    { branch: 'main', files: { 'image.bin': null, 'run.sh': 'x\n' }, submodules: { lib: 'ab'.repeat(20) } },
    { branch: 'side', from: 'main', files: { 'side.txt': 's\n' } },
    { branch: 'main', files: { 'main.txt': 'm\n' } },
    { branch: 'main', merge: ['side'], files: { 'side.txt': 's\n' } },
  ];

  test('as plain text are what git writes, with the prefixes of Bitbucket, against the first parent', async () => {
    const ids = await simulate(commits);
    await repository.git('config', 'core.quotePath', 'false');
    for (const [index, id] of ids.entries()) {
      const base = index === 0 ? '4b825dc642cb6eb9a060e54bf8d69288fbee4904' : `${id}^1`;
      const format = ['-p', '-U0', '-M', '--src-prefix=src://', '--dst-prefix=dst://'];
      const expected = await repository.git('-c', 'core.quotePath=true', 'diff-tree', '-r', ...format, base, id);
      expect((await plain(`${R}/diff?until=${id}&contextLines=0`)).trimEnd()).toBe(expected.trimEnd());
    }
    const merge = ids.at(-1);
    expect(await plain(`${R}/diff?until=${merge}&since=${ids[6]}&contextLines=0`)).toContain('dst://main.txt');
    expect((await ask(`${R}/diff?until=${merge}`, { accept: 'text/plain' })).headers.get('content-type')).toMatch(
      'text/plain',
    );
    expect(await refusal(`${R}/diff?until=${'1'.repeat(40)}`)).toBe('404 NoSuchCommitException');
    expect(await refusal(`${R}/diff`)).toBe('400 ArgumentValidationException');
    expect(await plain(`${R}/commits/${ids[3]}/diff?contextLines=0`)).toContain('\n line 8\n');
  });

  test('as JSON have the paths and the counts of git', async () => {
    const ids = await simulate(commits);
    for (const id of ids) {
      const diff = await get<DiffJson>(`${R}/commits/${id}/diff?contextLines=0&withComments=false`);
      const counted = diff.diffs.map((one) => {
        const sum = (type: string) =>
          (one.hunks ?? []).flatMap((hunk) => hunk.segments.filter((segment) => segment.type === type));
        const count = (type: string) => sum(type).reduce((total, segment) => total + segment.lines.length, 0);
        const pathOf = (side: PathJson | null) => side?.toString ?? null;
        const counts = one.binary ? ['-', '-'] : [String(count('ADDED')), String(count('REMOVED'))];
        return [...counts, pathOf(one.source), pathOf(one.destination)];
      });
      expect(counted).toEqual(await numstat(id));
      expect(diff.truncated).toBe(false);
    }
    const [first] = (await get<DiffJson>(`${R}/commits/${ids[3]}/diff?contextLines=1`)).diffs;
    expect(first?.destination?.components).toEqual(['moved', 'großer name.txt']);
    expect(first?.hunks?.[0]?.segments).toEqual([
      { type: 'CONTEXT', truncated: false, lines: [{ source: 7, destination: 7, line: 'line 6', truncated: false }] },
      { type: 'REMOVED', truncated: false, lines: [{ source: 8, destination: 8, line: 'line 7', truncated: false }] },
      {
        type: 'ADDED',
        truncated: false,
        lines: [
          { source: 9, destination: 8, line: '-- dashes', truncated: false },
          { source: 9, destination: 9, line: '++ plus', truncated: false },
        ],
      },
      { type: 'CONTEXT', truncated: false, lines: [{ source: 9, destination: 10, line: 'line 8', truncated: false }] },
    ]);
  });

  /** added, removed, source, destination as `git diff-tree` has them, first parent, renames found. */
  async function numstat(id: string): Promise<(string | null)[][]> {
    const trees = (await repository.git('rev-list', '--parents', '-1', id)).split(' ').slice(0, 2).reverse();
    const base = trees.length === 2 ? trees : ['4b825dc642cb6eb9a060e54bf8d69288fbee4904', id];
    const args = ['diff-tree', '-r', '-M', '-z', '--numstat', ...base];
    const counts = (await repository.git(...args)).split('\0').filter((field) => /^[-\d]+\t[-\d]+\t/.test(field));
    const raw = (await repository.git('diff-tree', '-r', '-M', '-z', '--name-status', ...base)).split('\0');
    return counts.map((count) => {
      const [added = '', removed = ''] = count.split('\t');
      const status = raw.shift() ?? '';
      const source = status === 'A' ? null : (raw.shift() ?? '');
      const destination = status === 'D' ? null : status === 'M' ? source : (raw.shift() ?? '');
      return [added, removed, source, destination];
    });
  }

  test('as JSON are cut at the line cap, flagged at every level, and plain text is not', async () => {
    const files = { 'a.txt': 'a\n'.repeat(30), 'b.txt': 'b\n'.repeat(30), 'c.txt': 'c\n' };
    const [id] = await simulate([{ branch: 'main', files }], { caps: { diffLines: 40 } });
    const diff = await get<DiffJson>(`${R}/commits/${id}/diff`);
    expect(diff).toMatchObject({ truncated: true, fromHash: null });
    expect(diff.diffs.map((one) => one.truncated)).toEqual([false, true]);
    const [hunk] = diff.diffs[1]?.hunks ?? [];
    expect(hunk?.truncated).toBe(true);
    expect(hunk?.segments.map((segment) => [segment.truncated, segment.lines.length])).toEqual([[true, 10]]);
    expect(
      lines(await plain(`${R}/diff?until=${id}&contextLines=0`)).filter((line) => /^\+[abc]$/.test(line)),
    ).toHaveLength(61);
    await simulator.close();
    const [again] = await simulate([{ branch: 'main', files }], { caps: { diffLines: 30 } });
    const cut = await get<DiffJson>(`${R}/commits/${again}/diff`);
    expect([cut.truncated, cut.diffs.map((one) => one.truncated)]).toEqual([true, [false]]);
  });

  test('list their changes with types, modes and renames', async () => {
    const ids = await simulate(commits);
    const changes = async (id = '') => (await get<Page<object>>(`${R}/commits/${id}/changes`)).values;
    expect(await changes(ids[0])).toHaveLength(7);
    expect(await changes(ids[2])).toMatchObject([
      {
        type: 'MOVE',
        percentUnchanged: 100,
        path: { name: 'großer name.txt', parent: 'moved', extension: 'txt' },
        srcPath: { toString: 'big.txt' },
      },
    ]);
    expect(await changes(ids[4])).toMatchObject([
      { type: 'ADD', executable: false },
      { type: 'ADD', executable: true },
    ]);
    expect(await changes(ids[5])).toMatchObject([
      { type: 'DELETE', path: { toString: 'image.bin' } },
      { type: 'ADD', nodeType: 'SUBMODULE', path: { toString: 'lib', components: ['lib'], parent: '' } },
      { type: 'MODIFY', srcExecutable: true, executable: false },
    ]);
    expect(await get(`${R}/commits/${ids[8]}/changes?since=${ids[6]}`)).toMatchObject({ size: 1, fromHash: ids[6] });
    expect(await get(`${R}/changes?until=${ids[8]}&since=${ids[4]}`)).toMatchObject({ size: 5 });
  });

  test('have a hard cap of 1000 changes, behind which nothing can be paged to', async () => {
    const files = Object.fromEntries(Array.from({ length: 1005 }, (_, index) => [`f${index}`, '']));
    const [id] = await simulate([{ branch: 'main', files }]);
    const { values } = await all<object>(`${R}/commits/${id}/changes`, 5000);
    expect(values).toHaveLength(1000);
    expect(await get(`${R}/commits/${id}/changes?limit=5000`)).toMatchObject({
      size: 1000,
      limit: 1000,
      isLastPage: false,
    });
  });

  test('between revisions are no route of an old server', async () => {
    const [id] = await simulate([{ branch: 'main', files: { a: '1\n' } }], { rawDiff: false });
    const response = await ask(`${R}/diff?until=${id}`, { accept: 'text/plain' });
    expect([response.status, await response.text()]).toEqual([
      404,
      expect.stringContaining('<status-code>404</status-code>'),
    ]);
    expect(await get(`${R}/commits/${id}/diff`)).toMatchObject({ truncated: false });
  });

  test('end with the client that asked for them, and no more than six run at a time', async () => {
    const [id] = await simulate([{ branch: 'main', files: { big: 'some line of text\n'.repeat(1_500_000) } }]);
    await get(`${R}/branches`);
    const leaving = new AbortController();
    let streaming = 0;
    const running = Array.from({ length: 9 }, async () => {
      const response = await ask(`${R}/diff?until=${id}`, { accept: 'text/plain' }, { signal: leaving.signal });
      await response.body?.getReader().read();
      streaming += 1;
    });
    while (streaming < 6) await delay(20);
    await delay(100);
    expect(await gitChildren()).toBe(6);
    leaving.abort();
    await Promise.allSettled(running);
    await delay(300);
    expect(await gitChildren()).toBe(0);
    expect(simulator.requests.maxInFlight).toBe(9);
  });

  async function gitChildren(): Promise<number> {
    const { stdout } = await promisify(execFile)('ps', ['-A', '-o', 'ppid=,comm=']);
    return lines(stdout).filter((line) => new RegExp(`^\\s*${process.pid} git`).test(line)).length;
  }
});

describe('projects and repositories', () => {
  async function simulateMany(options: Partial<SimulatorOptions> = {}): Promise<void> {
    repository = await scratch();
    const { gitDir } = repository;
    await repository.commit({ branch: 'main', files: { a: '' } });
    simulator = await startBitbucketSimulator({
      contextPath: '/bitbucket',
      repositories: [
        { projectKey: 'PAY', slug: 'ledger', gitDir, projectName: 'Payments', name: 'The Ledger' },
        { projectKey: 'PAY', slug: 'attic', gitDir, archived: true },
        { projectKey: '~jdoe', slug: 'c#.+%x', gitDir, originOf: { projectKey: 'PAY', slug: 'ledger' }, public: true },
      ],
      ...options,
    });
  }
  const slugs = async (resource: string) => (await all<{ slug: string }>(resource)).values.map((one) => one.slug);

  test('archived ones are hidden from /repos until asked for, and never from their project', async () => {
    await simulateMany();
    expect(await slugs('/repos')).toEqual(['ledger', 'c#.+%x']);
    expect(await slugs('/repos?archived=ALL')).toEqual(['ledger', 'attic', 'c#.+%x']);
    expect(await slugs('/repos?archived=archived')).toEqual(['attic']);
    expect(await slugs('/repos?archived=ALL&projectkey=pay&state=AVAILABLE')).toEqual(['ledger', 'attic']);
    expect(await slugs('/projects/PAY/repos')).toEqual(['ledger', 'attic']);
    expect(await get('/projects')).toMatchObject({
      values: [
        { key: 'PAY', name: 'Payments' },
        { key: '~JDOE', type: 'PERSONAL' },
      ],
    });
  });

  test('before 8.0 there is no archive', async () => {
    await simulateMany({ version: '7.17.2' });
    expect(await slugs('/repos')).toEqual(['ledger', 'attic', 'c#.+%x']);
    expect(await get('/projects/PAY/repos/attic')).not.toHaveProperty('archived');
  });

  test('keys and slugs are case-insensitive, encoded in paths, the same in both API versions', async () => {
    await simulateMany();
    const personal = await get<{ id: number }>('/projects/~JDOE/repos/c%23.%2B%25x');
    expect(personal).toMatchObject({
      project: { key: '~JDOE', owner: { slug: 'jdoe' } },
      public: true,
      origin: { slug: 'ledger' },
      links: { self: [{ href: `${simulator.url}/users/jdoe/repos/c%23.%2B%25x/browse` }] },
    });
    const ledger = await get<{ hierarchyId: string }>('/projects/pay/repos/LEDGER');
    expect(ledger).toMatchObject({ slug: 'ledger', name: 'The Ledger', hierarchyId: expect.any(String) });
    expect(personal).toHaveProperty('hierarchyId', ledger.hierarchyId);
    expect(await slugs('/projects/PAY/repos/ledger/forks')).toEqual(['c#.+%x']);
    const old = await fetch(`${simulator.url}/rest/api/1.0/projects/PAY/repos/ledger`, {
      headers: { authorization: signedIn },
    });
    expect(await old.json()).toEqual(ledger);
    expect(await refusal('/projects/NOPE/repos/x')).toBe('404 NoSuchProjectException');
    expect(await refusal('/projects/PAY/repos/x/branches')).toBe('404 NoSuchRepositoryException');
    expect(simulator.url).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/bitbucket$/);
  });

  test('a renamed one answers 307 with its new url and keeps its id', async () => {
    await simulateMany();
    simulator.renameRepository('PAY', 'ledger', 'FIN', 'books');
    const moved = await ask('/projects/pay/repos/ledger/commits?limit=1');
    expect(moved.status).toBe(307);
    expect(moved.headers.get('location')).toBe(
      `${simulator.url}/rest/api/latest/projects/FIN/repos/books/commits?limit=1`,
    );
    const followed = await ask('/projects/PAY/repos/ledger', {}, { redirect: 'follow' });
    expect(await followed.json()).toMatchObject({ id: 1, slug: 'books', project: { key: 'FIN' } });
    expect(await slugs('/projects/FIN/repos')).toEqual(['books']);
  });

  test('one can be refused in three ways while the others go on', async () => {
    await simulateMany();
    const kinds = {
      permission401: '401 AuthorisationException',
      scope403: '403 AuthorisationException',
      gone404: '404 NoSuchRepositoryException',
    } as const;
    for (const kind of ['permission401', 'scope403', 'gone404'] as const) {
      const restore = simulator.refuseRepository('PAY', 'ledger', kind);
      expect(await refusal('/projects/PAY/repos/ledger/branches')).toBe(kinds[kind]);
      expect(await slugs('/repos')).toContain('ledger');
      expect(await get('/projects/PAY/repos/attic/branches')).toMatchObject({ size: 1 });
      restore();
      expect(await get('/projects/PAY/repos/ledger/branches')).toMatchObject({ size: 1 });
    }
    simulator.refuseRepository('PAY', 'ledger', 'gone404', { listed: false });
    expect(await slugs('/repos')).not.toContain('ledger');
  });
});

describe('derived pull requests', () => {
  test('tell every merge on the first-parent line, in order of date', async () => {
    const ids = await simulate(history, { users: [ada, grace] });
    const { values } = await all<PullRequestJson>(`${R}/pull-requests?state=all&order=oldest`);
    expect(values.map(({ id, state, fromRef, author }) => [id, state, fromRef.id, author.user.name])).toEqual([
      [1, 'MERGED', 'refs/heads/x', 'ada'],
      [2, 'MERGED', 'refs/heads/y', 'ada'],
      [3, 'MERGED', 'refs/heads/z', 'ada'],
    ]);
    for (const pullRequest of values) {
      const { id, createdDate, updatedDate, closedDate, fromRef } = pullRequest;
      const activities = (await get<Page<ActivityJson>>(`${R}/pull-requests/${id}/activities`)).values;
      const merge = activities[0]?.commit?.id ?? '';
      const side = lines(await repository.git('rev-list', `${merge}^1..${merge}^2`));
      expect(await idsOf(`${R}/pull-requests/${id}/commits`)).toEqual(side);
      expect(fromRef.latestCommit).toBe(await repository.git('rev-parse', `${merge}^2`));
      const dates = lines(await repository.git('log', '--format=%ct', `${merge}^1..${merge}^2`)).map(Number);
      expect(createdDate).toBe(Math.min(...dates) * 1000);
      expect([updatedDate, closedDate]).toEqual(
        Array(2).fill(Number(await repository.git('log', '-1', '--format=%ct', merge)) * 1000),
      );
      expect([activities[0]?.action, activities.at(-1)?.action]).toEqual(['MERGED', 'OPENED']);
      expect(activities[0]?.createdDate).toBe(updatedDate);
    }
    expect(ids).toContain(values[0]?.fromRef.latestCommit);
    expect(await get(`${R}/pull-requests`)).toMatchObject({ size: 0 });
    const pushed = await repository.commit(
      { branch: 'q', from: 'main' },
      { branch: 'main', merge: ['q'], at: 1_800_000_000 },
    );
    expect(await get(`${R}/pull-requests/4`)).toMatchObject({ state: 'MERGED', fromRef: { latestCommit: pushed[0] } });
  });

  test('are approved by someone else, the same in every run, and can be left out', async () => {
    const approvals = async () => {
      const { values } = await all<PullRequestJson>(`${R}/pull-requests?state=ALL`);
      return values.map(({ reviewers }) => reviewers.map(({ user, status }) => `${user.name} ${status}`).join());
    };
    await simulate(history, { users: [ada, grace] });
    const first = await approvals();
    expect(new Set(first.join().split(',').filter(Boolean))).toEqual(new Set(['grace APPROVED']));
    await simulator.close();
    await simulate(history, { users: [ada, grace] });
    expect(await approvals()).toEqual(first);
    await simulator.close();
    await simulate(history, { derivePullRequests: false });
    expect(await approvals()).toEqual([]);
  });
});

describe('played pull requests', () => {
  const base: readonly ScratchCommit[] = [
    { branch: 'main', files: { 'a.txt': 'one\ntwo\n' } },
    { branch: 'topic', from: 'main', files: { 'a.txt': 'one\nsecret line\n' } },
  ];
  let clock: number;
  const now = () => {
    clock += 1000;
    return clock;
  };

  async function opened(options: Partial<SimulatorOptions> = {}): Promise<string[]> {
    clock = 1_800_000_000_123;
    const ids = await simulate(base, { now, users: [ada, grace], ...options });
    const play = simulator.pullRequests('PAY', 'ledger');
    expect(await play.open({ from: 'topic', title: 'Topic', author: 'ada', reviewers: ['grace'] })).toBe(1);
    return ids;
  }
  const one = (id = 1) => get<PullRequestJson>(`${R}/pull-requests/${id}`);
  const activities = (id = 1) => all<ActivityJson>(`${R}/pull-requests/${id}/activities`).then(({ values }) => values);

  test('keep version and updatedDate through comments, replies, reviews and reviewers', async () => {
    await opened();
    const play = simulator.pullRequests('PAY', 'ledger');
    const before = await one();
    expect(before).toMatchObject({ version: 0, state: 'OPEN', createdDate: 1_800_000_001_123 });
    expect(before.properties).not.toHaveProperty('commentCount');
    const comment = await play.comment(1, 'linus', 'first comment');
    await play.review(1, 'grace', 'NEEDS_WORK');
    await play.review(1, 'grace', 'APPROVED');
    await play.review(1, 'grace', 'UNAPPROVED');
    await play.addReviewer(1, 'alan');
    const quiet = await one();
    const reply = await play.reply(1, comment, 'linus', 'a reply');
    await play.reply(1, reply, 'ada', 'a reply to the reply');
    expect(await one()).toEqual(quiet);
    expect(quiet).toMatchObject({
      version: before.version,
      updatedDate: before.updatedDate,
      properties: { commentCount: 1 },
    });
    expect(quiet.reviewers.map(({ user, status }) => `${user.name} ${status}`)).toEqual([
      'grace UNAPPROVED',
      'alan UNAPPROVED',
    ]);
    expect(quiet.participants.map(({ user }) => user.name)).toEqual(['linus']);
    expect((await activities()).map(({ action }) => action)).toEqual([
      'UPDATED',
      'UNAPPROVED',
      'APPROVED',
      'REVIEWED',
      'COMMENTED',
      'OPENED',
    ]);
    expect((await activities())[4]).toMatchObject({
      commentAction: 'ADDED',
      comment: {
        id: comment,
        text: 'first comment',
        comments: [{ text: 'a reply', comments: [{ text: 'a reply to the reply' }] }],
      },
    });
  });

  test('move version and updatedDate on an edit, a push, a decline and a reopening', async () => {
    const [, tip] = await opened();
    const play = simulator.pullRequests('PAY', 'ledger');
    await play.editTitle(1, 'Better topic');
    expect(await one()).toMatchObject({ version: 1, title: 'Better topic', updatedDate: clock });
    const [pushed] = await repository.commit({ branch: 'topic', files: { 'b.txt': 'b\n' } });
    expect(await one()).toMatchObject({ version: 1, fromRef: { latestCommit: tip } });
    await play.push(1);
    expect(await one()).toMatchObject({ version: 2, updatedDate: clock, fromRef: { latestCommit: pushed } });
    expect((await activities())[0]).toMatchObject({
      action: 'RESCOPED',
      fromHash: pushed,
      previousFromHash: tip,
      added: { total: 1, commits: [{ id: pushed }] },
      removed: { total: 0, commits: [] },
    });
    await play.decline(1);
    expect(await one()).toMatchObject({
      version: 3,
      state: 'DECLINED',
      open: false,
      closedDate: clock,
      updatedDate: clock,
    });
    await play.reopen(1, 'grace');
    expect(await one()).toMatchObject({ version: 4, state: 'OPEN', updatedDate: clock });
    expect(await one()).not.toHaveProperty('closedDate');
  });

  test('merge with a real commit, and keep commits and tips as they were', async () => {
    const [first, tip] = await opened();
    const play = simulator.pullRequests('PAY', 'ledger');
    const merge = (await play.merge(1, 'grace')) ?? '';
    expect(await repository.git('rev-parse', 'main', `${merge}^1`, `${merge}^2`)).toBe([merge, first, tip].join('\n'));
    expect(await repository.git('show', 'main:a.txt')).toBe('one\nsecret line');
    expect(await one()).toMatchObject({
      state: 'MERGED',
      updatedDate: clock,
      closedDate: clock,
      toRef: { latestCommit: first },
    });
    expect((await activities())[0]).toMatchObject({
      action: 'MERGED',
      commit: { id: merge, parents: [{ id: first }, { id: tip }] },
    });
    expect(await idsOf(`${R}/pull-requests/1/commits`)).toEqual([tip]);
    // Not told a second time as a derived one.
    expect(await all(`${R}/pull-requests?state=ALL`)).toMatchObject({ values: [{ id: 1 }] });
    await expect(play.decline(1)).rejects.toThrow('MERGED');
  });

  test('merge into a branch that is checked out without undoing it at the next commit', async () => {
    const identity = ['-c', 'user.name=Ada', '-c', 'user.email=ada@example.com'];
    const copy = path.join(folder, 'working copy');
    const git = async (...args: string[]) => promisify(execFile)('git', ['-C', copy, ...identity, ...args]);
    await simulate(base);
    await promisify(execFile)('git', ['clone', '--quiet', repository.gitDir, copy]);
    await git('branch', 'topic', 'origin/topic');
    const repositories = [{ projectKey: 'PAY', slug: 'ledger', gitDir: copy }];
    await simulator.close();
    simulator = await startBitbucketSimulator({ repositories });
    const play = simulator.pullRequests('PAY', 'ledger');
    const merge = await play.merge(await play.open({ from: 'topic', title: 'Topic', author: 'ada' }), 'ada');
    await git('commit', '--quiet', '--allow-empty', '--all', '-m', 'Next');
    expect((await idsOf(`${R}/commits`))[1]).toBe(merge);
    expect((await git('show', 'HEAD:a.txt')).stdout).toBe('one\nsecret line\n');
  });

  test('merged by a push carry no commit and are not told twice', async () => {
    await opened();
    await repository.commit({ branch: 'main', merge: ['topic'], files: { 'a.txt': 'one\nsecret line\n' } });
    expect(await all(`${R}/pull-requests?state=ALL`)).toMatchObject({ values: [{ id: 1, state: 'OPEN' }] });
    await simulator.pullRequests('PAY', 'ledger').merge(1, 'grace', { remotely: true });
    expect(await all(`${R}/pull-requests?state=ALL`)).toMatchObject({ values: [{ id: 1, state: 'MERGED' }] });
    expect((await activities())[0]).toMatchObject({ action: 'MERGED' });
    expect((await activities())[0]).not.toHaveProperty('commit');
  });

  test('carry source lines in an inline comment, as real ones do', async () => {
    const [first, tip] = await opened();
    const play = simulator.pullRequests('PAY', 'ledger');
    await play.comment(1, 'grace', 'why?', { inline: { path: 'a.txt', line: 2 } });
    const [activity] = await activities();
    expect(activity).toMatchObject({
      commentAnchor: {
        fromHash: first,
        toHash: tip,
        path: 'a.txt',
        line: 2,
        lineType: 'ADDED',
        fileType: 'TO',
        diffType: 'EFFECTIVE',
        orphaned: false,
      },
      diff: {
        source: { toString: 'a.txt' },
        hunks: [{ segments: [{ type: 'CONTEXT' }, { type: 'REMOVED' }, { type: 'ADDED' }] }],
      },
    });
    expect(JSON.stringify(activity)).toContain('secret line');
    await expect(play.comment(1, 'grace', 'where?', { inline: { path: 'a.txt', line: 9 } })).rejects.toThrow('not in');
    expect(await plain(`${R}/pull-requests/1.diff?contextLines=0`)).toContain('+secret line');
    expect(await get(`${R}/pull-requests/1/changes?start=5`)).toMatchObject({ size: 1, start: 0, isLastPage: true });
  });

  test('have at most 500 activities a page, newest first', async () => {
    await opened();
    const play = simulator.pullRequests('PAY', 'ledger');
    for (let count = 0; count < 520; count += 1) await play.comment(1, 'grace', `comment ${count}`);
    expect(await get(`${R}/pull-requests/1/activities?limit=1000`)).toMatchObject({
      limit: 500,
      size: 500,
      nextPageStart: 500,
    });
    const found = await activities();
    expect(found).toHaveLength(521);
    expect(found.map(({ createdDate }) => createdDate)).toEqual(
      found.map(({ createdDate }) => createdDate).sort((a, b) => b - a),
    );
    expect(new Set(found.map(({ id }) => id)).size).toBe(521);
    expect((await one()).properties.commentCount).toBe(520);
  });

  test.each([
    ['created', [2, 1]],
    ['updated', [1, 2]],
  ] as const)('are listed as NEWEST by when they were %s', async (pullRequestOrder, expected) => {
    await opened({ pullRequestOrder });
    const play = simulator.pullRequests('PAY', 'ledger');
    await play.open({ from: 'refs/heads/topic', title: 'Second', author: 'grace', at: clock + 1 });
    await play.editTitle(1, 'Edited');
    const order = async (query: string) =>
      (await get<Page<PullRequestJson>>(`${R}/pull-requests?${query}`)).values.map(({ id }) => id);
    expect(await order('order=NEWEST')).toEqual(expected);
    expect(await order('state=open&order=oldest')).toEqual([...expected].reverse());
    expect(await order('state=MERGED')).toEqual([]);
  });

  test('leave a gap when deleted, and may come from a fork', async () => {
    const fork = await scratch();
    repository = await scratch();
    const [tip = ''] = await fork.commit({ branch: 'topic', files: { f: 'f\n' } });
    await repository.commit({ branch: 'main', files: { a: 'a\n' } });
    simulator = await startBitbucketSimulator({
      repositories: [
        { projectKey: 'PAY', slug: 'ledger', gitDir: repository.gitDir },
        { projectKey: '~ada', slug: 'ledger', gitDir: fork.gitDir, originOf: { projectKey: 'PAY', slug: 'ledger' } },
      ],
    });
    const play = simulator.pullRequests('pay', 'ledger');
    const open = () =>
      play.open({ from: 'topic', fork: { projectKey: '~ada', slug: 'ledger' }, title: 'T', author: 'ada' });
    await open();
    await play.delete(1);
    expect(await refusal(`${R}/pull-requests/1`)).toBe('404 NoSuchPullRequestException');
    expect(await open()).toBe(2);
    expect(await one(2)).toMatchObject({ fromRef: { latestCommit: tip, repository: { id: 2, slug: 'ledger' } } });
    expect(await idsOf(`${R}/pull-requests/2/commits`)).toEqual([tip]);
    expect(await idsOf(`${R}/branches`)).toEqual(['refs/heads/main']);
    expect(await get('/projects/~ADA/repos/ledger/pull-requests?direction=OUTGOING')).toMatchObject({
      values: [{ id: 2 }],
    });
  });
});

describe('the server', () => {
  const basic = (user: string, password: string) => ({
    authorization: `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`,
  });

  test('says who is asking, never offers a conditional request, and tells its version to anyone', async () => {
    await simulate(history, { users: [{ ...ada, name: 'satellite' }], version: '8.19.2' });
    const { headers } = await ask(`${R}/commits`);
    expect([headers.get('x-ausername'), headers.get('x-auserid')]).toEqual(['satellite', '3']);
    expect(headers.get('x-arequestid')).toBeTruthy();
    expect([headers.get('etag'), headers.get('last-modified')]).toEqual([null, null]);
    const anonymous = await fetch(`${simulator.url}/rest/api/1.0/application-properties`);
    expect(await anonymous.json()).toMatchObject({ version: '8.19.2', displayName: 'Bitbucket' });
    expect(anonymous.headers.has('x-ausername')).toBe(false);
    expect(await (await fetch(`${simulator.url}/status`)).json()).toEqual({ state: 'RUNNING' });
  });

  test('refuses the anonymous, the wrong password, and after five of them even the right one', async () => {
    await simulate(history);
    const response = await fetch(`${simulator.url}/rest/api/latest/repos`);
    expect([response.status, await response.text()]).toEqual([
      401,
      expect.stringContaining('AuthenticationRequiredException'),
    ]);
    for (let count = 0; count < 5; count += 1) {
      expect(await refusal('/repos', basic('satellite', 'wrong'))).toBe('401 IncorrectPasswordAuthenticationException');
    }
    expect(await refusal('/repos')).toBe('403 CaptchaRequiredAuthenticationException');
    expect((await ask('/repos')).headers.get('x-authentication-denied-reason')).toMatch(
      'CAPTCHA_CHALLENGE; login-url=http',
    );
  });

  test("takes tokens: a user's as bearer or password, a project's as bearer only and without a name", async () => {
    const credentials = [
      { kind: 'bearer', token: 'user-token', username: 'ada' },
      { kind: 'bearer', token: 'project-token' },
    ] as const;
    await simulate(history, { credentials });
    const name = async (headers: Record<string, string>) => {
      const response = await ask('/repos', headers);
      return [response.status, response.headers.get('x-ausername')];
    };
    expect(await name({ authorization: 'Bearer user-token' })).toEqual([200, 'ada']);
    expect(await name(basic('ada', 'user-token'))).toEqual([200, 'ada']);
    expect(await name({ authorization: 'Bearer project-token' })).toEqual([200, null]);
    expect(await refusal('/repos', { authorization: 'Bearer revoked' })).toBe(
      '401 IncorrectPasswordAuthenticationException',
    );
  });

  test('answers what it does not know without errors[], as JSON or XML, and 405 and 406', async () => {
    await simulate(history);
    const unknown = await ask('/definitely/not');
    expect([unknown.status, await unknown.json()]).toEqual([
      404,
      { message: 'HTTP 404 Not Found', 'status-code': 404, 'sub-code': -1 },
    ]);
    expect(await plain('/definitely/not')).toMatch(/^<\?xml .*<status>/);
    expect((await ask('/repos', {}, { method: 'POST' })).status).toBe(405);
    const unacceptable = await ask('/repos', { accept: 'text/plain' });
    expect([unacceptable.status, await unacceptable.text()]).toEqual([406, '']);
    expect((await fetch(`${simulator.url}/elsewhere`, { headers: { authorization: signedIn } })).status).toBe(404);
    expect((await ask('/projects/PAY/repos/led%2Fger')).status).toBe(400);
    await simulator.close();
    await simulate(history, { unknownRoute: 'xml' });
    expect((await ask('/definitely/not')).headers.get('content-type')).toMatch('xml');
  });

  test('limits each user by a bucket of requests', async () => {
    await simulate(history, { rateLimit: { capacity: 3, refillPerSecond: 4, retryAfter: true } });
    const own = await get('/admin/rate-limit/settings/users/satellite');
    expect(own).toMatchObject({ user: { name: 'satellite' }, settings: { capacity: 3, fillRate: 4 } });
    expect(await refusal('/admin/rate-limit/settings/users/ada')).toBe('401 AuthorisationException');
    expect((await ask('/repos')).status).toBe(200);
    const limited = await ask('/repos');
    expect([limited.status, limited.headers.get('retry-after')]).toEqual([429, '1']);
    expect(await limited.text()).toMatch('<html>');
    await delay(400);
    expect((await ask('/repos')).status).toBe(200);
    await simulator.close();
    await simulate(history);
    expect(await refusal('/admin/rate-limit/settings/users/satellite')).toBe('404 NoSuchEntityException');
  });

  test('keeps a log of requests that can be cleared', async () => {
    await simulate(history, { latencyMs: 60 });
    const began = performance.now();
    await Promise.all([ask('/repos'), ask('/projects'), ask(`${R}/commits?limit=1`)]);
    expect(performance.now() - began).toBeGreaterThanOrEqual(55);
    await ask('/nothing');
    const { requests } = simulator;
    expect([requests.total, requests.maxInFlight, requests.count('commits'), requests.count('tags')]).toEqual([
      4, 3, 1, 0,
    ]);
    expect(requests.counts).toEqual({ repos: 1, projects: 1, commits: 1, unknown: 1 });
    expect(requests.list).toContainEqual({
      method: 'GET',
      resource: 'commits',
      path: `/rest/api/latest${R}/commits`,
      query: 'limit=1',
      isAnonymous: false,
      status: 200,
      atMs: expect.any(Number),
    });
    simulator.resetRequests();
    expect([requests.total, requests.list, requests.counts]).toEqual([0, [], {}]);
  });
});

describe('faults', () => {
  const reason = async (answer: Promise<Response>) => {
    try {
      await (await answer).text();
      return 'none';
    } catch (error) {
      const { cause } = error as { cause?: { code?: string } };
      return cause?.code ?? String(error);
    }
  };

  test('stand in for an answer, so often, after so many, or until they are taken away', async () => {
    await simulate(history);
    const remove = simulator.fault({ match: 'commits', status: 503 });
    simulator.fault({
      match: /activities|\/tags/,
      times: 1,
      skip: 1,
      status: 429,
      headers: { 'Retry-After': '7' },
      body: 'no',
    });
    expect([(await ask(`${R}/commits`)).status, (await ask('/repos')).status]).toEqual([503, 200]);
    expect((await ask(`${R}/tags`)).status).toBe(200);
    const struck = await ask(`${R}/tags`);
    expect([struck.status, struck.headers.get('retry-after'), await struck.text()]).toEqual([429, '7', 'no']);
    expect((await ask(`${R}/tags`)).status).toBe(200);
    remove();
    expect((await ask(`${R}/commits`)).status).toBe(200);
  });

  test('break the connection before, within or short of the body', async () => {
    const [id] = await simulate(history);
    simulator.fault({ match: 'repos', times: 1, reset: 'before' });
    expect(await reason(ask('/repos'))).toBe('ECONNRESET');
    simulator.fault({ match: 'repos', times: 1, reset: 'in-body' });
    expect(await reason(ask('/repos'))).toBe('ECONNRESET');
    simulator.fault({ match: 'repos', times: 1, truncate: 10 });
    expect(await reason(ask('/repos'))).toBe('UND_ERR_SOCKET');
    simulator.fault({ match: 'raw-diff', times: 1, truncate: 10 });
    expect(await reason(ask(`${R}/diff?until=${id}`, { accept: 'text/plain' }))).toBe('UND_ERR_SOCKET');
    expect(await reason(ask('/repos'))).toBe('none');
    expect(simulator.requests.list.map(({ status }) => status)).toEqual([0, 200, 200, 200, 200]);
  });

  test('delay, hang or drip', async () => {
    await simulate(history);
    const timed = async (resource: string) => {
      const began = performance.now();
      const text = await (await ask(resource, {}, { signal: AbortSignal.timeout(500) })).text().catch(() => 'given up');
      return { text, ms: performance.now() - began };
    };
    simulator.fault({ match: '/tags', times: 1, delayMs: 120 });
    expect((await timed(`${R}/tags`)).ms).toBeGreaterThan(115);
    simulator.fault({ match: 'tags', times: 1, drip: 2 });
    const dripped = await timed(`${R}/tags`);
    expect(dripped.ms).toBeGreaterThan(100);
    expect(JSON.parse(dripped.text)).toMatchObject({ size: 0 });
    simulator.fault({ match: 'tags', times: 1, hang: true });
    await expect(timed(`${R}/tags`)).rejects.toThrow('timeout');
    simulator.fault({ match: 'tags', times: 1, hang: true });
    const hanging = reason(ask(`${R}/tags`));
    await delay(50);
    await simulator.close();
    expect(await hanging).toMatch(/UND_ERR_SOCKET|ECONNRESET/);
  });
});

describe('the command line', () => {
  const main = path.join(import.meta.dirname, '../simulators/bitbucket/main.ts');

  test('prints what satellite.yml needs and ends on a signal', async () => {
    await simulate(history);
    const child = spawn(process.execPath, [main, '--latency', '1', `PAY/ledger=${repository.gitDir}`]);
    const exited = once(child, 'exit');
    let output = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      output += text;
    });
    while (!output.includes('fetch_pr_reviews')) await once(child.stdout, 'data');
    const url = /url: (\S+)/.exec(output)?.[1] ?? '';
    const response = await fetch(`${url}/rest/api/1.0/repos`, { headers: { authorization: signedIn } });
    expect(await response.json()).toMatchObject({ size: 1, values: [{ slug: 'ledger' }] });
    child.kill('SIGTERM');
    expect((await exited)[0]).toBe(0);
  });

  test('explains itself when it is called wrongly', async () => {
    const failed = promisify(execFile)(process.execPath, [main, 'ledger.git']);
    await expect(failed).rejects.toMatchObject({ code: 64, stderr: expect.stringContaining('KEY/slug=path') });
  });
});
