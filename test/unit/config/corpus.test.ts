import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { CANARIES, CORPUS, corpusFiles, outcomeOf, recorded } from './corpus.ts';
import { SPECIAL_BYTES } from './special-bytes.ts';

const accepted = await corpusFiles('accepted');
const rejected = await corpusFiles('rejected');

/*
 * Each file of test/corpus/accepted has the configuration that it gives beside it (.json), each of test/corpus/rejected
 * what the operator is told (.txt). UPDATE_GOLDEN=1 records both anew; read what changed before you keep it.
 */
describe('files that run', () => {
  test('there are at least 40 of them', () => expect(accepted.length).toBeGreaterThanOrEqual(40));

  test.each(accepted)('%s', async (name) => {
    const { outcome, dir } = await outcomeOf(await readFile(join(CORPUS, 'accepted', name), 'utf8'));
    if ('refused' in outcome) throw outcome.refused;
    const { config, warnings } = outcome.loaded;
    expect(warnings.join('\n')).not.toMatch(CANARIES);
    const actual = `${JSON.stringify({ config, warnings }, undefined, 2).replaceAll(dir, '<dir>')}\n`;
    expect(actual).toBe(await recorded(`accepted/${name.replace(/yml$/, 'json')}`, actual));
  });
});

describe('files that are refused, and the words for it', () => {
  test('there are at least 150 of them', () => {
    expect(rejected.length + SPECIAL_BYTES.length).toBeGreaterThanOrEqual(150);
  });

  test.each(rejected)('%s', async (name) => {
    await expectRefusal(await readFile(join(CORPUS, 'rejected', name), 'utf8'), name);
  });

  test.each(SPECIAL_BYTES)('$name', async ({ name, bytes }) => {
    await expectRefusal(bytes, `${name}.yml`);
  });
});

async function expectRefusal(content: string | Uint8Array, name: string): Promise<void> {
  const { outcome, dir } = await outcomeOf(content);
  if ('loaded' in outcome) throw new Error('the file was accepted');
  expect(outcome.refused.message).not.toMatch(CANARIES);
  const actual = `${outcome.refused.message.replaceAll(dir, '<dir>')}\n`;
  expect(actual).toBe(await recorded(`rejected/${name.replace(/yml$/, 'txt')}`, actual));
}
