import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { epochMs } from '../../../src/records/epoch-ms.ts';

test.each<[number | string | null | undefined, number | undefined]>([
  [1_530_766_870_981, 1_530_766_870_981],
  [0, 0],
  [-1000, -1000],
  [1.9, 1],
  ['1530766870981', 1_530_766_870_981],
  ['2026-08-19T17:27:55.266Z', 1_787_160_475_266],
  ['2018-07-05T05:01:10+0000', 1_530_766_870_000],
  ['2018-07-05T05:01:10+00:00', 1_530_766_870_000],
  ['2018-07-05T10:31:10+0530', 1_530_766_870_000],
  ['2018-07-05T01:31:10-03:30', 1_530_766_870_000],
  ['2018-07-05T07:01:10+02', 1_530_766_870_000],
  ['2018-07-05T05:01:10', 1_530_766_870_000],
  ['2018-07-05T05:01Z', 1_530_766_860_000],
  ['2018-07-05T05:01:10.123456Z', 1_530_766_870_123],
  ['2018-13-05T05:01:10Z', undefined],
  ['2018-07-05T05:01:10+99:99', undefined],
  ['yesterday', undefined],
  ['', undefined],
  [Number.NaN, undefined],
  [Number.POSITIVE_INFINITY, undefined],
  [null, undefined],
  [undefined, undefined],
])('%p is %p', (value, expected) => {
  expect(epochMs(value)).toBe(expected);
});

test('a date is the same in each of the ways Bitbucket writes it', () => {
  const dates = fc.date({ min: new Date('1970-01-01'), max: new Date('9999-01-01'), noInvalidDate: true });
  fc.assert(
    fc.property(dates, (date) => {
      const iso = date.toISOString();
      expect(epochMs(iso)).toBe(date.getTime());
      expect(epochMs(iso.replace('Z', '+0000'))).toBe(date.getTime());
      expect(epochMs(date.getTime())).toBe(date.getTime());
    }),
  );
});
