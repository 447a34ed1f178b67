import { describe, expect, test } from '@jest/globals';
import type { BitbucketPullRequest } from '../../../src/bitbucket/types.ts';
import { commitRecord } from '../../../src/records/commit.ts';
import { pullRequestRecord } from '../../../src/records/pull-request.ts';
import { repositoryRecord } from '../../../src/records/repository.ts';
import { activities, CANARY, commit, pullRequest, repository, sha } from './bitbucket-objects.ts';
import { sent } from './record-schema.ts';

const record = (...args: Parameters<typeof pullRequestRecord>) => sent('pullRequest', pullRequestRecord(...args));
const ada = {
  name: 'ada',
  emailAddress: 'ada@example.org',
  id: 3,
  displayName: 'Ada Lovelace',
  active: true,
  slug: 'ada',
  type: 'NORMAL',
};
const bob = { ...ada, name: 'bob', id: 4, displayName: 'Bob', slug: 'bob' };

test('a pull request is what Bitbucket said and nothing that SEI does not know', () => {
  expect(record(pullRequest)).toEqual({
    id: 31,
    version: 4,
    title: 'PAY-9 rounding',
    description: 'Up, not down.',
    state: 'OPEN',
    open: true,
    closed: false,
    locked: false,
    createdDate: 1_700_000_001_500,
    updatedDate: 1_700_000_001_600,
    fromRef: { id: 'refs/heads/r9', displayId: 'r9', latestCommit: sha('a'), repository: repositoryRecord(repository) },
    toRef: {
      id: 'refs/heads/main',
      displayId: 'main',
      latestCommit: sha('c'),
      repository: repositoryRecord(repository),
    },
    author: { user: ada, role: 'AUTHOR', approved: false, status: 'UNAPPROVED' },
    reviewers: [{ user: bob, role: 'REVIEWER', approved: true, status: 'APPROVED', lastReviewedCommit: sha('a') }],
    participants: [{ user: bob, role: 'PARTICIPANT', approved: false, status: 'UNAPPROVED' }],
    properties: { mergeResult: { outcome: 'CLEAN', current: true }, resolvedTaskCount: 1, openTaskCount: 2 },
    links: { self: [{ href: 'https://bitbucket.example.org/projects/PAY/repos/ledger/pull-requests/31' }] },
  });
});

test('commits go in as they are', () => {
  const commits = [commitRecord(commit, { repository, baseUrl: 'https://bitbucket.example.org' })];
  expect(record(pullRequest, { commits }).commits).toEqual(commits);
  expect(record(pullRequest, { commits: [] }).commits).toEqual([]);
});

describe('activities', () => {
  test('say who did what and when, unknown ones too, and a merge names its commit', () => {
    expect(record(pullRequest, { activities }).activities).toEqual([
      {
        id: 904,
        createdDate: 1_700_000_003_000,
        user: ada,
        action: 'MERGED',
        commit: {
          id: sha('d'),
          displayId: 'ddddddddddd',
          author: ada,
          authorTimestamp: 1_700_000_003_000,
          committer: ada,
          committerTimestamp: 1_700_000_003_000,
          message: 'Pull request #31: PAY-9 rounding',
          parents: [
            {
              id: sha('a'),
              displayId: 'aaaaaaaaaaa',
              author: bob,
              committer: bob,
              message: 'PAY-9',
              parents: [{ id: sha('b') }],
            },
          ],
        },
      },
      { id: 903, createdDate: 1_700_000_002_900, user: bob, action: 'APPROVED' },
      { id: 902, createdDate: 1_700_000_002_500, user: bob, action: 'COMMENTED' },
      { id: 901, createdDate: 1_700_000_002_000, user: ada, action: 'ACTION_OF_A_LATER_VERSION' },
      { id: 900, createdDate: 1_700_000_001_500, user: ada, action: 'OPENED' },
    ]);
  });

  test('carry no text of a comment and no source line', () => {
    expect(JSON.stringify({ pullRequest, activities })).toContain(CANARY);
    expect(JSON.stringify(record(pullRequest, { activities }))).not.toContain(CANARY);
  });

  test('of nobody have an empty user, which SEI does not stumble over', () => {
    expect(record(pullRequest, { activities: [{ action: 'DECLINED' }] }).activities).toEqual([
      { action: 'DECLINED', user: {} },
    ]);
  });
});

describe('the date by which SEI decides whether to replace what it has', () => {
  const updated = (changes: Partial<BitbucketPullRequest>, ...dates: (number | string)[]) =>
    record(
      { ...pullRequest, ...changes },
      { activities: dates.map((createdDate) => ({ action: 'COMMENTED', createdDate })) },
    ).updatedDate;

  test.each<[string, number | undefined, Partial<BitbucketPullRequest>, (number | string)[]]>([
    ['is that of the newest activity of an open one', 300, { updatedDate: 100 }, [200, 300, 250]],
    ['stays where the activities are older', 100, { updatedDate: 100 }, [50, 99]],
    ['stays without activities', 100, { updatedDate: 100 }, []],
    [
      'stays for a merged one, whose closing it tells',
      100,
      { state: 'MERGED', open: false, closed: true, updatedDate: 100 },
      [300],
    ],
    ['stays for a declined one', 100, { state: 'DECLINED', open: false, closed: true, updatedDate: 100 }, [300]],
    [
      'is read from text, too',
      1_530_766_870_000,
      { updatedDate: '2018-07-05T05:01:09.266Z' },
      ['2018-07-05T05:01:10+0000'],
    ],
    ['is that of its creation where Bitbucket gives none', 50, { updatedDate: null, createdDate: 50 }, []],
    ['is not moved by an activity without a date', 100, { updatedDate: 100 }, ['never']],
  ])('%s', (_what, expected, changes, dates) => {
    expect(updated(changes, ...dates)).toBe(expected);
  });

  test('is Bitbucket’s own where nobody read the activities', () => {
    expect(record({ ...pullRequest, updatedDate: 100 }).updatedDate).toBe(100);
  });

  test('the date of closing is not sent', () => {
    expect(record({ ...pullRequest, state: 'MERGED' })).not.toHaveProperty('closedDate');
  });
});

describe('what SEI reads without a check is always there', () => {
  test('in a pull request of which Bitbucket says next to nothing', () => {
    expect(record({ id: 1 })).toEqual({
      id: 1,
      state: 'OPEN',
      fromRef: {},
      toRef: {},
      author: { user: {} },
      reviewers: [],
      participants: [],
    });
    expect(record({ id: 1, open: false }).state).toBe('DECLINED');
  });

  test('in one where everything is null', () => {
    const nulls = Object.fromEntries(Object.keys(pullRequest).map((key) => [key, null]));
    expect(record({ ...nulls, id: 1 })).toMatchObject({ author: { user: {} }, reviewers: [], participants: [] });
    expect(JSON.stringify(record({ ...nulls, id: 1 }))).not.toContain('null');
  });

  test('from a fork that was deleted', () => {
    expect(record({ ...pullRequest, fromRef: { id: 'refs/heads/x', repository: null } }).fromRef).toEqual({
      id: 'refs/heads/x',
    });
    const { project, ...orphan } = repository;
    expect(project.key).toBe('PAY');
    expect(record({ ...pullRequest, fromRef: { repository: orphan } }).fromRef.repository).toMatchObject({
      slug: 'ledger',
    });
  });
});
