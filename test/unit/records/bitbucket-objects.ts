import type {
  BitbucketActivity,
  BitbucketCommit,
  BitbucketPullRequest,
  BitbucketRepository,
  BitbucketUser,
} from '../../../src/bitbucket/types.ts';

/** Invented answers in which every field is filled, the unwanted ones among them. */

/** In each place that must not leave the network: comments, source lines, whatever SEI does not know. */
export const CANARY = 'canary that must not leave';

const unwanted = { avatarUrl: CANARY, computed: { text: CANARY } };

export const ada: BitbucketUser = {
  name: 'ada',
  emailAddress: 'ada@example.org',
  id: 3,
  displayName: 'Ada Lovelace',
  active: true,
  slug: 'ada',
  type: 'NORMAL',
  ...unwanted,
};
export const bob: BitbucketUser = { ...ada, name: 'bob', id: 4, displayName: 'Bob', slug: 'bob' };

export const repository: BitbucketRepository = {
  slug: 'ledger',
  id: 12,
  name: 'Ledger',
  description: 'Books',
  hierarchyId: '98a546a27fe4ddcdb156',
  scmId: 'git',
  state: 'AVAILABLE',
  statusMessage: 'Available',
  forkable: true,
  public: false,
  archived: false,
  project: {
    key: 'PAY',
    id: 7,
    name: 'Payments',
    description: 'Money',
    public: false,
    type: 'NORMAL',
    links: { self: [{ href: 'https://bitbucket.example.org/projects/PAY' }] },
    ...unwanted,
  },
  links: {
    self: [{ href: 'https://bitbucket.example.org/projects/PAY/repos/ledger/browse' }],
    clone: [
      { href: 'ssh://git@bitbucket.example.org:7999/pay/ledger.git', name: 'ssh' },
      { href: 'https://bitbucket.example.org/scm/pay/ledger.git', name: 'http' },
    ],
  },
  ...unwanted,
};

export const sha = (digit: string) => digit.repeat(40);

export const commit: BitbucketCommit = {
  id: sha('a'),
  displayId: 'aaaaaaaaaaa',
  author: ada,
  authorTimestamp: 1_700_000_000_000,
  committer: bob,
  committerTimestamp: 1_700_000_001_000,
  message: 'PAY-9 rounding\n\nUp, not down.',
  parents: [
    { id: sha('b'), displayId: 'bbbbbbbbbbb', author: ada, message: CANARY },
    { id: sha('c'), displayId: 'ccccccccccc' },
  ],
  ...unwanted,
};

const mergeCommit: BitbucketCommit = {
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
  ...unwanted,
};

const comment = {
  commentAction: 'ADDED',
  comment: {
    id: 5,
    text: CANARY,
    author: bob,
    createdDate: 1,
    comments: [{ id: 6, text: CANARY }],
    tasks: [{ text: CANARY }],
  },
  commentAnchor: { path: CANARY, line: 1 },
  diff: { hunks: [{ context: CANARY, segments: [{ type: 'ADDED', lines: [{ line: CANARY }] }] }] },
};

export const activities: readonly BitbucketActivity[] = [
  { id: 904, createdDate: 1_700_000_003_000, user: ada, action: 'MERGED', commit: mergeCommit },
  { id: 903, createdDate: 1_700_000_002_900, user: bob, action: 'APPROVED' },
  { id: 902, createdDate: 1_700_000_002_500, user: bob, action: 'COMMENTED', ...comment },
  { id: 901, createdDate: 1_700_000_002_000, user: ada, action: 'ACTION_OF_A_LATER_VERSION', ...unwanted },
  { id: 900, createdDate: 1_700_000_001_500, user: ada, action: 'OPENED' },
];

export const pullRequest: BitbucketPullRequest = {
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
  closedDate: 1_700_000_009_000,
  fromRef: { id: 'refs/heads/r9', displayId: 'r9', latestCommit: sha('a'), repository, ...unwanted },
  toRef: { id: 'refs/heads/main', displayId: 'main', latestCommit: sha('c'), repository, ...unwanted },
  author: { user: ada, role: 'AUTHOR', approved: false, status: 'UNAPPROVED', ...unwanted },
  reviewers: [{ user: bob, role: 'REVIEWER', approved: true, status: 'APPROVED', lastReviewedCommit: sha('a') }],
  participants: [{ user: bob, role: 'PARTICIPANT', approved: false, status: 'UNAPPROVED' }],
  properties: {
    mergeResult: { outcome: 'CLEAN', current: true },
    resolvedTaskCount: 1,
    openTaskCount: 2,
    commentCount: 3,
  },
  links: { self: [{ href: 'https://bitbucket.example.org/projects/PAY/repos/ledger/pull-requests/31' }] },
  ...unwanted,
};
