import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import nock from 'nock';
import { soleAccount } from '../../../src/bitbucket/accounts.ts';
import { BitbucketClient } from '../../../src/bitbucket/client.ts';
import { Gate } from '../../../src/bitbucket/gate.ts';
import { pages, values } from '../../../src/bitbucket/paging.ts';
import { SatelliteError } from '../../../src/errors.ts';
import { onlyExpectedRequests } from '../crawl/expected-requests.ts';
import { FakeClock } from '../crawl/fake-clock.ts';
import { integration } from '../crawl/integration.ts';

// Without TLS: a client of its own for each test would read the system's certificates each time.
const origin = 'http://bitbucket.example.org';
const path = '/rest/api/latest/list';

onlyExpectedRequests();

function newClient(): BitbucketClient {
  return new BitbucketClient(integration({ url: origin }), {
    accounts: soleAccount(integration(), new Gate({ maxInFlight: 4 })),
    clock: new FakeClock(),
  });
}

/** The list that answers the page at each start, and nothing else. */
function serve(answers: Readonly<Record<number, object | null>>, limit = 100): void {
  for (const [start, answer] of Object.entries(answers)) {
    nock(origin).get(path).query({ limit, start }).reply(200, JSON.stringify(answer));
  }
}

async function all(limit = 100): Promise<unknown[]> {
  return Array.fromAsync(values(newClient(), 'list', { limit }));
}

describe('a list is read to its end', () => {
  test('one page', async () => {
    serve({ 0: { size: 2, limit: 100, isLastPage: true, start: 0, values: ['a', 'b'] } });
    expect(await all()).toEqual(['a', 'b']);
  });

  test('the next start is the one that the server names, not a sum', async () => {
    serve({
      0: { size: 2, limit: 2, isLastPage: false, start: 0, nextPageStart: 7, values: ['a', 'b'] },
      7: { size: 1, limit: 2, isLastPage: false, start: 7, nextPageStart: 8, values: ['c'] },
      8: { size: 1, limit: 2, isLastPage: true, start: 8, nextPageStart: null, values: ['d'] },
    });
    expect(await all()).toEqual(['a', 'b', 'c', 'd']);
  });

  test('a page that permissions have emptied is not the end', async () => {
    serve({
      0: { size: 0, limit: 100, isLastPage: false, start: 0, nextPageStart: 100, values: [] },
      100: { size: 1, limit: 100, isLastPage: false, start: 100, nextPageStart: 200, values: ['a'] },
      200: { size: 0, limit: 100, isLastPage: false, start: 200, nextPageStart: 300, values: [] },
      300: { size: 1, limit: 100, isLastPage: true, start: 300, values: ['b'] },
    });
    expect(await all()).toEqual(['a', 'b']);
  });

  test('a page size that the server clamps', async () => {
    serve(
      {
        0: { size: 2, limit: 2, isLastPage: false, start: 0, nextPageStart: 2, values: ['a', 'b'] },
        2: { size: 1, limit: 2, isLastPage: true, start: 2, values: ['c'] },
      },
      1000,
    );
    expect(await all(1000)).toEqual(['a', 'b', 'c']);
  });

  test.each([[null], [undefined], [-2_147_483_648], [0], [0.5], ['next']])(
    'on the last page, a next start of %p means nothing',
    async (nextPageStart) => {
      serve({ 0: { isLastPage: true, nextPageStart, values: ['a'] } });
      expect(await all()).toEqual(['a']);
    },
  );

  test('size, limit and start may be missing or nonsense', async () => {
    serve({ 0: { size: -3, limit: 0.5, start: 99, isLastPage: false, nextPageStart: 1, values: ['a'] } });
    serve({ 1: { isLastPage: true, values: ['b'] } });
    expect(await all()).toEqual(['a', 'b']);
  });
});

describe('what is not the last page and names no later one is an error, never the end', () => {
  test.each([
    ['is missing', undefined],
    ['is null', null],
    ['is the same again', 100],
    ['is an earlier one', 50],
    ['is a fraction', 150.5],
    ['is negative', -1],
    ['is beyond what a number holds exactly', 2 ** 53],
    ['is text', '200'],
  ])('the next start %s', async (_name, nextPageStart) => {
    serve({
      0: { isLastPage: false, nextPageStart: 100, values: ['a'] },
      100: { isLastPage: false, nextPageStart, values: ['b'] },
    });
    const seen: unknown[] = [];
    const read = async () => {
      for await (const value of values(newClient(), 'list', { limit: 100 })) seen.push(value);
    };
    await expect(read()).rejects.toMatchObject({ code: 'BITBUCKET_PAGING_BROKEN' });
    // What came with a broken page is not passed on: a cursor behind it would never be reached again.
    expect(seen).toEqual(['a']);
  });

  test.each([
    ['null', null],
    ['an object of another kind', { version: '9.4.0' }],
    ['a page without values', { isLastPage: true }],
    ['a page whose values are no list', { isLastPage: true, values: {} }],
    ['a page that does not say whether it is the last', { values: [] }],
    ['a page that says so in words', { values: [], isLastPage: 'true' }],
  ])('%s is no page', async (_name, answer) => {
    serve({ 0: answer });
    await expect(all()).rejects.toMatchObject({ code: 'BITBUCKET_PAGING_BROKEN' });
  });

  test('no content is no page', async () => {
    nock(origin).get(path).query({ limit: 100, start: 0 }).reply(204);
    await expect(all()).rejects.toMatchObject({ code: 'BITBUCKET_PAGING_BROKEN' });
  });
});

describe('a list that goes on and on', () => {
  /** Each page is answered by its start. */
  function serveForever(values: (start: number) => unknown[], pages: number): void {
    nock(origin)
      .get(path)
      .query(true)
      .times(pages)
      .reply((request: Request) => {
        const start = Number(new URL(request.url).searchParams.get('start'));
        return [
          200,
          JSON.stringify({ isLastPage: start === pages - 1, nextPageStart: start + 1, values: values(start) }),
        ];
      });
  }

  test.each([
    ['the same items on every page', () => [{ id: 1 }, { id: 2 }]],
    ['nothing on any page', () => []],
    ['two pages in turns', (start: number) => [{ id: start % 2 }]],
    ['three pages in turns, behind others', (start: number) => [{ id: start < 50 ? start : 50 + (start % 3) }]],
  ])('with %s is an error', async (_name, items) => {
    serveForever(items, 2_001);
    await expect(all()).rejects.toMatchObject({ code: 'BITBUCKET_PAGING_BROKEN' });
    nock.cleanAll();
  });

  test('with something new on every page, or none now and then, is not', async () => {
    serveForever((start) => (start % 3 === 0 ? [] : [start]), 2_001);
    expect(await all()).toHaveLength(1_334);
  });

  test('with something new now and then is not', async () => {
    serveForever((start) => (start % 60 === 0 ? [start] : []), 121);
    expect(await all()).toEqual([0, 60, 120]);
  });
});

test('whatever the pages claim, reading them ends, and asks for a later one each time', async () => {
  const number = fc.oneof(fc.integer(), fc.double(), fc.constant(null), fc.nat(20));
  const answer = fc.record(
    {
      isLastPage: fc.boolean(),
      nextPageStart: number,
      size: number,
      limit: number,
      start: number,
      values: fc.array(fc.nat()),
    },
    { requiredKeys: ['isLastPage', 'values'] },
  );
  await fc.assert(
    fc.asyncProperty(fc.array(answer, { minLength: 1, maxLength: 10 }), async (answers) => {
      const starts: number[] = [];
      nock(origin)
        .get(path)
        .query(true)
        .times(answers.length)
        .reply((request: Request) => {
          starts.push(Number(new URL(request.url).searchParams.get('start')));
          return [
            200,
            JSON.stringify({
              ...answers[starts.length - 1],
              ...(starts.length === answers.length && { isLastPage: true }),
            }),
          ];
        });
      const outcome = await all().catch((error: unknown) => error);
      nock.cleanAll();
      const rising = starts.every((start, index) => index === 0 || start > (starts[index - 1] ?? 0));
      expect(rising).toBe(true);
      const complete = starts.length === answers.length || answers[starts.length - 1]?.isLastPage;
      if (!complete) expect(outcome).toBeInstanceOf(SatelliteError);
      else expect(outcome).toEqual(answers.slice(0, starts.length).flatMap((page) => page.values));
    }),
    { numRuns: 50 },
  );
});

describe('pages', () => {
  test('say where they began and what follows, and can be read from a later one on', async () => {
    serve({
      40: { isLastPage: false, nextPageStart: 77, values: ['c', 'd'] },
      77: { isLastPage: true, values: ['e'] },
    });
    expect(await Array.fromAsync(pages(newClient(), 'list', { limit: 100 }, 40))).toEqual([
      { values: ['c', 'd'], start: 40, nextStart: 77 },
      { values: ['e'], start: 77, nextStart: undefined },
    ]);
  });

  test('are asked for one by one: whoever stops reading stops asking', async () => {
    serve({ 0: { isLastPage: false, nextPageStart: 100, values: ['a', 'b'] } });
    for await (const value of values(newClient(), 'list', { limit: 100 })) {
      if (value === 'a') break;
    }
  });

  test('a page in the middle that fails is an error, not the end', async () => {
    serve({ 0: { isLastPage: false, nextPageStart: 100, values: ['a'] } });
    nock(origin).get(path).query({ limit: 100, start: 100 }).reply(500);
    await expect(all()).rejects.toMatchObject({ statusCode: 500 });
  });
});
