import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from '@jest/globals';
import { countJsonDiff } from '../../src/bitbucket/json-diff.ts';
import type {
  BitbucketActivity,
  BitbucketCommit,
  BitbucketFileDiff,
  BitbucketPath,
  BitbucketProject,
  BitbucketPullRequest,
  BitbucketRepository,
  BitbucketTag,
} from '../../src/bitbucket/types.ts';
import { commitRecord } from '../../src/records/commit.ts';
import { epochMs } from '../../src/records/epoch-ms.ts';
import { fileRecord } from '../../src/records/file.ts';
import { projectRecord } from '../../src/records/project.ts';
import { pullRequestRecord } from '../../src/records/pull-request.ts';
import { repositoryRecord } from '../../src/records/repository.ts';
import { tagRecord } from '../../src/records/tag.ts';
import { sent } from './records/record-schema.ts';

/**
 * Answers recorded from real servers, which are not part of the project (third-party data), go through the mapping; each
 * record is held against its source field by field, by a list of what SEI knows that is written down here once more.
 */
const folder = fileURLToPath(new URL('../../../shared/fixtures/bitbucket-dc/', import.meta.url));
const isHere = existsSync(folder);
if (!isHere) process.stderr.write('The recorded answers (../shared/fixtures/bitbucket-dc) are not here: skipped.\n');
const answers: readonly unknown[] = isHere ? readAnswers() : [];

/** `same`: as it is. `date`: as epoch milliseconds. */
type Shape = 'same' | 'date' | { readonly [field: string]: Shape } | readonly [Shape];

const same = (...names: string[]) => Object.fromEntries(names.map((name) => [name, 'same'] as const));
const dates = (...names: string[]) => Object.fromEntries(names.map((name) => [name, 'date'] as const));
const links: Shape = { self: [same('href')], clone: [same('href', 'name')] };
const project: Shape = { ...same('key', 'id', 'name', 'description', 'public', 'type'), links };
const repository: Shape = {
  ...same('slug', 'id', 'name', 'description', 'hierarchyId', 'scmId', 'state', 'statusMessage', 'forkable', 'public'),
  project,
  links,
};
const user: Shape = same('name', 'emailAddress', 'id', 'displayName', 'active', 'slug', 'type');
const participant: Shape = { user, ...same('role', 'approved', 'status', 'lastReviewedCommit') };
const commitFields: Shape = {
  ...same('id', 'displayId', 'message'),
  ...dates('authorTimestamp', 'committerTimestamp'),
  author: user,
  committer: user,
};
const commit: Shape = { ...commitFields, parents: [same('id', 'displayId')] };
const parent: Shape = { ...commitFields, parents: [same('id', 'displayId')] };
const activity: Shape = {
  ...same('id', 'action'),
  ...dates('createdDate'),
  user,
  commit: { ...commitFields, parents: [parent] },
};
const ref: Shape = { ...same('id', 'displayId', 'latestCommit'), repository };
const pullRequest: Shape = {
  ...same('id', 'version', 'title', 'description', 'state', 'open', 'closed', 'locked'),
  ...dates('createdDate', 'updatedDate'),
  fromRef: ref,
  toRef: ref,
  author: participant,
  reviewers: [participant],
  participants: [participant],
  properties: { mergeResult: same('outcome', 'current'), ...same('resolvedTaskCount', 'openTaskCount') },
  links,
};
const tag: Shape = same('id', 'displayId', 'type', 'latestCommit', 'latestChangeset', 'hash');

/** What the source says, cut down to what SEI knows. */
function expected(source: unknown, shape: Shape): unknown {
  if (source === null || source === undefined || shape === 'same') return source ?? undefined;
  if (shape === 'date') return typeof source === 'string' ? Date.parse(source) : source;
  if (isList(shape)) return Array.isArray(source) ? source.map((item) => expected(item, shape[0])) : source;
  const fields = Object.entries(shape).map(([name, inner]) => [name, expected(field(source, name), inner)] as const);
  return Object.fromEntries(fields.filter(([, value]) => value !== undefined));
}

const isList = (shape: Shape): shape is readonly [Shape] => Array.isArray(shape);
const field = (source: unknown, name: string): unknown =>
  isObject(source) && Object.hasOwn(source, name) ? source[name] : undefined;
const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null;

/** Every object in any answer that has these fields with a value. */
function all<T>(...names: string[]): T[] {
  const found: T[] = [];
  const visit = (value: unknown): void => {
    if (!isObject(value)) return;
    // The one cast of the suite: what was recorded is taken for what the types say it is.
    if (names.every((name) => (field(value, name) ?? null) !== null)) found.push(value as T);
    for (const inner of Object.values(value)) visit(inner);
  };
  visit(answers);
  return found;
}

(isHere ? describe : describe.skip)('recorded answers', () => {
  test('projects', () => {
    const projects = all<BitbucketProject>('key', 'id', 'name');
    expect(projects.length).toBeGreaterThan(50);
    for (const source of projects) expect(sent('project', projectRecord(source))).toEqual(expected(source, project));
    expect(projects.map(({ type }) => type)).toContain('PERSONAL');
  });

  test('repositories', () => {
    const repositories = all<BitbucketRepository>('slug', 'scmId', 'project');
    expect(repositories.length).toBeGreaterThan(50);
    for (const source of repositories) {
      expect(sent('repository', repositoryRecord(source))).toEqual(expected(source, repository));
    }
  });

  const context = { repository: home(), baseUrl: 'https://bitbucket.example.org' };
  const own = ({ id }: BitbucketCommit) => ({
    projectName: context.repository.project.name,
    repoName: context.repository.name,
    commitUrl: `https://bitbucket.example.org/projects/TP/repos/first-repo/commits/${id}`,
  });

  test('commits', () => {
    const commits = all<BitbucketCommit>('id', 'displayId', 'authorTimestamp', 'author');
    expect(commits.length).toBeGreaterThan(30);
    for (const source of commits) {
      const record = sent('commit', commitRecord(source, context));
      expect(record).toEqual({ ...Object(expected(source, commit)), ...own(source) });
    }
  });

  test('a commit without an author is given its committer', () => {
    const commits = all<BitbucketCommit>('id', 'displayId', 'authorTimestamp').filter(({ author }) => !author);
    expect(commits).toHaveLength(1);
    for (const source of commits) {
      const { author, ...record } = sent('commit', commitRecord(source, context));
      expect(record).toEqual({ ...Object(expected(source, commit)), ...own(source) });
      expect(author).toEqual(record.committer);
    }
  });

  test('pull requests', () => {
    const pullRequests = all<BitbucketPullRequest>('id', 'title', 'fromRef', 'toRef', 'state', 'updatedDate');
    expect(pullRequests.length).toBeGreaterThan(15);
    expect(new Set(pullRequests.map(({ state }) => state))).toEqual(new Set(['OPEN', 'MERGED', 'DECLINED']));
    expect(pullRequests.some(({ createdDate }) => typeof createdDate === 'string')).toBe(true);
    for (const source of pullRequests) {
      const record = sent('pullRequest', pullRequestRecord(source));
      expect(record).toEqual({ reviewers: [], participants: [], ...Object(expected(source, pullRequest)) });
    }
  });

  test('activities', () => {
    const activities = all<BitbucketActivity>('id', 'action', 'createdDate', 'user');
    expect(activities.length).toBeGreaterThan(15);
    expect(activities.filter(({ commit }) => commit).length).toBeGreaterThan(0);
    const record = sent('pullRequest', pullRequestRecord({ id: 1 }, { activities }));
    expect(record.activities).toEqual(expected(activities, [activity]));
  });

  test('an open pull request with a late review is newer than Bitbucket says, a closed one is not', () => {
    const activities = all<BitbucketActivity & { computedProperties: { pullRequest: { id: number } } }>(
      'action',
      'computedProperties',
    );
    const reviewed = all<BitbucketPullRequest>('computedProperties', 'fromRef');
    expect(reviewed.map(({ id, state }) => `${id} ${state}`).sort()).toEqual(['1 MERGED', '2 MERGED', '3 OPEN']);
    for (const source of reviewed) {
      const its = activities.filter(({ computedProperties }) => computedProperties.pullRequest.id === source.id);
      const newest = Math.max(...its.map(({ createdDate }) => epochMs(createdDate) ?? 0));
      expect(its.length).toBeGreaterThan(1);
      const { updatedDate } = pullRequestRecord(source, { activities: its });
      expect(updatedDate).toBe(source.state === 'OPEN' ? newest : source.updatedDate);
      if (source.state === 'OPEN') expect(updatedDate).toBeGreaterThan(epochMs(source.updatedDate) ?? Infinity);
    }
  });

  test('tags', () => {
    const tags = all<BitbucketTag>('id', 'displayId', 'type', 'latestCommit').filter(({ type }) => type === 'TAG');
    expect(tags.length).toBeGreaterThan(1);
    for (const source of tags) expect(sent('tag', tagRecord(source))).toEqual(expected(source, tag));
    expect(tags.some(({ hash }) => hash)).toBe(true);
  });

  test('paths are written as Bitbucket writes them', () => {
    const paths = all<BitbucketPath>('components', 'name', 'toString');
    expect(paths.length).toBeGreaterThan(5);
    for (const path of paths) {
      const change = {
        sourcePath: path.components?.join('/') ?? '',
        destinationPath: null,
        linesAdded: 0,
        linesRemoved: 0,
      };
      expect(fileRecord(change).source).toEqual(path);
    }
  });

  test('diffs in JSON form', () => {
    const diffs = all<BitbucketFileDiff>('destination', 'hunks');
    const counted = diffs.map((diff) => countJsonDiff({ diffs: [diff] }));
    expect(counted.map(({ files }) => files[0])).toEqual(
      expect.arrayContaining([
        { sourcePath: 'main.go', destinationPath: 'main.go', linesAdded: 2, linesRemoved: 0 },
        { sourcePath: null, destinationPath: 'bad.js', linesAdded: 1, linesRemoved: 0 },
      ]),
    );
    for (const { files, truncated } of counted)
      expect({ files: files.length, truncated }).toEqual({ files: 1, truncated: false });
  });
});

/** The repository that the recorded commits are from. */
function home(): BitbucketRepository {
  const found = all<BitbucketRepository>('slug', 'scmId', 'project').find(({ slug }) => slug === 'first-repo');
  return found ?? { id: 0, slug: '', name: '', project: { key: '' } };
}

function readAnswers(): unknown[] {
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' });
  // The vendor's API documents are no answers: their examples are of the vendor's imagination.
  const recorded = files.filter((name) => !/^coderabbitai|^evrimalacan/.test(name));
  return recorded.flatMap((name): unknown[] => {
    const text = () => readFileSync(`${folder}${name}`, 'utf8');
    if (name.endsWith('.json')) return [JSON.parse(text())];
    if (name.endsWith('.jsonl'))
      return text()
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line).record.data);
    if (name.endsWith('.csv'))
      return csvRows(text())
        .slice(1)
        .map((row) => JSON.parse(row[2] ?? 'null'));
    return [];
  });
}

function csvRows(text: string): string[][] {
  const cells = [...text.matchAll(/(?:"((?:[^"]|"")*)"|([^",\n]*))(,|\r?\n|$)/g)];
  const rows: string[][] = [[]];
  for (const [whole, quoted, plain = '', end] of cells) {
    if (whole === '') continue;
    rows.at(-1)?.push(quoted?.replaceAll('""', '"') ?? plain);
    if (end !== ',') rows.push([]);
  }
  return rows.filter((row) => row.length > 0);
}
