import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { CORPUS, corpusFiles, outcomeOf, recorded } from './corpus.ts';
import { SPECIAL_BYTES } from './special-bytes.ts';

const accepted = await corpusFiles('accepted');
const rejected = await corpusFiles('rejected');

describe('files that run', () => {
  test('there are at least 40 of them', () => expect(accepted.length).toBeGreaterThanOrEqual(40));

  test.each(accepted)('%s', async (name) => {
    const { outcome, dir } = await outcomeOf(await readFile(join(CORPUS, 'accepted', name), 'utf8'));
    if ('refused' in outcome) throw outcome.refused;
    const { config, warnings } = outcome.loaded;
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
  const actual = `${outcome.refused.message.replaceAll(dir, '<dir>')}\n`;
  expect(actual).toBe(await recorded(`rejected/${name.replace(/yml$/, 'txt')}`, actual));
}
