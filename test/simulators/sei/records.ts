import {
  and,
  boolean,
  type Complain,
  int,
  isObject,
  lazy,
  list,
  literal,
  long,
  nonBlank,
  object,
  type Shape,
  type Shaped,
  string,
} from './shape.ts';

/** The records of the stored files, field by field (sei-protocol §4.6), with what SEI's processing cannot do without. */

const links = object({}, { self: list(object({ href: string })), clone: list(object({ href: string, name: string })) });

const project = object(
  { key: nonBlank, name: nonBlank },
  { id: int, description: string, public: boolean, type: string, links },
);

const repositoryFields = {
  slug: string,
  id: int,
  description: string,
  hierarchyId: string,
  scmId: string,
  state: string,
  statusMessage: string,
  forkable: boolean,
  project,
  public: boolean,
  links,
};
const repository = object({ name: nonBlank }, repositoryFields);
/** As a record of its own: with its project, and with the default branch where there is one. */
const repositoryRecord = object({ name: nonBlank, project }, { ...repositoryFields, defaultBranch: string });

const user = object(
  {},
  {
    name: string,
    emailAddress: string,
    id: int,
    displayName: string,
    active: boolean,
    slug: string,
    type: string,
  },
);

const side = object(
  {},
  { components: list(string), parent: string, name: string, extension: string, toString: string },
);

const file = and(
  object({ fileName: string, source: side, destination: side, linesRemoved: int, linesAdded: int }),
  (value, at, complain) => {
    const base = value.destination.name ?? value.source.name;
    if (value.fileName !== base) complain(`${at}.fileName is not the base name of the destination (or source)`);
  },
);

const commit = and(
  object(
    {
      id: nonBlank,
      displayId: nonBlank,
      author: user,
      committer: user,
      authorTimestamp: long,
      committerTimestamp: long,
      parents: list(object({ id: nonBlank, displayId: nonBlank })),
      projectName: nonBlank,
      repoName: nonBlank,
      commitUrl: nonBlank,
    },
    { message: string, additions: int, deletions: int, files: list(file) },
  ),
  (value, at, complain) => {
    const counted = [value.additions, value.deletions, value.files].filter((each) => each !== undefined);
    if (counted.length !== 0 && counted.length !== 3) {
      complain(`${at} has only some of additions, deletions and files`);
    }
    if (value.files === undefined) return;
    // A commit too large for its list of files still carries its counts: they may be more than the files', never less.
    const sum = (lines: 'linesAdded' | 'linesRemoved') =>
      value.files?.reduce((total, each) => total + each[lines], 0) ?? 0;
    if (sum('linesAdded') > (value.additions ?? 0)) complain(`${at}.additions is less than the sum of its files`);
    if (sum('linesRemoved') > (value.deletions ?? 0)) complain(`${at}.deletions is less than the sum of its files`);
  },
);

interface ActivityCommit {
  id: string;
  displayId?: string;
  author?: Shaped<typeof user>;
  authorTimestamp?: number;
  committer?: Shaped<typeof user>;
  committerTimestamp?: number;
  message?: string;
  parents?: ActivityCommit[];
}

const activityCommit: Shape<ActivityCommit> = object(
  { id: nonBlank },
  {
    displayId: string,
    author: user,
    authorTimestamp: long,
    committer: user,
    committerTimestamp: long,
    message: string,
    parents: list(lazy(() => activityCommit)),
  },
) as Shape<ActivityCommit>;

const reviewActions = new Set([
  'REVIEWED',
  'APPROVED',
  'UNAPPROVED',
  'DECLINED',
  'NEEDS_WORK',
  'COMMENTED',
  'RESCOPED',
]);

const activity = and(
  object({ id: int, createdDate: long, action: nonBlank }, { user, commit: activityCommit }),
  (value, at, complain) => {
    if (reviewActions.has(value.action) && value.user === undefined) complain(`${at} is a review without a user`);
  },
);

const participant = object({ user }, { role: string, approved: boolean, status: string, lastReviewedCommit: string });

const ref = object({ id: nonBlank, displayId: nonBlank, latestCommit: nonBlank, repository });

const pullRequest = object(
  {
    id: int,
    version: int,
    title: string,
    state: literal('OPEN', 'MERGED', 'DECLINED'),
    open: boolean,
    closed: boolean,
    createdDate: long,
    updatedDate: long,
    fromRef: ref,
    toRef: ref,
    author: participant,
    participants: list(participant),
  },
  {
    description: string,
    locked: boolean,
    reviewers: list(participant),
    links,
    properties: object(
      {},
      {
        mergeResult: object({}, { outcome: string, current: boolean }),
        resolvedTaskCount: int,
        openTaskCount: int,
      },
    ),
    commits: list(commit),
    activities: list(activity),
  },
);

const tag = object(
  { id: nonBlank, displayId: nonBlank },
  { type: string, latestCommit: string, latestChangeset: string, hash: string },
);

export type SeiProject = Shaped<typeof project>;
export type SeiRepository = Shaped<typeof repositoryRecord>;
export type SeiCommit = Shaped<typeof commit>;
export type SeiPullRequest = Shaped<typeof pullRequest>;
export type SeiTag = Shaped<typeof tag>;

/** In the order in which a result names them. */
export const dataTypes = ['commits', 'tags', 'pull_requests', 'repositories'] as const;
export type DataType = (typeof dataTypes)[number];

/** A group that holds nothing is never made: the original groups runs of records. */
const some = { atLeast: 1 };

/** The names on a commit are those of the record that it stands in: SEI files it under `repository.name`. */
function checkNames(
  record: { project: SeiProject; repository: { name: string } },
  commits: readonly SeiCommit[],
  at: string,
  complain: Complain,
): void {
  const { project: owner, repository: home } = record;
  commits.forEach((each, index) => {
    if (each.repoName !== home.name) complain(`${at}[${index}].repoName is not the name of the repository`);
    if (each.projectName !== owner.name) complain(`${at}[${index}].projectName is not the name of the project`);
  });
}

const recordShapes = {
  commits: and(object({ project, repository, commits: list(commit, some) }), (record, at, complain) => {
    checkNames(record, record.commits, `${at}.commits`, complain);
  }),
  tags: object({ repository, tags: list(tag, some) }, { project }),
  pull_requests: and(object({ project, repository, pullRequests: list(pullRequest, some) }), (record, at, complain) => {
    record.pullRequests.forEach((each, index) => {
      checkNames(record, each.commits ?? [], `${at}.pullRequests[${index}].commits`, complain);
    });
  }),
  repositories: object({ repository: repositoryRecord }),
};

export type SeiRecord<T extends DataType> = Shaped<(typeof recordShapes)[T]>;

/** A record that had deviations may still be read back: only what is needed to find the parts is looked at. */
export function isRecord<T extends DataType>(dataType: T, record: unknown): record is SeiRecord<T> {
  const parts = { commits: 'commits', tags: 'tags', pull_requests: 'pullRequests', repositories: 'repository' };
  if (!isObject(record) || !isObject(record.repository) || typeof record.repository.name !== 'string') return false;
  return dataType === 'repositories' || Array.isArray(record[parts[dataType]]);
}

export function checkRecord(dataType: DataType, record: unknown, at: string, complain: Complain): void {
  recordShapes[dataType](record, at, complain);
}

export function isDataType(text: string): text is DataType {
  return dataTypes.some((each) => each === text);
}
