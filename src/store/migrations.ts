import { checksumStep } from './row-checksum.ts';

/**
 * The store's schema, one step a version; `PRAGMA user_version` counts the steps taken. A step that has shipped is
 * never edited: a change is a new step.
 */
export const migrations: readonly string[] = [
  `
  -- One value a key: the agent's id.
  CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;

  -- Work that was taken on and not yet acknowledged. done_at_ms is null while it runs.
  CREATE TABLE jobs (
    id TEXT PRIMARY KEY,
    integration_id TEXT NOT NULL,
    origin TEXT NOT NULL CHECK (origin IN ('sei', 'schedule', 'command')),
    controller_name TEXT NOT NULL,
    query TEXT NOT NULL,
    is_full INTEGER NOT NULL,
    from_ms INTEGER NOT NULL,
    to_ms INTEGER NOT NULL,
    fetch_repositories INTEGER NOT NULL,
    created_at_ms INTEGER NOT NULL,
    discovered_at_ms INTEGER,
    done_at_ms INTEGER,
    result TEXT,
    exception TEXT
  ) STRICT;

  -- Jobs that SEI was asked for and that are not in jobs yet: after a crash it may believe that we have them.
  CREATE TABLE accepting (job_id TEXT PRIMARY KEY) STRICT, WITHOUT ROWID;

  -- What could not be read in a job. The key keeps a repeat after a crash from counting twice.
  CREATE TABLE failures (
    job_id TEXT NOT NULL REFERENCES jobs ON DELETE CASCADE,
    message TEXT NOT NULL,
    url TEXT NOT NULL,
    PRIMARY KEY (job_id, message, url)
  ) STRICT, WITHOUT ROWID;

  -- The repositories a job found, as Bitbucket showed them.
  CREATE TABLE repositories (
    job_id TEXT NOT NULL REFERENCES jobs ON DELETE CASCADE,
    id INTEGER NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (job_id, id)
  ) STRICT;

  -- One repository and data type of a job. cursor is where it goes on after a restart.
  CREATE TABLE slices (
    job_id TEXT NOT NULL REFERENCES jobs ON DELETE CASCADE,
    repository_id INTEGER NOT NULL,
    data_type TEXT NOT NULL,
    state TEXT NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'done', 'failed')),
    cursor TEXT,
    PRIMARY KEY (job_id, repository_id, data_type)
  ) STRICT, WITHOUT ROWID;

  -- What a finished slice adds to the coverage.
  CREATE TABLE slice_tips (
    job_id TEXT NOT NULL REFERENCES jobs ON DELETE CASCADE,
    repository_id INTEGER NOT NULL,
    ref TEXT NOT NULL,
    tip TEXT NOT NULL,
    PRIMARY KEY (job_id, repository_id, ref)
  ) STRICT, WITHOUT ROWID;

  -- Files for SEI. The body is dropped when SEI has answered with its pointer.
  CREATE TABLE pages (
    job_id TEXT NOT NULL REFERENCES jobs ON DELETE CASCADE,
    data_type TEXT NOT NULL,
    number INTEGER NOT NULL,
    items INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    crc32 INTEGER NOT NULL,
    pointer TEXT,
    body BLOB,
    PRIMARY KEY (job_id, data_type, number)
  ) STRICT;
  CREATE INDEX pages_waiting ON pages (job_id) WHERE pointer IS NULL;

  -- Tips whose history has been acknowledged, each with the end of the first scan that covered it.
  CREATE TABLE coverage (
    integration_id TEXT NOT NULL,
    repository_id INTEGER NOT NULL,
    ref TEXT NOT NULL,
    tip TEXT NOT NULL,
    to_ms INTEGER NOT NULL,
    PRIMARY KEY (integration_id, repository_id, ref, tip)
  ) STRICT, WITHOUT ROWID;

  -- From when on something is missing at SEI: parts that could not be read, and (repository 0) whole jobs that failed.
  CREATE TABLE gaps (
    integration_id TEXT NOT NULL,
    repository_id INTEGER NOT NULL,
    data_type TEXT NOT NULL,
    from_ms INTEGER NOT NULL,
    PRIMARY KEY (integration_id, repository_id, data_type)
  ) STRICT, WITHOUT ROWID;

  -- What an acknowledged scan knew of a pull request, and what a running one has found out.
  CREATE TABLE pull_requests (
    integration_id TEXT NOT NULL,
    repository_id INTEGER NOT NULL,
    id INTEGER NOT NULL,
    fingerprint TEXT NOT NULL,
    is_open INTEGER NOT NULL,
    read_at_ms INTEGER NOT NULL,
    PRIMARY KEY (integration_id, repository_id, id)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE pull_requests_found (
    job_id TEXT NOT NULL REFERENCES jobs ON DELETE CASCADE,
    repository_id INTEGER NOT NULL,
    id INTEGER NOT NULL,
    fingerprint TEXT NOT NULL,
    is_open INTEGER NOT NULL,
    read_at_ms INTEGER NOT NULL,
    PRIMARY KEY (job_id, repository_id, id)
  ) STRICT, WITHOUT ROWID;

  -- Per repository the end of the last acknowledged scan of its pull requests; per integration that of the last scan.
  CREATE TABLE pull_requests_covered (
    integration_id TEXT NOT NULL,
    repository_id INTEGER NOT NULL,
    to_ms INTEGER NOT NULL,
    PRIMARY KEY (integration_id, repository_id)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE scans (
    integration_id TEXT PRIMARY KEY,
    to_ms INTEGER NOT NULL,
    full_to_ms INTEGER
  ) STRICT, WITHOUT ROWID;

  -- The counted files of a commit against its first parent. A commit never changes; the lowest id is the oldest entry.
  CREATE TABLE commit_files (
    id INTEGER PRIMARY KEY,
    sha BLOB NOT NULL UNIQUE,
    files TEXT NOT NULL
  ) STRICT;

  -- Diffs that could not be made, and in how many attempts: one must not hold back its repository for ever.
  CREATE TABLE failed_diffs (sha BLOB PRIMARY KEY, attempts INTEGER NOT NULL) STRICT, WITHOUT ROWID;
  `,
  `
  -- For people who look at the satellite: how long a page has waited, why a part could not be read, and since when.
  ALTER TABLE pages ADD COLUMN added_at_ms INTEGER;
  ALTER TABLE slices ADD COLUMN failure TEXT;
  ALTER TABLE gaps ADD COLUMN failure TEXT;
  ALTER TABLE gaps ADD COLUMN since_ms INTEGER;
  `,
  `
  -- The date that SEI got with a pull request last: what is older is not asked for again, and would be dropped.
  ALTER TABLE pull_requests ADD COLUMN sent_ms INTEGER;
  ALTER TABLE pull_requests_found ADD COLUMN sent_ms INTEGER;

  -- How many failures of one kind a job has: the first ones stand in failures, the others are only counted.
  CREATE TABLE failure_counts (
    job_id TEXT NOT NULL REFERENCES jobs ON DELETE CASCADE,
    kind TEXT NOT NULL,
    kept INTEGER NOT NULL,
    more INTEGER NOT NULL,
    url TEXT NOT NULL,
    PRIMARY KEY (job_id, kind)
  ) STRICT, WITHOUT ROWID;
  `,
  // Whether the numbers that decide what is read next are those that were written: SQLite does not notice a flipped bit.
  [
    checksumStep('jobs', ['id']),
    checksumStep('gaps', ['integration_id', 'repository_id', 'data_type']),
    checksumStep('scans', ['integration_id']),
    checksumStep('pull_requests', ['integration_id', 'repository_id', 'id']),
    checksumStep('pull_requests_found', ['job_id', 'repository_id', 'id']),
    checksumStep('pull_requests_covered', ['integration_id', 'repository_id']),
  ].join(''),
  `
  -- Where the earliest window of an integration began: a repository that is met later is owed as much.
  CREATE TABLE earliest_windows (integration_id TEXT PRIMARY KEY, from_ms INTEGER NOT NULL) STRICT, WITHOUT ROWID;
  ${checksumStep('earliest_windows', ['integration_id'])}

  -- A job that failed as a whole leaves a row for each data type.
  INSERT INTO gaps (integration_id, repository_id, data_type, from_ms)
    SELECT integration_id, repository_id, 'pull_requests', from_ms FROM gaps WHERE data_type = '*';
  UPDATE gaps SET data_type = 'commits' WHERE data_type = '*';

  -- The job in which a diff failed last: however often that is begun again, it is one attempt.
  ALTER TABLE failed_diffs ADD COLUMN job_id TEXT;
  `,
];
