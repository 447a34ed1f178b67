import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { BitbucketRepository } from '../../../src/bitbucket/types.ts';
import { type DataType, dataTypes } from '../../../src/data-type.ts';
import { PageBuilder, type PageOptions, pageItem } from '../../../src/records/page-builder.ts';

const listNames: Readonly<Record<DataType, string>> = {
  commits: 'commits',
  tags: 'tags',
  pull_requests: 'pullRequests',
  repositories: 'repository',
};

interface BuiltPage {
  readonly _metadata: object;
  readonly records: readonly (Readonly<Record<string, unknown>> & { readonly repository: { readonly id: number } })[];
  readonly count: number;
}

/** A step of a test: something of one repository goes into the page. */
interface Step {
  readonly repositoryId: number;
  readonly item: object;
}

/** Text with everything that counts differently in bytes: halves of pairs, quotes, control signs, several planes. */
const text = fc.string({ unit: 'binary', maxLength: 12 });

function repository(id: number, name = `repository ${id}`): BitbucketRepository {
  return { id, slug: `r${id}`, name, project: { key: 'PAY', name: 'Zahlung €' } };
}

function newPage(options: Partial<PageOptions> = {}): PageBuilder {
  return new PageBuilder({
    tenantId: 'acme',
    integrationId: '7',
    dataType: 'commits',
    number: 0,
    maxBytes: 2 * 1024 * 1024,
    ...options,
  });
}

function parse(page: PageBuilder): BuiltPage {
  return JSON.parse(page.build().toString('utf8')) as BuiltPage;
}

/** Few repositories with many items, many with few, and all between. */
const steps = fc.integer({ min: 1, max: 120 }).chain((repositories) =>
  fc.array(fc.record({ repositoryId: fc.integer({ min: 1, max: repositories }), item: fc.record({ t: text }) }), {
    maxLength: 150,
  }),
);

describe('a page', () => {
  const options = fc.record({
    tenantId: text,
    integrationId: text,
    dataType: fc.constantFrom(...dataTypes.filter((type) => type !== 'repositories')),
    number: fc.nat(2_000),
  });
  const names = fc.array(text, { minLength: 121, maxLength: 121 });

  test('whatever it holds, it is as large as it says, and each repository stands in it once, in order', () => {
    fc.assert(
      fc.property(options, names, steps, ({ dataType, ...rest }, nameOf, additions) => {
        const page = newPage({ ...rest, dataType });
        const groups = new Map<number, object[]>();
        for (const { repositoryId, item } of additions) {
          page.add(repository(repositoryId, nameOf[repositoryId]), pageItem(item));
          groups.set(repositoryId, [...(groups.get(repositoryId) ?? []), item]);
        }
        const built = page.build();
        expect(page.bytes).toBe(built.length);
        expect(page.itemCount).toBe(additions.length);

        const { _metadata, records, count } = parse(page);
        expect(_metadata).toEqual({
          integration_key: { tenant_id: rest.tenantId, integration_id: rest.integrationId },
          integration_type: 'bitbucket_server',
          data_type: dataType,
          page_number: rest.number,
        });
        expect(count).toBe(groups.size);
        const found = records.map((record) => [record.repository.id, record[listNames[dataType]]]);
        expect(JSON.stringify(found)).toBe(JSON.stringify([...groups]));
      }),
      { numRuns: 150 },
    );
  });

  test('it is as large as it says after each item, also where the count of its records gets another digit', () => {
    const page = newPage();
    expect(page.bytes).toBe(page.build().length);
    for (let id = 1; id <= 101; id++) {
      page.add(repository(id), pageItem({ id }));
      expect(page.bytes).toBe(page.build().length);
    }
    expect(parse(page).count).toBe(101);
  });

  test('a record names project and repository before its items', () => {
    const page = newPage({ dataType: 'pull_requests' });
    page.add(repository(3), pageItem({ id: 1 }));
    expect(parse(page).records).toEqual([
      {
        project: { key: 'PAY', name: 'Zahlung €' },
        repository: { slug: 'r3', id: 3, name: 'repository 3', project: { key: 'PAY', name: 'Zahlung €' } },
        pullRequests: [{ id: 1 }],
      },
    ]);
  });

  test('of repositories holds them alone', () => {
    const page = newPage({ dataType: 'repositories' });
    page.add(repository(3), pageItem({ id: 3, slug: 'r3' }));
    page.add(repository(4), pageItem({ id: 4, slug: 'r4' }));
    expect(parse(page)).toMatchObject({
      records: [{ repository: { id: 3, slug: 'r3' } }, { repository: { id: 4 } }],
      count: 2,
    });
    expect(page.bytes).toBe(page.build().length);
  });

  test('without anything in it is a page', () => {
    expect(parse(newPage({ dataType: 'repositories' }))).toMatchObject({ records: [], count: 0 });
  });
});

describe('cutting by size', () => {
  /** As the spool does it. */
  function cut(additions: readonly Step[], maxBytes: number): PageBuilder[] {
    const pages = [newPage({ maxBytes })];
    for (const { repositoryId, item } of additions) {
      const bytes = pageItem(item);
      if (!pages.at(-1)?.fits(repository(repositoryId), bytes)) pages.push(newPage({ maxBytes, number: pages.length }));
      pages.at(-1)?.add(repository(repositoryId), bytes);
    }
    return pages;
  }

  test('no page is larger than allowed, unless one item alone is', () => {
    fc.assert(
      fc.property(steps, fc.integer({ min: 300, max: 4_000 }), (additions, maxBytes) => {
        for (const page of cut(additions, maxBytes)) {
          if (page.itemCount !== 1) expect(page.build().length).toBeLessThanOrEqual(maxBytes);
        }
      }),
      { numRuns: 200 },
    );
  });

  test('not by a single byte: each allowed size around that of a page with one more', () => {
    for (const repositories of [1, 2, 9, 10, 11, 99, 100]) {
      const additions = Array.from({ length: repositories }, (_, id) => ({ repositoryId: id + 1, item: { t: 'é' } }));
      const whole = cut(additions, Number.MAX_SAFE_INTEGER)[0]?.bytes ?? 0;
      for (let maxBytes = whole - 3; maxBytes <= whole + 3; maxBytes++) {
        for (const page of cut(additions, maxBytes)) {
          if (page.itemCount !== 1) expect(page.build().length).toBeLessThanOrEqual(maxBytes);
        }
      }
    }
  });

  test('what is too large for any page gets one of its own', () => {
    const small = { repositoryId: 1, item: { t: 'x' } };
    const large = { repositoryId: 1, item: { t: 'x'.repeat(5_000) } };
    const pages = cut([small, large, small, small], 1_000);
    expect(pages.map(({ itemCount }) => itemCount)).toEqual([1, 1, 2]);
  });

  test('holds five hundred records at most, and any number of items in them', () => {
    const of = (id: number, n: number) => ({ repositoryId: id, item: { n } });
    const additions = Array.from({ length: 1_001 }, (_, id) => [of(id + 1, 1), of(id + 1, 2)]).flat();
    const pages = cut(additions, Number.MAX_SAFE_INTEGER);
    expect(pages.map((page) => parse(page).count)).toEqual([500, 500, 1]);
    expect(pages.map(({ itemCount }) => itemCount)).toEqual([1_000, 1_000, 2]);
  });

  test('a page is filled: only one record and a digit of it may stay unused', () => {
    const additions = Array.from({ length: 2_000 }, (_, n) => ({ repositoryId: 1, item: { n } }));
    const pages = cut(additions, 4_000);
    for (const page of pages.slice(0, -1)) expect(page.bytes).toBeGreaterThan(3_500);
  });
});
