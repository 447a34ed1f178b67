import { expect, test } from '@jest/globals';
import { projectRecord } from '../../../src/records/project.ts';
import { repositoryRecord } from '../../../src/records/repository.ts';
import { tagRecord } from '../../../src/records/tag.ts';
import { CANARY, repository, sha } from './bitbucket-objects.ts';
import { pageErrors, sent } from './record-schema.ts';

const project = {
  key: 'PAY',
  id: 7,
  name: 'Payments',
  description: 'Money',
  public: false,
  type: 'NORMAL',
  links: { self: [{ href: 'https://bitbucket.example.org/projects/PAY' }] },
};

test('a project is what Bitbucket said and nothing that SEI does not know', () => {
  expect(sent('project', projectRecord(repository.project))).toEqual(project);
  expect(sent('project', projectRecord({ key: '~ADA', description: null }))).toEqual({ key: '~ADA' });
});

test('a repository is what Bitbucket said and nothing that SEI does not know', () => {
  expect(sent('repository', repositoryRecord(repository))).toEqual({
    slug: 'ledger',
    id: 12,
    name: 'Ledger',
    description: 'Books',
    hierarchyId: '98a546a27fe4ddcdb156',
    scmId: 'git',
    state: 'AVAILABLE',
    statusMessage: 'Available',
    forkable: true,
    project,
    public: false,
    links: repository.links,
  });
  expect(JSON.stringify(repositoryRecord({ ...repository, origin: { ...repository, name: CANARY } }))).not.toContain(
    CANARY,
  );
});

test('the default branch is only there where it was given', () => {
  expect(sent('repositories', { repository: repositoryRecord(repository, 'main') }).repository.defaultBranch).toBe(
    'main',
  );
  expect(repositoryRecord(repository)).not.toHaveProperty('defaultBranch');
});

test('a null in the place of a link is left out', () => {
  const links = { self: [null, { href: null }, { href: 'https://bitbucket.example.org', name: 'x' }], clone: null };
  expect(sent('repository', repositoryRecord({ ...repository, links })).links).toEqual({
    self: [{ href: 'https://bitbucket.example.org' }],
  });
});

test('an annotated tag names its tag object, a lightweight one does not', () => {
  const tag = {
    id: 'refs/tags/v1',
    displayId: 'v1',
    type: 'TAG',
    latestCommit: sha('a'),
    latestChangeset: sha('a'),
    hash: sha('b'),
  };
  expect(sent('tag', tagRecord({ ...tag, ...{ unwanted: CANARY } }))).toEqual(tag);
  expect(sent('tag', tagRecord({ ...tag, hash: null }))).not.toHaveProperty('hash');
});

test('the schema of a page takes a page and refuses a stranger in it', () => {
  const page = (dataType: string, record: object, more: object = {}) => ({
    _metadata: {
      integration_key: { tenant_id: 'demo', integration_id: '4711' },
      integration_type: 'bitbucket_server',
      data_type: dataType,
      page_number: 0,
    },
    records: [record],
    count: 1,
    ...more,
  });
  const record = repositoryRecord(repository, 'main');
  expect(pageErrors(page('repositories', { repository: record }))).toEqual([]);
  expect(pageErrors(page('tags', { project, repository: record, tags: [] }))).toEqual([]);
  expect(pageErrors(page('tags', { project, repository: record, commits: [] }))).not.toEqual([]);
  expect(pageErrors(page('repositories', { repository: { ...record, note: CANARY } }))).not.toEqual([]);
  expect(pageErrors(page('repositories', { repository: record }, { note: CANARY }))).not.toEqual([]);
  expect(pageErrors(page('commits', { repository: record }))).not.toEqual([]);
});
