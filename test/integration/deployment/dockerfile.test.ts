import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from '@jest/globals';

// Building it needs an engine and a base image; this is what a reader of the Dockerfile would look for.

const read = (name: string) => readFileSync(fileURLToPath(new URL(`../../../${name}`, import.meta.url)), 'utf8');
const dockerfile = read('Dockerfile')
  .replace(/^#.*\n/gm, '')
  .replace(/\\\n/g, ' ');
const instructions = dockerfile.split('\n').filter((line) => line.trim() !== '');
const finalStage = instructions.slice(instructions.findLastIndex((line) => line.startsWith('FROM ')));
const finalOnes = (name: string) => finalStage.filter((line) => line.startsWith(`${name} `));

test('every stage is built on the image of the argument, so that a digest pins all of it', () => {
  expect(instructions[0]).toBe('ARG NODE_IMAGE=node:24-slim');
  expect(instructions.filter((line) => line.startsWith('FROM '))).toEqual([
    `FROM \${NODE_IMAGE} AS build`,
    `FROM \${NODE_IMAGE}`,
  ]);
});

test('it runs as nobody in particular, in exec form, with a limited heap', () => {
  expect(finalOnes('USER')).toEqual(['USER 65532:65532']);
  const entrypoint = JSON.parse(finalOnes('ENTRYPOINT')[0]?.replace('ENTRYPOINT ', '') ?? '');
  expect(entrypoint).toEqual(['node', '--max-old-space-size=128', '/app/dist/main.js']);
  expect(finalOnes('CMD')).toEqual(['CMD ["run"]']);
  // Nothing is done as root after it.
  expect(finalStage.slice(finalStage.indexOf('USER 65532:65532')).some((line) => line.startsWith('RUN'))).toBe(false);
});

test('its health is whether the loop turns, asked through the program itself', () => {
  const [check = ''] = finalOnes('HEALTHCHECK');
  expect(JSON.parse(check.replace(/^.*\bCMD /, ''))).toEqual([
    'node',
    '--max-old-space-size=32',
    '--max-semi-space-size=1',
    '/app/dist/main.js',
    'status',
    '--probe',
  ]);
});

test('state goes to the one volume', () => {
  expect(finalOnes('VOLUME')).toEqual(['VOLUME /var/lib/satellite']);
  expect(finalOnes('ENV').join()).toMatch(/NODE_ENV=production\b.*STATE_DIRECTORY=\/var\/lib\/satellite\b/);
});

test('the heap is limited alike in the image and in the package', () => {
  const limits = ['Dockerfile', 'test/package/satellite.sh'].map(
    (name) => /^(?:ENTRYPOINT|exec).*(max-old-space-size=\d+)/m.exec(read(name))?.[1],
  );
  expect(limits).toEqual(['max-old-space-size=128', 'max-old-space-size=128']);
});

test('git is in the image unless it is left out, and before everything setuid is made harmless', () => {
  const git = finalStage.findIndex((line) => line.includes('apt-get install') && line.includes(' git '));
  const harmless = finalStage.findIndex((line) => line.includes('chmod a-s'));
  expect(finalOnes('ARG')).toContain('ARG WITH_GIT=1');
  expect(finalStage[git]).toContain('--no-install-recommends');
  expect(git).toBeGreaterThan(0);
  expect(git).toBeLessThan(harmless);
});

test('it needs no feature of BuildKit', () => {
  expect(read('Dockerfile')).not.toMatch(/^# *syntax=|--mount=|--chmod=|--link|<</m);
});

test('the build gets to see what it copies, and nothing else', () => {
  const [first, ...allowed] = read('.dockerignore')
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'));
  expect(first).toBe('*');
  const copied = instructions
    .filter((line) => line.startsWith('COPY ') && !line.includes('--from='))
    .flatMap((line) => line.split(/\s+/).slice(1, -1));
  expect(allowed.map((line) => line.replace('!', '')).sort()).toEqual(copied.sort());
});
