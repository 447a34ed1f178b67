import { expect, test } from '@jest/globals';
import { fingerprint, hasChanged } from '../../../src/crawl/fingerprint.ts';
import { pullRequestOf } from './pull-request-of.ts';

test('fingerprints that a store has from before compare as new ones do: nothing is read again for their form', () => {
  const before = '[0,1000,"OPEN","Pull request 1","from1","an old tip",[],[],0,0,0]';
  const now = fingerprint(pullRequestOf(1));
  expect(hasChanged(before, now)).toBe(false);
  expect(hasChanged(before, fingerprint(pullRequestOf(1, { version: 1 })))).toBe(true);
  expect(hasChanged(before, fingerprint(pullRequestOf(1, { state: 'MERGED' })))).toBe(true);
});

test.each(['unread', 'deleted', ''])('the word %j for a pull request that was not read is no fingerprint', (word) => {
  expect(hasChanged(word, fingerprint(pullRequestOf(1)))).toBe(true);
});
