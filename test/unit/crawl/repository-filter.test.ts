import { describe, expect, test } from '@jest/globals';
import type { BitbucketRepository } from '../../../src/bitbucket/types.ts';
import { selectRepositories } from '../../../src/crawl/repository-filter.ts';

function repository(
  id: number,
  projectKey: string,
  slug: string,
  name: string,
  projectName?: string,
): BitbucketRepository {
  return { id, slug, name, project: { key: projectKey, ...(projectName === undefined ? {} : { name: projectName }) } };
}

const repositories = [
  repository(1, 'PAY', 'ledger', 'Ledger Service', 'Payments'),
  repository(2, 'PAY', 'api-gateway', 'API gateway', 'Payments'),
  repository(3, 'WEB', 'ledger', 'Ledger UI', 'Web [legacy]'),
  repository(4, '~JDOE', 'dot.files', '.dotfiles'),
  repository(5, 'OPS', 'tools[1]', 'Tools (old)', 'Operations'),
];

function select(filter: { repos?: string[]; projects?: string[]; excludeRepos?: string[] }) {
  const selection = selectRepositories(repositories, {
    repos: [],
    projects: [],
    excludeRepos: [],
    archived: 'include',
    ...filter,
  });
  return { ids: selection.repositories.map(({ id }) => id), unmatched: selection.unmatched };
}

test('archived ones are left out where the file says so; a name that selects one is no typing error', () => {
  const shut = repositories.map((one) => ({ ...one, archived: one.id === 1 }));
  const all = { repos: ['Ledger Service', 'api-*'], projects: [], excludeRepos: [] };
  const ids = (archived: 'include' | 'exclude') => {
    const { repositories: selected, unmatched } = selectRepositories(shut, { ...all, archived });
    expect(unmatched).toEqual([]);
    return selected.map(({ id }) => id);
  };
  expect(ids('include')).toEqual([1, 2]);
  expect(ids('exclude')).toEqual([2]);
});

describe('repos', () => {
  test.each<[string, string, number[]]>([
    ['a name', 'Ledger Service', [1]],
    ['a name in another case', 'ledger SERVICE', [1]],
    ['a slug, in every project', 'ledger', [1, 3]],
    ['a project and a slug', 'WEB/ledger', [3]],
    ['a project and a slug in another case', 'web/LEDGER', [3]],
    ['a personal repository', '~jdoe/dot.files', [4]],
    ['a glob over slugs', 'api-*', [2]],
    ['a glob over a whole project', 'PAY/*', [1, 2]],
    ['a glob in another case', 'pay/API-*', [2]],
    ['a glob over all personal ones', '~*/*', [4]],
    ['a glob that meets a name with a dot in front', '*files', [4]],
    ['a name with brackets, literally', 'tools[1]', [5]],
    ['a name with parentheses, literally', 'Tools (old)', [5]],
    ['a name with brackets in another case', 'TOOLS[1]', [5]],
    ['a name with parentheses in another case', 'tools (OLD)', [5]],
    ['alternatives', '{ledger,api-gateway}', [1, 2, 3]],
  ])('%s', (_name, entry, ids) => {
    expect(select({ repos: [entry] })).toEqual({ ids, unmatched: [] });
  });

  test.each(['ledge', 'edger', 'PAY', 'PAY/', 'WEB/api-gateway', 'Ledger  Service', '*/*/*'])(
    '%p matches nothing, and is named',
    (entry) => {
      expect(select({ repos: [entry] })).toEqual({ ids: [], unmatched: [entry] });
    },
  );

  test('several add up, in the order of the server', () => {
    expect(select({ repos: ['dot.files', 'api-*', 'api-gateway'] })).toEqual({ ids: [2, 4], unmatched: [] });
  });

  test('none at all is all of them', () => {
    expect(select({}).ids).toEqual([1, 2, 3, 4, 5]);
  });
});

describe('projects', () => {
  test.each<[string, string, number[]]>([
    ['a key', 'PAY', [1, 2]],
    ['a key in another case', 'pay', [1, 2]],
    ['a name', 'payments', [1, 2]],
    ['a name with brackets', 'Web [legacy]', [3]],
    ['one without a name, by its key', '~jdoe', [4]],
    ['a glob', '*p*', [1, 2, 5]],
  ])('%s', (_name, entry, ids) => {
    expect(select({ projects: [entry] })).toEqual({ ids, unmatched: [] });
  });

  test('and repos narrow each other', () => {
    expect(select({ projects: ['PAY'], repos: ['ledger'] })).toEqual({ ids: [1], unmatched: [] });
  });

  test('that match nothing are named, beside repos that do', () => {
    expect(select({ projects: ['PAY', 'NOPE'], repos: ['ledger', 'nada'] })).toEqual({
      ids: [1],
      unmatched: ['NOPE', 'nada'],
    });
  });
});

describe('exclude_repos', () => {
  test('takes out what the others select', () => {
    expect(select({ projects: ['PAY'], excludeRepos: ['PAY/api-*'] }).ids).toEqual([1]);
    expect(select({ excludeRepos: ['LEDGER', '~*/*'] }).ids).toEqual([2, 5]);
  });

  test('that matches nothing is no mistake: what it keeps out may come later', () => {
    expect(select({ excludeRepos: ['nobody'] })).toEqual({ ids: [1, 2, 3, 4, 5], unmatched: [] });
  });

  test('does not make a repository that is asked for an unmatched one', () => {
    expect(select({ repos: ['PAY/ledger'], excludeRepos: ['ledger'] })).toEqual({ ids: [], unmatched: [] });
  });
});

test('without a repository to see, every entry is named', () => {
  const filter = { repos: ['a'], projects: ['b'], excludeRepos: ['c'], archived: 'include' as const };
  expect(selectRepositories([], filter)).toEqual({ repositories: [], unmatched: ['b', 'a'] });
});
