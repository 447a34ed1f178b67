import { expect, test } from '@jest/globals';
import { bytes, counted, duration, some } from '../../../src/check/format.ts';

test.each([
  [0.2, 'less than a second'],
  [1, '1 second'],
  [99, '99 seconds'],
  [120, '2 minutes'],
  [5_900, '98 minutes'],
  [6_600, '1 h 50 min'],
  [7_200, '2 hours'],
  [36_060, '10 hours'],
  [172_800, '2 days'],
  [8_640_000, '100 days'],
])('%d seconds: %s', (seconds, text) => {
  expect(duration(seconds)).toBe(text);
});

test('numbers, bytes and lists', () => {
  expect([counted(1, 'day', 'days'), counted(12_345.6, 'day', 'days')]).toEqual(['1 day', '12,346 days']);
  expect([bytes(64 * 2 ** 20), bytes(1.5 * 2 ** 30)]).toEqual(['64 MiB', '1.5 GiB']);
  expect([some(['a', 'b']), some(['a', 'b', 'c'], 2)]).toEqual(['a, b', 'a, b and 1 more']);
});
