import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import {
  type InFlightLimit,
  newInFlightLimit,
  nextInFlightLimit,
  type Outcome,
  placesOf,
} from '../../../src/bitbucket/in-flight-limit.ts';

const answered = (latencyMs: number): Outcome => ({ kind: 'answered', latencyMs });
const overloaded: Outcome = { kind: 'overloaded' };
const after = (state: InFlightLimit, ...outcomes: Outcome[]) => outcomes.reduce(nextInFlightLimit, state);
const times = (count: number, outcome: Outcome) => Array<Outcome>(count).fill(outcome);

test('there is always one place and never more than the maximum', () => {
  const outcome = fc.oneof(fc.integer({ min: 0, max: 60_000 }).map(answered), fc.constant(overloaded));
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 16 }), fc.array(outcome, { maxLength: 300 }), (maxInFlight, outcomes) => {
      let state = newInFlightLimit(maxInFlight);
      for (const each of outcomes) {
        state = nextInFlightLimit(state, each);
        expect(placesOf(state)).toBeGreaterThanOrEqual(1);
        expect(placesOf(state)).toBeLessThanOrEqual(maxInFlight);
      }
    }),
  );
});

test('an overload halves it once for all requests that were under way, and a further one halves it again', () => {
  const begun = after(newInFlightLimit(8), ...times(20, answered(10)));
  const halved = after(begun, overloaded);
  expect(placesOf(halved)).toBe(4);
  expect(placesOf(after(halved, ...times(3, overloaded)))).toBe(4);
  expect(placesOf(after(halved, ...times(5, overloaded)))).toBe(2);
});

test('it climbs back, one place for as many answers as there are places', () => {
  const halved = after(newInFlightLimit(8), ...times(20, answered(10)), overloaded);
  expect(placesOf(after(halved, ...times(5, answered(10))))).toBe(5);
  expect(placesOf(after(halved, ...times(60, answered(10))))).toBe(8);
});

test('a latency well over its floor lowers it; a slow server whose latency stays does not', () => {
  const quick = after(newInFlightLimit(8), ...times(50, answered(100)));
  expect(placesOf(after(quick, ...times(40, answered(2_000))))).toBeLessThan(8);
  expect(placesOf(after(newInFlightLimit(8), ...times(500, answered(2_000))))).toBe(8);
  // Small latencies vary by a multiple for no reason.
  const swift = after(newInFlightLimit(8), ...times(50, answered(5)));
  expect(placesOf(after(swift, ...times(40, answered(60))))).toBe(8);
});
